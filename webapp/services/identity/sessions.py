"""Logging in to the console, and out of it (docs/explanation/security.md).

Whether an account exists is never told: the answer and the work are the same for an unknown
email, a wrong password, and an account or address that is locked.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update

from models.db.base import db, uuid7
from models.db.queries import CompiledQuery, Row, bound, call_function, execute, resolve_context
from models.db.tenancy import current_organization_id, current_principal
from models.identity import Credential, LoginSession, Membership, Organization, User
from webapp.services.common import secrets
from webapp.services.common.exceptions import NotFound
from webapp.services.common.writes import now

LIFETIME = dt.timedelta(hours=12)

_BEGIN = "SELECT * FROM begin_login(%(email)s, %(address)s)"
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


def check_login(email: str, password: str, *, ip: str | None) -> LoginAttempt | None:
    """Check a password; None when it is wrong, nobody's, or guessed at too often.

    Asked before a transaction is opened: the hash takes its time. The attempt counts as failed
    until `finish_login`.
    """
    email, address = email.replace("\0", "\ufffd"), counted_address(ip)
    found = call_function(_BEGIN, email=email, address=address)
    stored = found[0]["password_hash"] if found else None
    if not secrets.password_matches(stored, password):
        return None
    return LoginAttempt(email, address, **found[0])


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
    return True


def end_session() -> None:
    """End the caller's session; its secret is refused from now on."""
    organization_id = current_organization_id()
    session_id = current_principal().credential_id
    for model in (Credential, LoginSession):
        db.session.execute(
            update(model)
            .where(model.organization_id == organization_id, model.id == session_id)
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
