"""Organizations, the people in them, and the credentials that let callers in."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import Base, SoftDeletable, TenantRecord, Versioned, belongs_to, uuid7
from models.db.constraints import (
    USER_AGENT_LENGTH,
    index,
    json_object,
    list_index,
    not_blank,
)

# A signing link does not wait longer than this, whatever the proposal or the organization says.
MAX_LINK_DAYS = 365
# How many characters a password has.
MIN_PASSWORD, MAX_PASSWORD = 10, 256
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# How long an old API key may go on working beside the one in its place, over REST: a week.
MAX_OVERLAP_HOURS = 168
ROLES = ("owner", "admin", "member", "viewer")
CREDENTIAL_KINDS = ("api_key", "session", "signing_link", "portal_link", "invitation")
# What the audit log tells of (docs/explanation/security.md, *Audit log*).
AUDIT_KINDS = (
    "sign_in", "sign_in_failed", "sign_out", "session_revoked",
    "key_created", "key_changed", "key_rotated", "key_revoked",
    "member_added", "member_role_changed", "member_disabled", "member_enabled", "member_removed",
    "password_changed", "password_reset_asked", "password_reset", "account_unlocked",
    "invitation_sent", "invitation_withdrawn", "invitation_accepted",
    "settings_changed", "exported",
)  # fmt: skip
_ROLE_KNOWN = "role IN ('owner', 'admin', 'member', 'viewer')"


class Organization(Versioned, Base):
    """A firm that uses the product: the tenant itself.

    `settings` holds what it has set of webapp/services/identity/organization.py; what it has not
    set has the default there.
    """

    __tablename__ = "organizations"
    noun = "organization"
    __table_args__ = (
        CheckConstraint("btrim(name) <> ''", name="name_not_blank"),
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug_form"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_form"),
        CheckConstraint("retention_days BETWEEN 1 AND 3650", name="retention_days_range"),
        CheckConstraint(
            "financial_retention_years BETWEEN 1 AND 99", name="financial_retention_range"
        ),
        CheckConstraint(f"link_days BETWEEN 1 AND {MAX_LINK_DAYS}", name="link_days_range"),
        UniqueConstraint("slug"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    slug: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(255))
    timezone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    currency: Mapped[str] = mapped_column(String(3), server_default="EUR")
    retention_days: Mapped[int] = mapped_column(server_default=text("30"))
    financial_retention_years: Mapped[int] = mapped_column(server_default=text("7"))
    # How long a proposal waits for its signature where it does not say so itself.
    link_days: Mapped[int] = mapped_column(server_default=text("90"))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class User(Base):
    """A person who signs in; global, because one person may work for several organizations."""

    __tablename__ = "users"
    # An insert that returned its row would need to see it, and a user who is not yet a member
    # of the organization is hidden from it.
    __mapper_args__ = {"eager_defaults": False}
    __table_args__ = (
        CheckConstraint("btrim(name) <> ''", name="name_not_blank"),
        Index("uq_users_email", text("lower(email)"), unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(255))
    password_hash: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Membership(Versioned, SoftDeletable, TenantRecord):
    """A user's place in an organization, with their role."""

    __tablename__ = "memberships"
    noun = "membership"
    __table_args__ = (
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        UniqueConstraint("organization_id", "user_id"),
        Index("ix_memberships_user_id", "user_id"),
        list_index("memberships", live_only=True),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    disabled_at: Mapped[dt.datetime | None]


class LoginFailure(Base):
    """A failed attempt to log in; it counts for an hour, and is then forgotten.

    Global, because an address guesses at accounts of any organization, and at some that do not
    exist: these are counted alike. `account` is the SHA-256 of the email that was typed. The
    application's role reaches it through `begin_login()` and its like alone.
    """

    __tablename__ = "login_failures"
    __table_args__ = (
        CheckConstraint("octet_length(account) = 32", name="account_length"),
        Index("ix_login_failures_account", "account", "failed_at"),
        Index("ix_login_failures_address", "address", "failed_at"),
        Index("ix_login_failures_failed_at", "failed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account: Mapped[bytes] = mapped_column(LargeBinary)
    address: Mapped[str] = mapped_column(String(64))
    failed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class PasswordReset(Base):
    """A link by which somebody chooses another password; the token derives from `id`.

    Global, because who asks has no organization. There is a row for an email that nobody has too,
    without a user; `account` is the SHA-256 of the email. The application's role reaches it through
    `ask_password_reset()` and its like alone.
    """

    __tablename__ = "password_resets"
    __table_args__ = (
        CheckConstraint("octet_length(account) = 32", name="account_length"),
        CheckConstraint("octet_length(digest) = 32", name="digest_length"),
        UniqueConstraint("digest"),
        Index("ix_password_resets_account", "account", "created_at"),
        Index("ix_password_resets_user_id", "user_id"),
        Index("ix_password_resets_organization_id", "organization_id"),
        Index("ix_password_resets_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class Credential(Base):
    """The digest of a secret that lets somebody in; the secret itself is never stored.

    Global, because the organization is not known before the digest is found. The application's
    role may write here but never read: only `begin_request()` reads it (security.md, *Keys*).
    """

    __tablename__ = "credentials"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('api_key', 'session', 'signing_link', 'portal_link', 'invitation')",
            name="kind_known",
        ),
        CheckConstraint(f"role IS NULL OR {_ROLE_KNOWN}", name="role_known"),
        CheckConstraint("octet_length(digest) = 32", name="digest_length"),
        CheckConstraint("cardinality(allowed_ips) > 0", name="allowed_ips_not_empty"),
        UniqueConstraint("digest"),
        Index("ix_credentials_organization_id", "organization_id"),
        Index("ix_credentials_subject_id", "subject_id"),
        Index("ix_credentials_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    subject_id: Mapped[UUID | None]
    role: Mapped[str | None] = mapped_column(String(16))
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(String(64)))
    label: Mapped[str] = mapped_column(String(255))
    # The networks that it is accepted from; everywhere where there are none.
    allowed_ips: Mapped[list[Any] | None] = mapped_column(ARRAY(CIDR))
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class ApiKey(Versioned, TenantRecord):
    """What staff see of an API key; `id` is its credential's id and stands in the key."""

    __tablename__ = "api_keys"
    noun = "api_key"
    __table_args__ = (
        CheckConstraint("btrim(name) <> ''", name="name_not_blank"),
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        CheckConstraint("cardinality(allowed_ips) > 0", name="allowed_ips_not_empty"),
        list_index("api_keys"),
    )

    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(String(64)))
    # As on its credential, where it is checked.
    allowed_ips: Mapped[list[Any] | None] = mapped_column(ARRAY(CIDR))
    created_by: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]


class LoginSession(TenantRecord):
    """A signed-in browser; `id` is its credential's id. Rotated at every login."""

    __tablename__ = "login_sessions"
    noun = "login_session"
    __table_args__ = (
        belongs_to("membership_id", "memberships"),
        Index("ix_login_sessions_membership_id", "organization_id", "membership_id"),
        Index("ix_login_sessions_expires_at", "expires_at"),
        list_index("login_sessions"),
    )

    membership_id: Mapped[UUID]
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(USER_AGENT_LENGTH))
    expires_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]


