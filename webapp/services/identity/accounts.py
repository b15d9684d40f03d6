"""Making organizations, users and API keys (cli.md)."""

from __future__ import annotations

import re
import unicodedata
from zoneinfo import available_timezones

from models.db.base import db
from models.db.tenancy import current_organization_id
from models.identity import ROLES, Membership, Organization, User
from webapp.services.common import secrets
from webapp.services.common.exceptions import Invalid
from webapp.services.common.writes import refuse_duplicate
from webapp.services.identity.audit import record_audit


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
    """Make an organization; runs in the context of its own new id.

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
    check_role(role)
    if not re.fullmatch(r"[^@\s\0]+@[^@\s\0]+", email) or len(email) > 254:
        raise Invalid({"email": ["This is not an e-mail address."]})
    user = User(email=email, name=name, password_hash=secrets.hash_password(password))
    with refuse_duplicate("uq_users_email", "email", "Somebody has this e-mail address already."):
        db.session.add(user)
    member = Membership(user_id=user.id, role=role)
    db.session.add(member)
    db.session.flush()
    record_audit("member_added", member, email=email, role=role)
    return user


def check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid({"role": [f"Send one of: {', '.join(ROLES)}."]})
