"""Invitations: sent by mail, accepted by whoever holds the link (rulings.md, *Invitations*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Text, case, func, select, update

from models.db.base import db, uuid7
from models.db.queries import CompiledQuery, Row, bound, execute, resolve_context
from models.db.tenancy import Principal, current_organization_id, current_principal
from models.identity import ROLES, Credential, Invitation, Membership, Organization, User
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, Forbidden, Invalid, NotFound
from webapp.services.common.reads import Filter, RecordQuery
from webapp.services.common.writes import create, lock, now, refuse_duplicate, touch
from webapp.services.identity.audit import record_audit
from webapp.services.jobs.enqueue import enqueue

LIFETIME = dt.timedelta(days=7)
_STATE = case(
    (Invitation.accepted_at.is_not(None), "accepted"),
    (Invitation.withdrawn_at.is_not(None), "withdrawn"),
    (Invitation.expires_at <= func.now(), "expired"),
    else_="open",
)

INVITATIONS = RecordQuery(
    Invitation,
    domain="identity",
    noun="invitation",
    extra={"state": _STATE},
    filters={"state": Filter(lambda value: value == _STATE, Text())},
)

# Row-level security shows one organization: the one that invites.
_INVITED = CompiledQuery.of(
    select(
        Invitation.email,
        Invitation.role,
        Invitation.invited_by,
        Invitation.expires_at,
        Organization.name.label("organization_name"),
        Organization.slug.label("organization_slug"),
        select(func.count())
        .select_from(func.invited_account(Invitation.id))
        .scalar_subquery()
        .label("accounts"),
    )
    .join(Organization, Organization.id == Invitation.organization_id)
    .where(Invitation.id == bound("id", Invitation.id.type))
)
_ACCOUNT = "SELECT * FROM invited_account(%(id)s)"


def create_invitation(
    values: Mapping[str, Any], secret_key: bytes, *, allowed: Collection[str] = ROLES
) -> Invitation:
    """Invite somebody by mail to a role, one of `allowed`.

    Raises Forbidden, and Conflict where they are a member or invited already.
    """
    email = values["email"]
    _demand_rank(values["role"], allowed)
    if _member_with(email) is not None:
        message = f"{email} is a member already."
        raise Conflict(message, errors={"email": [message]})
    invitation = Invitation(
        id=uuid7(),
        email=email,
        role=values["role"],
        invited_by=current_principal().label,
        mailings=1,
        expires_at=now() + LIFETIME,
    )
    invited = f"{email} is invited already; send the invitation again."
    with refuse_duplicate("uq_invitations_email_open", "email", invited):
        create(invitation)
    db.session.add(
        Credential(
            id=invitation.id,
            organization_id=current_organization_id(),
            kind="invitation",
            digest=secrets.digest(secrets.link_token(secret_key, invitation.id)),
            subject_id=invitation.id,
            label=email,
            expires_at=invitation.expires_at,
        )
    )
    _mail(invitation)
    return invitation


def resend_invitation(
    invitation_id: UUID,
    *,
    allowed: Collection[str] = ROLES,
    expected_row_version: int | None = None,
) -> Invitation:
    """Mail the link again, for another `LIFETIME`.

    Raises NotFound, StaleVersion, Forbidden, Conflict.
    """
    invitation = _lock_open(invitation_id, expected_row_version)
    _demand_rank(invitation.role, allowed)
    invitation.mailings += 1
    invitation.expires_at = now() + LIFETIME
    touch(invitation)
    _set_credential(invitation, expires_at=invitation.expires_at)
    record_activity(invitation, "sent")
    _mail(invitation)
    return invitation


def withdraw_invitation(invitation_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Make the link worthless at once. Raises NotFound, StaleVersion, Conflict."""
    invitation = _lock_open(invitation_id, expected_row_version)
    invitation.withdrawn_at = now()
    touch(invitation)
    _set_credential(invitation, revoked_at=now())
    record_activity(invitation, "withdrawn")
    record_audit("invitation_withdrawn", invitation, email=invitation.email, role=invitation.role)


def invited() -> Row:
    """What the holder of the link is asked; `has_account` says whether they have a password."""
    resolve_context()  # the link says which invitation
    row = _INVITED.one(id=current_principal().subject_id)
    if row is None:
        raise NotFound("This invitation is not known or not valid any more.")
    return row | {"has_account": row["accounts"] > 0}


