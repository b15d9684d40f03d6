"""The members of an organization: listed, given another role or password, disabled, removed.

Over REST they are named by their membership's id, on the command line by their email. `allowed` are
the roles whose rights the caller has: nobody gives or takes away more.

Whoever ends somebody's access locks the same rows as a login that is just being finished
(`sessions.finish_login`), so that no session slips through between the two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, case, exists, func, select, update

from models.db.base import db
from models.db.queries import execute
from models.db.tenancy import current_organization_id
from models.identity import ROLES, Credential, LoginSession, Membership, User
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StaleVersion,
)
from webapp.services.common.reads import Filter, RecordQuery, equals
from webapp.services.common.writes import change, now, touch, trash
from webapp.services.identity.audit import record_audit
from webapp.services.identity.handover import ask_for_hand_over, owned_by, stop_clock

_OPEN = LoginSession.revoked_at.is_(None) & (LoginSession.expires_at > func.now())
_STATE = case((Membership.disabled_at.is_(None), "active"), else_="disabled")

MEMBERS = RecordQuery(
    Membership,
    domain="identity",
    noun="member",
    extra={
        "user": select(
            func.json_build_object("id", User.id, "name", User.name, "email", User.email)
        )
        .where(User.id == Membership.user_id)
        .correlate(Membership)
        .scalar_subquery(),
        "state": _STATE,
    },
    filters={
        "user_id": equals(Membership.user_id),
        "state": Filter(lambda value: value == _STATE, Text()),
    },
)


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


def change_role(
    values: Mapping[str, Any],
    member_id: UUID | str,
    *,
    allowed: Collection[str] = ROLES,
    expected_row_version: int | None = None,
) -> Membership:
    """Give a member another role; it holds from their next request on.

    Raises NotFound, StaleVersion, Forbidden, and Conflict for the last owner.
    """
    user, member = _lock_member(member_id, expected_row_version)
    role, before = values["role"], member.role
    _demand_rank(allowed, before, role)
    if role == before:
        return member
    if before == "owner":
        _demand_another_owner(user, member)
    change(member, {"role": role})
    record_audit("member_role_changed", member, email=user.email, **{"from": before, "to": role})
    return member


def disable_member(
    member_id: UUID | str,
    *,
    allowed: Collection[str] = ROLES,
    expected_row_version: int | None = None,
) -> int:
    """Keep somebody out of this organization and end their sessions; returns how many.

    Raises NotFound, StaleVersion, Forbidden, and Conflict when they are disabled already or are its
    last owner.
    """
    user, member = _lock_member(member_id, expected_row_version)
    _demand_rank(allowed, member.role)
    if member.disabled_at is not None:
        raise Conflict(f"{user.email} is disabled already.")
    _demand_another_owner(user, member)
    member.disabled_at = now()
    touch(member)
    ended = _end_sessions(member)
    record_activity(member, "disabled")
    record_audit("member_disabled", member, email=user.email)
    return ended


def enable_member(
    member_id: UUID | str,
    *,
    allowed: Collection[str] = ROLES,
    expected_row_version: int | None = None,
) -> None:
    """Let somebody who was disabled log in again.

    Raises NotFound, StaleVersion, Forbidden, Conflict when they may.
    """
    user, member = _lock_member(member_id, expected_row_version)
    _demand_rank(allowed, member.role)
    if member.disabled_at is None:
        raise Conflict(f"{user.email} is not disabled.")
    member.disabled_at = None
    touch(member)
    record_activity(member, "enabled")
    record_audit("member_enabled", member, email=user.email)


def remove_member(
    member_id: UUID | str,
    *,
    hand_over_to: UUID | str | None = None,
    allowed: Collection[str] = ROLES,
    expected_row_version: int | None = None,
) -> int:
    """Take somebody out of this organization; returns how many sessions ended.

    What they own becomes another member's, by a job. Raises NotFound, StaleVersion, Forbidden,
    Conflict for the last owner, and Invalid naming `hand_over_to` where they own something and it
    names nobody who is here.
    """
    user, member = _lock_member(member_id, expected_row_version)
    _demand_rank(allowed, member.role)
    _demand_another_owner(user, member)
    successor = None if hand_over_to is None else _successor(hand_over_to, member)
    if successor is None and (owned := owned_by(member.user_id)):
        names = ", ".join(owned)
        raise Invalid({"hand_over_to": [f"Name the member who takes over their {names}."]})
    stop_clock(member.user_id)
    ended = _end_sessions(member)
    trash(member)
    if successor is not None:
        ask_for_hand_over(member, successor)
    record_audit(
        "member_removed",
        member,
        email=user.email,
        role=member.role,
        handed_over_to=str(successor.id) if successor else None,
    )
    return ended


def _successor(hand_over_to: UUID | str, leaving: Membership) -> Membership:
    """The member who takes over, locked against a removal of their own."""
    try:
        _, successor = _lock_member(hand_over_to)
    except NotFound as error:
        raise Invalid({"hand_over_to": ["No member of your organization has this id."]}) from error
    if successor.id == leaving.id or successor.disabled_at is not None:
        raise Invalid({"hand_over_to": ["Name another member, one who may log in."]})
    return successor


def _end_sessions(member: Membership) -> int:
    """End a member's sessions in this organization; how many there were."""
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
    return len(ended)


def change_password(email: str, password: str) -> int:
    """Give somebody another password and end their sessions everywhere; returns how many.

    Raises NotFound, and Invalid naming `password`.
    """
    user, member = _lock_member(email)
    user.password_hash = secrets.hash_password(password)
    touch(member)
    [row] = execute("SELECT end_sessions(%(user_id)s) AS count", {"user_id": user.id})
    record_activity(member, "password_changed")
    record_audit("password_changed", member, email=user.email)
    return int(row["count"])


def unlock_member(email: str) -> int:
    """Forget the failed log-ins at somebody's account, from all addresses; returns how many.

    An address that is locked for guessing at many accounts stays so. Raises NotFound.
    """
    user, member = _lock_member(email)
    touch(member)
    [row] = execute("SELECT forget_login_failures(%(email)s, NULL) AS count", {"email": email})
    record_activity(member, "unlocked")
    record_audit("account_unlocked", member, email=user.email)
    return int(row["count"])


def _demand_rank(allowed: Collection[str], *roles: str) -> None:
    beyond = [role for role in roles if role not in allowed]
    if beyond:
        raise Forbidden(f"The role {beyond[0]} has rights that you do not have yourself.")


def _lock_member(
    who: UUID | str, expected_row_version: int | None = None
) -> tuple[User, Membership]:
    """Somebody of this organization by the membership's id or by email, in any letter case, locked.

    The owners are locked first and in one order, so that two who disable each other wait. Raises
    NotFound, StaleVersion.
    """
    named: ColumnElement[bool] = (
        Membership.id == who if isinstance(who, UUID) else func.lower(User.email) == who.lower()
    )
    found = db.session.execute(
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.deleted_at.is_(None),
            named | (Membership.role == "owner"),
        )
        .order_by(Membership.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for user, member in found:
        if who == member.id or (isinstance(who, str) and user.email.lower() == who.lower()):
            if expected_row_version not in (None, member.row_version):
                raise StaleVersion()
            return user, member
    raise NotFound(
        "There is no member with this id."
        if isinstance(who, UUID)
        else f"Nobody here has the email {who}."
    )


def _demand_another_owner(user: User, member: Membership) -> None:
    """Raises Conflict where this is the only owner who may log in."""
    if member.role == "owner" and not _has_another_owner(member):
        raise Conflict(f"{user.email} is the organization's last owner: make another one first.")


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
