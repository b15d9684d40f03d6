"""Choosing another password by a link in a mail (security.md, *Passwords and sessions*).

Whether an email has an account is never told: the answer is the same, and so is the work but for
the rows of the mail. Who asks has no organization yet, so the database's functions do it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.db.base import db, uuid7
from models.db.queries import call_function, execute
from models.db.tenancy import current_organization_id
from models.identity import Membership, Organization, User
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import NotFound
from webapp.services.common.writes import now, touch
from webapp.services.identity.audit import NOTE_ACCOUNT_EVENT
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import kind_named

LIFETIME = dt.timedelta(hours=1)
MAIL = kind_named("identity.mail_password_reset")
UNKNOWN = "This link is not known or not valid any more; ask for another one."

_ASK = (
    "SELECT ask_password_reset(%(email)s, %(id)s, %(digest)s, %(seconds)s, %(job_id)s, %(kind)s,"
    " %(lane)s, %(max_attempts)s, %(ip)s, %(user_agent)s)"
)
_FIND = "SELECT * FROM find_password_reset(%(digest)s)"
_USE = "SELECT use_password_reset(%(id)s) AS used"


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """A link that may still be used, and whose it is."""

    id: UUID
    user_id: UUID
    organization_id: UUID


def ask_for_reset(email: str, secret_key: bytes, *, ip: str | None, user_agent: str | None) -> None:
    """Have the link mailed to this email, if somebody has it who may log in.

    Outside a transaction: it is one of its own. The lane of `MAIL` is to be woken after it.
    """
    reset_id = uuid7()
    call_function(
        _ASK,
        email=email.replace("\0", "\ufffd"),
        id=reset_id,
        digest=secrets.digest(secrets.link_token(secret_key, reset_id)),
        seconds=int(LIFETIME.total_seconds()),
        job_id=uuid7(),
        kind=MAIL.name,
        lane=MAIL.lane,
        max_attempts=MAIL.max_attempts,
        ip=ip,
        user_agent=user_agent,
    )


def find_reset(token: str) -> PasswordLink:
    """The link with this token. Raises NotFound when it is none, or has been used, or is old."""
    found = (
        call_function(_FIND, digest=secrets.digest(token)) if secrets.is_link_token(token) else []
    )
    if not found:
        raise NotFound(UNKNOWN)
    return PasswordLink(**found[0])


def finish_reset(
    link: PasswordLink, password_hash: str, *, ip: str | None, user_agent: str | None
) -> None:
    """Use the link up, and end all sessions of its person, in every organization.

    Runs in the context of the link's organization. They are told by mail. Raises NotFound when
    another one has used it since, or the person is no member any more.
    """
    [row] = execute(_USE, {"id": link.id})
    found = db.session.execute(
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == current_organization_id(),
            User.id == link.user_id,
            Membership.deleted_at.is_(None),
            Membership.disabled_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    if not row["used"] or found is None:
        raise NotFound(UNKNOWN)
    user, member = found
    user.password_hash = password_hash
    touch(member)
    execute("SELECT end_sessions(%(user_id)s)", {"user_id": user.id})
    execute("SELECT forget_login_failures(%(email)s, NULL)", {"email": user.email})
    record_activity(member, "password_changed")
    about = {"email": user.email, "kind": "password_reset", "ip": ip, "user_agent": user_agent}
    execute(NOTE_ACCOUNT_EVENT, about)
    enqueue(
        "identity.mail_password_changed",
        link.id,
        {"reset_id": str(link.id), "user_id": str(user.id), "at": now().isoformat(), "ip": ip},
    )


def mail_facts(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Whom a mail about their password goes to; None when they are gone, or the link is too old."""
    expires_at = payload.get("expires_at")
    if expires_at is not None and dt.datetime.fromisoformat(expires_at) <= now():
        return None
    user = db.session.scalar(select(User).where(User.id == UUID(payload["user_id"])))
    if user is None:
        return None
    organization = db.session.get_one(Organization, current_organization_id())
    return {
        "to": (user.name, user.email),
        "organization": {"name": organization.name},
        "timezone": organization.timezone,
    }


def prune_password_resets(limit: int) -> int:
    """Forget up to `limit` links of a day ago, whosoever's; how many."""
    [row] = execute("SELECT prune_password_resets(%(limit)s) AS count", {"limit": limit})
    return int(row["count"])
