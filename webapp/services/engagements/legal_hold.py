"""Legal holds: while one lasts, nothing of the engagement is purged (retention.md, *Purge*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.db.base import db
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, NotFound, StaleVersion
from webapp.services.common.writes import touch


def set_legal_hold(
    values: Mapping[str, Any], engagement_id: UUID, *, expected_row_version: int | None = None
) -> Engagement:
    """Put an engagement on legal hold, or lift it, and say why; a trashed one as well.

    Raises NotFound, StaleVersion, and Conflict where there is nothing to change, or where the purge
    has begun.
    """
    engagement = db.session.scalars(
        select(Engagement)
        .where(
            Engagement.organization_id == current_organization_id(), Engagement.id == engagement_id
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if engagement is None:
        raise NotFound("There is no engagement with this id.")
    if expected_row_version not in (None, engagement.row_version):
        raise StaleVersion()
    held = values["held"]
    if engagement.legal_hold == held:
        raise Conflict(f"This engagement is {'' if held else 'not '}on legal hold already.")
    if held and engagement.purge_started_at is not None:
        raise Conflict("The retention of this engagement is over and its deletion has begun.")
    engagement.legal_hold = held
    engagement.legal_hold_reason = values["reason"] if held else None
    touch(engagement)
    record_activity(
        engagement,
        "legal_hold_set" if held else "legal_hold_lifted",
        metadata={"reason": values["reason"]},
    )
    return engagement
