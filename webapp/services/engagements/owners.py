"""Who owns what, and telling owners that an engagement became another's (rulings.md, *Owner*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, or_, select

from models.db.base import db
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.identity import Membership, Organization, User
from webapp.services.jobs.enqueue import enqueue


def address_of_owner(owner_id: str | None) -> tuple[str, str] | None:
    """Name and address of this owner, else of the organization's; None without any.

    `owner_id` is a free string, so it may name nobody we know.
    """
    is_the_owner = cast(User.id, Text) == (owner_id or "")
    member = db.session.execute(
        select(User.name, User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.deleted_at.is_(None),
            or_(is_the_owner, Membership.role == "owner"),
        )
        .order_by(is_the_owner.desc(), Membership.created_at)
        .limit(1)
    ).one_or_none()
    return (member.name, member.email) if member else None


def tell_owners(engagement: Engagement, before: str) -> None:
    """Have both owners told, each by a mail of their own; the engagement is locked and changed."""
    for told in ("new", "former"):
        enqueue(
            "engagements.mail_owner",
            f"{engagement.id}:{engagement.row_version}:{told}",
            {
                "engagement_id": str(engagement.id),
                "row_version": engagement.row_version,
                "told": told,
                "new": engagement.owner_id,
                "former": before,
            },
            ordering_key=f"mail:engagement:{engagement.id}:{told}",
        )


def owner_facts(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the mail to one of the owners tells.

    None when nobody is to be told: `owner_id` is a free string, so it may name nobody we know, and
    the engagement may be gone or another's again.
    """
    organization_id = current_organization_id()
    engagement = db.session.get(Engagement, (organization_id, UUID(payload["engagement_id"])))
    if engagement is None or engagement.deleted_at or engagement.owner_id != payload["new"]:
        return None
    ids = {payload["new"], payload["former"]}
    members = {
        str(row.id): row
        for row in db.session.execute(
            select(User.id, User.name, User.email)
            .join(Membership, Membership.user_id == User.id)
            .where(
                Membership.organization_id == organization_id,
                Membership.deleted_at.is_(None),
                cast(User.id, Text).in_(ids),
            )
        )
    }
    told = members.get(payload[payload["told"]])
    if told is None:
        return None
    new = members.get(payload["new"])
    return {
        "organization": {"name": db.session.get_one(Organization, organization_id).name},
        "to": (told.name, told.email),
        "engagement": {"name": engagement.name},
        "is_new": payload["told"] == "new",
        "owner": new.name if new else payload["new"],
    }
