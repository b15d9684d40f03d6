"""Making organizations, users and API keys (product.md, *Command line*)."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import select, update

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id, current_principal
from models.identity import ROLES, ApiKey, Credential, Membership, Organization, User
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, Invalid, NotFound
from webapp.services.common.writes import now, refuse_duplicate


def slug_of(name: str) -> str:
    """The slug of a name: ASCII, lower case, hyphens. Raises Invalid if nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].strip("-")
    if not slug:
        raise Invalid({"slug": ["No slug can be made of this name; give one."]})
    return slug


def create_organization(
    name: str, *, slug: str | None = None, timezone: str = "UTC", currency: str = "EUR"
) -> Organization:
    """Make an organization; runs in the scope of its own new id.

    Raises Conflict when the slug is taken, and Invalid naming an unknown `timezone`.
    """
    if timezone not in available_timezones():
        raise Invalid({"timezone": ['Send a name such as "Europe/Berlin".']})
    organization = Organization(
        id=current_organization_id(),
        name=name,
        slug=slug or slug_of(name),
        timezone=timezone,
        currency=currency,
    )
    taken = f"The slug {organization.slug} is taken."
    with refuse_duplicate("uq_organizations_slug", "slug", taken):
        db.session.add(organization)
    return organization


def create_user(email: str, name: str, password: str, *, role: str) -> User:
    """Make a user who is a member of the organization.

    Raises Invalid naming the field, and Conflict when the e-mail address is taken.
    """
    _check_role(role)
    if not re.fullmatch(r"[^@\s\0]+@[^@\s\0]+", email) or len(email) > 254:
        raise Invalid({"email": ["This is not an e-mail address."]})
    user = User(email=email, name=name, password_hash=secrets.hash_password(password))
    with refuse_duplicate("uq_users_email", "email", "Somebody has this e-mail address already."):
        db.session.add(user)
    db.session.add(Membership(user_id=user.id, role=role))
    db.session.flush()
    return user


def create_api_key(
    name: str,
    *,
    role: str,
    scopes: Sequence[str] | None = None,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make an API key; returns its record and the key itself, which is shown only now."""
    _check_role(role)
    if not name.strip():
        raise Invalid({"name": ["This must not be blank."]})
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


def revoke_api_key(key_id: UUID) -> None:
    """Revoke a key; the next request with it is refused. Raises NotFound."""
    organization = current_organization_id()
    record = db.session.scalars(
        select(ApiKey).where(ApiKey.organization_id == organization, ApiKey.id == key_id)
    ).one_or_none()
    if record is None:
        raise NotFound("There is no API key with this id.")
    if record.revoked_at is not None:
        raise Conflict("This API key has been revoked already.")
    record.revoked_at = now()
    db.session.execute(
        update(Credential)
        .where(Credential.organization_id == organization, Credential.id == key_id)
        .values(revoked_at=now())
        .execution_options(synchronize_session=False)
    )


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid({"role": [f"Send one of: {', '.join(ROLES)}."]})