class Invitation(Versioned, TenantRecord):
    """Somebody who is asked to come in by mail; `id` is its credential's id.

    The token in the mail derives from `id`. `mailings` counts how often it was to be mailed.
    `member_id` is what it became.
    """

    __tablename__ = "invitations"
    noun = "invitation"
    __table_args__ = (
        belongs_to("member_id", "memberships", ondelete="SET NULL"),
        not_blank("email"),
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        CheckConstraint(
            "num_nonnulls(accepted_at, withdrawn_at) <= 1", name="accepted_or_withdrawn"
        ),
        list_index("invitations"),
        index("invitations", "member_id"),
        Index(
            "uq_invitations_email_open",
            "organization_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(16))
    invited_by: Mapped[str | None] = mapped_column(String(255))
    mailings: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"), default=1)
    expires_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]
    withdrawn_at: Mapped[dt.datetime | None]
    member_id: Mapped[UUID | None]


class AuditEvent(TenantRecord):
    """Something that matters to who may do what. Append-only: nobody changes or deletes it.

    `actor` is who did it, as the activity log names them, and `actor_id` the id in it. What it was
    done to stands in `entity_type` and `entity_id`. It never holds a secret.
    """

    __tablename__ = "audit_events"
    noun = "audit_event"
    __table_args__ = (
        not_blank("kind"),
        json_object("actor"),
        json_object("details"),
        index("audit_events", "occurred_at", "id"),
        index("audit_events", "kind", "occurred_at", "id"),
        index("audit_events", "actor_id", "occurred_at", "id"),
        index("audit_events", "entity_id", "occurred_at", "id"),
    )

    kind: Mapped[str] = mapped_column(String(64))
    actor: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor_id: Mapped[UUID | None]
    entity_type: Mapped[str | None] = mapped_column(String(64))
    entity_id: Mapped[UUID | None]
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(USER_AGENT_LENGTH))
    details: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )
    occurred_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
