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
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import Base, SoftDeletable, TenantRecord, Versioned, belongs_to, uuid7
from models.db.constraints import USER_AGENT_LENGTH

# A signing link does not wait longer than this, whatever the proposal or the organization says.
MAX_LINK_DAYS = 365
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ROLES = ("owner", "admin", "member", "viewer")
CREDENTIAL_KINDS = ("api_key", "session", "signing_link", "portal_link")
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


class Credential(Base):
    """The digest of a secret that lets somebody in; the secret itself is never stored.

    Global, because the organization is not known before the digest is found. The application's
    role may write here but never read: only `begin_request()` reads it (security.md, *Keys*).
    """

    __tablename__ = "credentials"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('api_key', 'session', 'signing_link', 'portal_link')", name="kind_known"
        ),
        CheckConstraint(f"role IS NULL OR {_ROLE_KNOWN}", name="role_known"),
        CheckConstraint("octet_length(digest) = 32", name="digest_length"),
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
    )

    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(String(64)))
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
    )

    membership_id: Mapped[UUID]
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(USER_AGENT_LENGTH))
    expires_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