def accept_invitation(name: str | None, password: str) -> Row:
    """Become a member, as the caller's link offers: with a new account, or with one's own.

    Whoever has an account shows its password. Returns what `invited` does. Raises Invalid naming
    the fields, and Conflict where they are a member already.
    """
    offer, invitation = invited(), _lock_open(_link_subject(), None)
    found = execute(_ACCOUNT, {"id": invitation.id})
    if found:
        [account] = found
        if not secrets.password_matches(account["password_hash"], password):
            raise Invalid({"password": ["This is not the password of your account."]})
        user_id = account["user_id"]
    else:
        user_id = _new_account(invitation.email, name, password)
    member = _join(user_id, invitation.role)
    invitation.accepted_at, invitation.member_id = now(), member.id
    touch(invitation)
    _set_credential(invitation, revoked_at=now())
    who = Principal(
        organization_id=invitation.organization_id,
        kind="session",
        subject_id=user_id,
        label=name or invitation.email,
    )
    record_activity(invitation, "accepted")
    record_audit(
        "invitation_accepted", member, by=who, email=invitation.email, role=invitation.role
    )
    return offer


def mail_facts(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the mail with the link tells; None when it is not the latest, or nobody waits for it."""
    organization_id = current_organization_id()
    invitation = db.session.get(Invitation, (organization_id, UUID(payload["invitation_id"])))
    if (
        invitation is None
        or invitation.mailings != payload["mailing"]
        or invitation.accepted_at is not None
        or invitation.withdrawn_at is not None
        or invitation.expires_at <= now()
    ):
        return None
    organization = db.session.get_one(Organization, organization_id)
    return {
        "organization": {"name": organization.name},
        "timezone": organization.timezone,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "expires_at": invitation.expires_at,
    }


def _link_subject() -> UUID:
    subject_id = current_principal().subject_id
    assert subject_id is not None
    return subject_id


def _demand_rank(role: str, allowed: Collection[str]) -> None:
    if role not in allowed:
        raise Forbidden(f"The role {role} has rights that you do not have yourself.")


def _member_with(email: str) -> UUID | None:
    found: UUID | None = db.session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.deleted_at.is_(None),
            func.lower(User.email) == email.lower(),
        )
    )
    return found


def _lock_open(invitation_id: UUID, expected_row_version: int | None) -> Invitation:
    """The invitation, locked. Raises NotFound, StaleVersion, Conflict when it has been answered."""
    invitation = lock(Invitation, invitation_id, expected_row_version=expected_row_version)
    if invitation.accepted_at is not None or invitation.withdrawn_at is not None:
        done = "accepted" if invitation.accepted_at is not None else "withdrawn"
        raise Conflict(f"This invitation has been {done} already.")
    return invitation


def _new_account(email: str, name: str | None, password: str) -> UUID:
    if name is None:
        raise Invalid({"name": ["Say your name."]})
    user = User(id=uuid7(), email=email, name=name, password_hash=secrets.hash_password(password))
    taken = "Somebody has this e-mail address since a moment ago; try again."
    with refuse_duplicate("uq_users_email", "email", taken):
        db.session.add(user)
    return user.id


def _join(user_id: UUID, role: str) -> Membership:
    """The user's membership: a new one, or the one from before they were removed."""
    member = db.session.scalars(
        select(Membership)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.user_id == user_id,
        )
        .with_for_update()
    ).one_or_none()
    if member is None:
        member = Membership(id=uuid7(), user_id=user_id, role=role)
        db.session.add(member)
        db.session.flush()
        return member
    if member.deleted_at is None:
        raise Conflict("You are a member already.")
    member.role = role
    member.deleted_at = member.deletion_batch_id = member.disabled_at = None
    touch(member)
    return member


def _set_credential(invitation: Invitation, **values: Any) -> None:
    db.session.execute(
        update(Credential)
        .where(
            Credential.organization_id == invitation.organization_id,
            Credential.id == invitation.id,
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _mail(invitation: Invitation) -> None:
    """Have the link mailed, and tell the audit log."""
    enqueue(
        "identity.mail_invitation",
        f"{invitation.id}:{invitation.mailings}",
        {"invitation_id": str(invitation.id), "mailing": invitation.mailings},
    )
    record_audit("invitation_sent", invitation, email=invitation.email, role=invitation.role)
