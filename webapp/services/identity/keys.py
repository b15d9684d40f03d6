"""API keys: made, listed, rotated and revoked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select, update

from models.db.base import db, uuid7
from models.db.queries import Row
from models.db.tenancy import current_organization_id, current_principal
from models.identity import ApiKey, Credential
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import lock, now, touch
from webapp.services.identity.accounts import check_role


def create_api_key(
    name: str,
    *,
    role: str,
    scopes: Sequence[str] | None = None,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make an API key; returns its record and the key itself, which is shown only now.

    Raises Invalid naming the fields.
    """
    check_role(role)
    if not name.strip():
        raise Invalid({"name": ["This must not be blank."]})
    if expires_at is not None and expires_at <= now():
        raise Invalid({"expires_at": ["This has passed already; choose a later time."]})
    key_id = uuid7()
    key = secrets.new_api_key(key_id)
    listed = list(scopes) if scopes else None
    db.session.add(
        Credential(
            id=key_id,
            organization_id=current_organization_id(),
            kind="api_key",
            digest=secrets.digest(key),
            role=role,
            scopes=listed,
            label=name,
            expires_at=expires_at,
        )
    )
    record = ApiKey(
        id=key_id,
        name=name,
        role=role,
        scopes=listed,
        expires_at=expires_at,
        created_by=current_principal().label,
    )
    db.session.add(record)
    db.session.flush()
    return record, key


def list_api_keys() -> list[Row]:
    """The organization's keys, newest first; `state` is active, expired or revoked."""
    keys = db.session.scalars(
        select(ApiKey)
        .where(ApiKey.organization_id == current_organization_id())
        .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    )
    return [
        {
            "id": key.id,
            "name": key.name,
            "role": key.role,
            "scopes": key.scopes,
            "state": _state(key),
            "created_at": key.created_at,
            "created_by": key.created_by,
            "last_used_at": key.last_used_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        for key in keys
    ]


def revoke_api_key(key_id: UUID) -> ApiKey:
    """Revoke a key; the next request with it is refused. Raises NotFound, and Conflict if it is."""
    record = _living(key_id)
    record.revoked_at = now()
    touch(record)
    _set_credential(key_id, revoked_at=now())
    record_activity(record, "revoked", metadata={"name": record.name})
    return record


def rotate_api_key(
    key_id: UUID, *, overlap: dt.timedelta = dt.timedelta(0), expires_at: dt.datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key in the place of this one, with its name, role and scopes; returns it as made.

    The old one goes on working for `overlap`, so that programs can change over; without it, it is
    revoked at once. Without `expires_at` the new one lasts as long as the old one was made for.
    Raises NotFound, Conflict when it does not work any more, Invalid.
    """
    old = _living(key_id)
    if old.expires_at is not None and old.expires_at <= now():
        raise Conflict("This API key has expired; make a new one.")
    if expires_at is None and old.expires_at is not None:
        expires_at = now() + (old.expires_at - old.created_at)
    made = create_api_key(old.name, role=old.role, scopes=old.scopes, expires_at=expires_at)
    end = now() + overlap
    if not overlap:
        revoke_api_key(key_id)
    elif old.expires_at is None or end < old.expires_at:
        old.expires_at = end
        touch(old)
        _set_credential(key_id, expires_at=end)
    record_activity(old, "rotated", metadata={"name": old.name, "by": str(made[0].id)})
    return made


def mark_used(key_ids: Sequence[UUID], *, at_most_every: dt.timedelta) -> None:
    """Write that these keys were used a moment ago, unless another process has just done so.

    Nothing that anybody edits is changed.
    """
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= func.now() - at_most_every)
    db.session.execute(
        update(ApiKey)
        .where(ApiKey.organization_id == current_organization_id(), ApiKey.id.in_(key_ids), stale)
        .values(last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )


def _living(key_id: UUID) -> ApiKey:
    """The key, locked. Raises NotFound, and Conflict when it was revoked."""
    record = lock(ApiKey, key_id)
    if record.revoked_at is not None:
        raise Conflict("This API key has been revoked already.")
    return record


def _set_credential(key_id: UUID, **values: dt.datetime) -> None:
    db.session.execute(
        update(Credential)
        .where(Credential.organization_id == current_organization_id(), Credential.id == key_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now() else "active"
