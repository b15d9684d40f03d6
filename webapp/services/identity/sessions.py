"""Logging in to the console, and out of it (docs/explanation/security.md).

Whether an account exists is never told: the answer and the work are the same for an unknown
email, a wrong password, and an account or address that is locked.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true, update

from models.db.base import db, uuid7
from models.db.queries import CompiledQuery, Row, bound, call_function, execute, resolve_context
from models.db.tenancy import Principal, current_organization_id, current_principal
from models.identity import Credential, LoginSession, Membership, Organization, User
from webapp.services.common import secrets
from webapp.services.common.exceptions import NotFound
from webapp.services.common.reads import Filter, PageRequest, RecordQuery
from webapp.services.common.writes import now
from webapp.services.identity.audit import note_account_event, record_audit

LIFETIME = dt.timedelta(hours=12)

_BEGIN = "SELECT * FROM begin_login(%(email)s, %(address)s)"
_CHOOSE = "SELECT * FROM find_membership(%(user_id)s, %(slug)s)"
_FORGET = "SELECT forget_login_failures(%(email)s, %(address)s)"

_ACCOUNT = CompiledQuery.of(
    select(
        Organization.name.label("organization_name"),
        Organization.timezone,
        User.name,
        User.email,
    )
    .select_from(Organization)
    .join(User, User.id == bound("user_id", User.id.type))
    .where(Organization.id == bound("organization_id", Organization.id.type))
)


SESSIONS = RecordQuery(
    LoginSession,
    domain="identity",
    noun="session",
    extra={
        "user": select(
            func.json_build_object("id", User.id, "name", User.name, "email", User.email)
        )
        .where(
            User.id == Membership.user_id,
            Membership.organization_id == LoginSession.organization_id,
            Membership.id == LoginSession.membership_id,
        )
        .correlate(LoginSession)
        .scalar_subquery()
    },
    condition=LoginSession.revoked_at.is_(None) & (LoginSession.expires_at > func.now()),
    filters={
        "user_id": Filter(
            lambda value: LoginSession.membership_id.in_(
                select(Membership.id).where(
                    Membership.organization_id == LoginSession.organization_id,
                    Membership.user_id == value,
                )
            ),
            Membership.user_id.type,
        )
    },
)


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """An email and password that belong together, and whose they are."""

    email: str
    address: str
    user_id: UUID
    organization_id: UUID
    membership_id: UUID
    name: str
    password_hash: str


def check_login(
    email: str, password: str, *, ip: str | None, slug: str | None = None
) -> LoginAttempt | None:
    """Check a password; None when it is wrong, nobody's, or guessed at too often.

    Of several organizations it is for the one with this `slug`, or the one they joined first; None
    too where they are not in it. Asked before a transaction is opened: the hash takes its time. The
    attempt counts as failed until `finish_login`.
    """
    email, address = email.replace("\0", "\ufffd"), counted_address(ip)
    found = call_function(_BEGIN, email=email, address=address)
    stored = found[0]["password_hash"] if found else None
    if not secrets.password_matches(stored, password):
        return None
    attempt = LoginAttempt(email, address, **found[0])
    if slug is None:
        return attempt
    chosen = call_function(_CHOOSE, user_id=attempt.user_id, slug=slug)
    return replace(attempt, **chosen[0]) if chosen else None


def counted_address(ip: str | None) -> str:
    """The address that failures are counted for: of IPv6 the network that one customer gets."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return (ip or "")[:64]
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def finish_login(
    attempt: LoginAttempt, secret: str, *, ip: str | None, user_agent: str | None
) -> bool:
    """Open the session that `secret` belongs to, and forget the failures before it.

    Runs in the context of the attempt's organization. False when the account was disabled, or got
    another password, since it was checked: whoever changes that ends the sessions there are, so
    both are locked until this one is there too.
    """
    admitted = db.session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.organization_id == attempt.organization_id,
            Membership.id == attempt.membership_id,
            Membership.deleted_at.is_(None),
            Membership.disabled_at.is_(None),
            User.password_hash == attempt.password_hash,
        )
        .with_for_update(read=True)
    )
    if admitted is None:
        return False
    execute(_FORGET, {"email": attempt.email, "address": attempt.address})
    session_id = uuid7()
    digest = secrets.digest(secret)
    expires_at = now() + LIFETIME
    db.session.add(
        Credential(
            id=session_id,
            organization_id=attempt.organization_id,
            kind="session",
            digest=digest,
            subject_id=attempt.user_id,
            label=attempt.name,
            expires_at=expires_at,
        )
    )
    db.session.add(
        LoginSession(
            id=session_id,
            membership_id=attempt.membership_id,
            ip=ip,
            user_agent=user_agent,
            expires_at=expires_at,
        )
    )
    who = Principal(
        organization_id=attempt.organization_id,
        kind="session",
        credential_id=session_id,
        subject_id=attempt.user_id,
        label=attempt.name,
    )
    record_audit("sign_in", by=who, ip=ip, user_agent=user_agent)
    return True


