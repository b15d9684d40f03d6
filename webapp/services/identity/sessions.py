"""Logging in to the console, and out of it (reliability.md, *Security checklist*, Sessions).

Whether an account exists is never told: the answer and the work are the same for an unknown
address, a wrong password, and an account that is locked.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text, update

from models.db.base import db, uuid7
from models.db.queries import CompiledQuery, Row, bound, call_function, resolve_context
from models.db.tenancy import current_organization_id, current_principal
from models.identity import Credential, LoginSession, Organization, User
from webapp.services.common import secrets
from webapp.services.common.exceptions import NotFound
from webapp.services.common.writes import now

LIFETIME = dt.timedelta(hours=12)

_FIND = """
    SELECT f.user_id, f.name, f.password_hash, f.organization_id, f.membership_id,
           coalesce(f.locked_until > now(), false) AS locked
    FROM find_login(%(email)s) f WHERE f.membership_id IS NOT NULL"""
_COUNT = text("SELECT count_login(:user_id, :succeeded)")
_NOBODY = UUID(int=0)

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
    """A checked e-mail address and password; nobody's when there is no account that can log in."""

    succeeded: bool
    user_id: UUID = _NOBODY
    organization_id: UUID = _NOBODY
    membership_id: UUID = _NOBODY
    name: str = ""


def check_login(email: str, password: str) -> LoginAttempt:
    """Check a password. Asked before a transaction is opened: the hash takes its time."""
    found = call_function(_FIND, email=email) if "\0" not in email else []
    if not found or found[0]["locked"]:
        secrets.password_matches(None, password)
        return LoginAttempt(succeeded=False)
    [row] = found
    succeeded = secrets.password_matches(row["password_hash"], password)
    return LoginAttempt(
        succeeded, row["user_id"], row["organization_id"], row["membership_id"], row["name"]
    )


def finish_login(
    attempt: LoginAttempt, secret: str, *, ip: str | None, user_agent: str | None
) -> bool:
    """Count the attempt and, if it succeeded, open the session that `secret` belongs to.

    Runs in the context of the attempt's organization; a failed attempt is counted by its commit.
    """
    db.session.execute(_COUNT, {"user_id": attempt.user_id, "succeeded": attempt.succeeded})
    if not attempt.succeeded:
        return False
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
