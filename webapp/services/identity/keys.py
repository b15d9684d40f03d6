"""API keys: made, listed, limited to networks, rotated and revoked.

What a key may do never changes: whoever needs other rights makes another key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Text, case, cast, func, or_, select, update

from models.db.base import db, uuid7
from models.db.queries import Row
from models.db.tenancy import current_organization_id, current_principal
from models.identity import ApiKey, Credential, LoginSession
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import RecordQuery
from webapp.services.common.writes import change, lock, now, touch
from webapp.services.identity.accounts import check_role
from webapp.services.identity.audit import record_audit

API_KEYS = RecordQuery(
    ApiKey,
    domain="identity",
    noun="API key",
    extra={
        # What a key in a program's settings is known by: it begins so.
        "prefix": func.concat(secrets.KEY_PREFIX, func.replace(cast(ApiKey.id, Text), "-", "")),
        "state": case(
            (ApiKey.revoked_at.is_not(None), "revoked"),
            (ApiKey.expires_at <= func.now(), "expired"),
            else_="active",
        ),
    },
)


def create_api_key(
    name: str,
    *,
    role: str,
    scopes: Sequence[str] | None = None,
    expires_at: dt.datetime | None = None,
    allowed_ips: Sequence[str] | None = None,
) -> tuple[ApiKey, str]:
    """Make an API key; returns its record and the key itself, which is shown only now.

    `allowed_ips` are the networks that it is accepted from; everywhere without them. Whether the
    caller may grant what it may do is for whoever calls this to say. Raises Invalid naming the
    fields.
    """
    record, key = _make(name, role, scopes, expires_at, allowed_ips)
    record_audit("key_created", record, **_told(record))
    return record, key


def update_api_key(
    values: Mapping[str, Any], api_key_id: UUID, *, expected_row_version: int | None = None
) -> ApiKey:
    """Rename a key, or say where it is accepted from. Raises NotFound, StaleVersion, Conflict."""
    record = _living(api_key_id, expected_row_version)
    given = dict(values)
    if "allowed_ips" in given:
        given["allowed_ips"] = _listed(given["allowed_ips"])
        if given["allowed_ips"] == _listed(record.allowed_ips):
            del given["allowed_ips"]  # what is stored comes back as other objects
    if change(record, given):
        credential = {"label": record.name, "allowed_ips": _listed(record.allowed_ips)}
        _set_credential(api_key_id, **credential)
        record_audit("key_changed", record, **_told(record))
    return record


def _make(
    name: str,
    role: str,
    scopes: Sequence[str] | None,
    expires_at: dt.datetime | None,
    allowed_ips: Sequence[str] | None,
) -> tuple[ApiKey, str]:
    check_role(role)
    if not name.strip():
        raise Invalid({"name": ["This must not be blank."]})
    if expires_at is not None and expires_at <= now():
        raise Invalid({"expires_at": ["This has passed already; choose a later time."]})
    key_id = uuid7()
    key = secrets.new_api_key(key_id)
    listed, networks = list(scopes) if scopes else None, _listed(allowed_ips)
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
            allowed_ips=networks,
        )
    )
    record = ApiKey(
        id=key_id,
        name=name,
        role=role,
        scopes=listed,
        expires_at=expires_at,
        allowed_ips=networks,
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


def revoke_api_key(key_id: UUID, *, expected_row_version: int | None = None) -> ApiKey:
    """Revoke a key; the next request with it is refused.

    Raises NotFound, StaleVersion, and Conflict if it is revoked.
    """
    record = _living(key_id, expected_row_version)
    _end(record)
    record_activity(record, "revoked", metadata={"name": record.name})
    record_audit("key_revoked", record, **_told(record))
    return record


def rotate_api_key(
    key_id: UUID,
    *,
    overlap: dt.timedelta = dt.timedelta(0),
    expires_at: dt.datetime | None = None,
    expected_row_version: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key in the place of this one, with its name, rights and networks; returns it as made.

    The old one goes on working for `overlap`, so that programs can change over; without it, it is
    revoked at once. Without `expires_at` the new one lasts as long as the old one was made for.
    Raises NotFound, StaleVersion, Conflict when it does not work any more, Invalid.
    """
    old = _living(key_id, expected_row_version)
    if old.expires_at is not None and old.expires_at <= now():
        raise Conflict("This API key has expired; make a new one.")
    if expires_at is None and old.expires_at is not None:
        expires_at = now() + (old.expires_at - old.created_at)
    made = _make(old.name, old.role, old.scopes, expires_at, old.allowed_ips)
    end = now() + overlap
    if not overlap:
        _end(old)
    elif old.expires_at is None or end < old.expires_at:
        old.expires_at = end
        touch(old)
        _set_credential(key_id, expires_at=end)
    record_activity(old, "rotated", metadata={"name": old.name, "by": str(made[0].id)})
    works_until = old.revoked_at or old.expires_at
    record_audit(
        "key_rotated",
        old,
        **_told(old),
        new_key_id=str(made[0].id),
        works_until=works_until.isoformat() if works_until else None,
    )
    return made


def mark_used(ids: Sequence[UUID], *, at_most_every: dt.timedelta) -> None:
    """Write that these keys and sessions were used a moment ago, unless that was just done.

    Nothing that anybody edits is changed.
    """
    for model in (ApiKey, LoginSession):
        used: Any = model.last_used_at
        stale = or_(used.is_(None), used <= func.now() - at_most_every)
        db.session.execute(
            update(model)
            .where(model.organization_id == current_organization_id(), model.id.in_(ids), stale)
            .values(last_used_at=func.now())
            .execution_options(synchronize_session=False)
        )


def _living(key_id: UUID, expected_row_version: int | None = None) -> ApiKey:
    """The key, locked. Raises NotFound, StaleVersion, and Conflict when it was revoked."""
    record = lock(ApiKey, key_id, expected_row_version=expected_row_version)
    if record.revoked_at is not None:
        raise Conflict("This API key has been revoked already.")
    return record


def _end(record: ApiKey) -> None:
    record.revoked_at = now()
    touch(record)
    _set_credential(record.id, revoked_at=now())


def _listed(networks: Sequence[Any] | None) -> list[str] | None:
    """Networks as text, as both tables take them; None for everywhere."""
    return [str(network) for network in networks] if networks else None


def _told(record: ApiKey) -> dict[str, Any]:
    """What the audit log says of a key: its name and what it may do, never the key."""
    return {
        "name": record.name,
        "role": record.role,
        "scopes": record.scopes,
        "allowed_ips": _listed(record.allowed_ips),
    }


def _set_credential(key_id: UUID, **values: Any) -> None:
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