def note_failed_login(email: str, *, ip: str | None, user_agent: str | None) -> None:
    """Tell the organizations of whoever has this email that somebody failed to log in as them.

    Asked alike for an email that nobody has: how long it takes tells nothing.
    """
    email = email.replace("\0", "\ufffd")
    note_account_event(email, "sign_in_failed", ip=ip, user_agent=user_agent)


def end_session() -> None:
    """End the caller's session; its secret is refused from now on."""
    session_id = current_principal().credential_id
    assert session_id is not None
    _revoke([session_id])
    record_audit("sign_out")


def of_user(wanted: PageRequest, user_id: UUID) -> PageRequest:
    """The same page of this user's sessions alone; of nobody's when another's were wanted."""
    if wanted.filters.get("user_id", user_id) != user_id:
        user_id = UUID(int=0)
    return replace(wanted, filters={**wanted.filters, "user_id": user_id})


def revoke_session(session_id: UUID, *, user_id: UUID | None = None) -> None:
    """End a session, if `user_id` is given one of that user's alone.

    Raises NotFound, also for one that has ended.
    """
    found = _open_sessions(LoginSession.id == session_id, user_id)
    if not found:
        raise NotFound("There is no session with this id.")
    _revoke([session_id])
    record_audit("session_revoked", found[0], sessions=1)


def revoke_sessions(user_id: UUID) -> int:
    """End a user's sessions in this organization but the caller's own; returns how many."""
    found = _open_sessions(_is_not_the_callers(), user_id)
    if found:
        _revoke([session.id for session in found])
        record_audit("session_revoked", found[0], sessions=len(found), user_id=str(user_id))
    return len(found)


def _open_sessions(condition: ColumnElement[bool], user_id: UUID | None) -> Sequence[LoginSession]:
    """The open sessions that meet the condition, of one user if given, locked."""
    whose = () if user_id is None else (Membership.user_id == user_id,)
    return db.session.scalars(
        select(LoginSession)
        .join(
            Membership,
            (Membership.organization_id == LoginSession.organization_id)
            & (Membership.id == LoginSession.membership_id),
        )
        .where(
            LoginSession.organization_id == current_organization_id(),
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > func.now(),
            condition,
            *whose,
        )
        .order_by(LoginSession.id)
        .with_for_update(of=LoginSession)
    ).all()


def _is_not_the_callers() -> ColumnElement[bool]:
    current = current_principal().credential_id
    return true() if current is None else LoginSession.id != current


def _revoke(session_ids: Sequence[UUID]) -> None:
    for model in (Credential, LoginSession):
        db.session.execute(
            update(model)
            .where(model.organization_id == current_organization_id(), model.id.in_(session_ids))
            .values(revoked_at=now())
            .execution_options(synchronize_session=False)
        )


def prune_login_failures(limit: int) -> int:
    """Forget up to `limit` failed logins that count no more, with their addresses; how many."""
    [row] = execute("SELECT prune_login_failures(%(limit)s) AS count", {"limit": limit})
    return int(row["count"])


def account_of_caller() -> Row:
    """The caller's name and email, and their organization's name and timezone.

    Raises NotFound when the user is gone.
    """
    resolve_context()
    principal = current_principal()
    row = _ACCOUNT.one(user_id=principal.subject_id, organization_id=principal.organization_id)
    if row is None:
        raise NotFound("This account is gone.")
    return row
