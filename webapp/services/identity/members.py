"""The members of an organization: listed, disabled, given another password, unlocked.

Whoever ends somebody's access locks the same rows as a login that is just being finished
(`sessions.finish_login`), so that no session slips through between the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists, func, select, update

from models.db.base import db
from models.db.queries import execute
from models.db.tenancy import current_organization_id
from models.identity import Credential, LoginSession, Membership, User
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, NotFound
from webapp.services.common.writes import now, touch

_OPEN = LoginSession.revoked_at.is_(None) & (LoginSession.expires_at > func.now())


def list_members() -> list[dict[str, Any]]:
    """The organization's people by email, with their role, state and number of open sessions."""
    sessions = (
        select(func.count(LoginSession.id))
        .where(
            LoginSession.organization_id == Membership.organization_id,
            LoginSession.membership_id == Membership.id,
            _OPEN,
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(
            User.id,
            User.email,
            User.name,
            Membership.role,
            Membership.disabled_at,
            sessions.label("sessions"),
            Membership.created_at,
        )
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.deleted_at.is_(None),
        )
        .order_by(func.lower(User.email))
    )
    return [
        {**row._mapping, "state": "active" if row.disabled_at is None else "disabled"}
        for row in rows
    ]


def disable_member(email: str) -> int:
    """Keep somebody out of this organization and end their sessions; returns how many.

    Raises NotFound, and Conflict when they are disabled already or are its last owner.
    """
    _, member = _lock_member(email)
    if member.disabled_at is not None:
        raise Conflict(f"{email} is disabled already.")
    if member.role == "owner" and not _has_another_owner(member):
        raise Conflict(f"{email} is the organization's last owner: make another one first.")
    member.disabled_at = now()
    touch(member)
    db.session.flush()
    ended = db.session.scalars(
        update(LoginSession)
        .where(
            LoginSession.organization_id == member.organization_id,
            LoginSession.membership_id == member.id,
            _OPEN,
        )
        .values(revoked_at=now())
        .returning(LoginSession.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.execute(
        update(Credential)
        .where(Credential.organization_id == member.organization_id, Credential.id.in_(ended))
        .values(revoked_at=now())
        .execution_options(synchronize_session=False)
    )
    record_activity(member, "disabled")
    return len(ended)


def enable_member(email: str) -> None:
    """Let somebody who was disabled log in again. Raises NotFound, Conflict when they may."""
    _, member = _lock_member(email)
    if member.disabled_at is None:
        raise Conflict(f"{email} is not disabled.")
    member.disabled_at = None
    touch(member)
    record_activity(member, "enabled")


def change_password(email: str, password: str) -> int:
    """Give somebody another password and end their sessions everywhere; returns how many.

    Raises NotFound, and Invalid naming `password`.
    """
    user, member = _lock_member(email)
    user.password_hash = secrets.hash_password(password)
    touch(member)
    [row] = execute("SELECT end_sessions(%(user_id)s) AS count", {"user_id": user.id})
    record_activity(member, "password_changed")
    return int(row["count"])


def unlock_member(email: str) -> int:
    """Forget the failed log-ins at somebody's account, from all addresses; returns how many.

    An address that is locked for guessing at many accounts stays so. Raises NotFound.
    """
    _, member = _lock_member(email)
    touch(member)
    [row] = execute("SELECT forget_login_failures(%(email)s, NULL) AS count", {"email": email})
    record_activity(member, "unlocked")
    return int(row["count"])


def _lock_member(email: str) -> tuple[User, Membership]:
    """Somebody of this organization by email, in any letter case, locked. Raises NotFound.

    The owners are locked first and in one order, so that two who disable each other wait.
    """
    organization_id = current_organization_id()
    found = db.session.execute(
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == organization_id,
            Membership.deleted_at.is_(None),
            (func.lower(User.email) == func.lower(email)) | (Membership.role == "owner"),
        )
        .order_by(Membership.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for user, member in found:
        if user.email.lower() == email.lower():
            return user, member
    raise NotFound(f"Nobody here has the email {email}.")


def _has_another_owner(member: Membership) -> bool:
    return bool(
        db.session.scalar(
            select(
                exists().where(
                    Membership.organization_id == member.organization_id,
                    Membership.id != member.id,
                    Membership.role == "owner",
                    Membership.deleted_at.is_(None),
                    Membership.disabled_at.is_(None),
                )
            )
        )
    )
