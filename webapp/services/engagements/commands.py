"""How engagements are opened, changed, closed, trashed and restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import Invoice
from models.contracts import Contract
from models.crm import ClientCompany, Contact, Deal
from models.db.base import TenantRecord, db, uuid7
from models.db.queries import Row
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement
from models.files import FileObject
from models.projects import Project
from models.states import ENGAGEMENT
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, NotFound, StaleVersion
from webapp.services.common.writes import (
    Below,
    change,
    check_values,
    create_read,
    lock,
    move,
    now,
    restore_below,
    touch,
    trash,
    trash_below,
)
from webapp.services.engagements.owners import tell_owners
from webapp.services.engagements.queries import ENGAGEMENTS
from webapp.services.projects.commands import below_projects

REFERENCES: dict[str, type[TenantRecord]] = {
    "client_company_id": ClientCompany,
    "contact_id": Contact,
    "deal_id": Deal,
    "contract_id": Contract,
}


def create_engagement(values: Mapping[str, Any]) -> Row:
    """Open an engagement by hand (E, *Creation*). Raises Invalid naming the fields."""
    values = dict(values)
    check_value(values.get("total_value"), values.get("currency"))
    values.setdefault("owner_id", current_principal().actor["id"])
    engagement = Engagement(organization_id=current_organization_id(), **values)
    if engagement.status in ("completed", "cancelled"):
        engagement.closed_at = now()
    return create_read(engagement, ENGAGEMENTS, references=REFERENCES, custom_fields="engagement")


def update_engagement(
    values: Mapping[str, Any], engagement_id: UUID, *, expected_row_version: int | None = None
) -> Engagement:
    """Change an engagement; a new status moves it along its machine.

    Raises NotFound, StaleVersion, Invalid naming the fields, InvalidTransition.
    """
    values = dict(values)
    engagement = lock(Engagement, engagement_id, expected_row_version=expected_row_version)
    status = values.pop("status", None)
    check_values(values, REFERENCES, custom_fields="engagement")
    check_value(
        values.get("total_value", engagement.total_value),
        values.get("currency", engagement.currency),
    )
    start = values.get("start_date", engagement.start_date)
    end = values.get("end_date", engagement.end_date)
    if start and end and end < start:
        raise Invalid({"end_date": ["This must not be before start_date."]})
    before = engagement.owner_id
    change(engagement, values)
    if engagement.owner_id != before:
        tell_owners(engagement, before)
    if status is not None and status != engagement.status:
        move_engagement(engagement, status)
    return engagement


def move_engagement(engagement: Engagement, status: str) -> None:
    """Move a locked engagement; `closed_at` follows (rulings.md, *Engagement moves*)."""
    if ENGAGEMENT.allows(engagement.status, status):
        final = status in ("completed", "cancelled")
        engagement.closed_at = (engagement.closed_at or now()) if final else None
    move(engagement, ENGAGEMENT, status)


def close_engagement(
    engagement_id: UUID, *, expected_row_version: int | None = None
) -> Sequence[UUID]:
    """DELETE: close it; closed or cancelled already is no error (S 7b).

    Returns its invoices that are drafts: they stay, to be sent or thrown away.
    """
    engagement = lock(Engagement, engagement_id, expected_row_version=expected_row_version)
    if engagement.status not in ("completed", "cancelled"):
        move_engagement(engagement, "completed")
    return db.session.scalars(
        select(Invoice.id)
        .where(
            Invoice.organization_id == engagement.organization_id,
            Invoice.engagement_id == engagement.id,
            Invoice.status == "draft",
        )
        .order_by(Invoice.id)
    ).all()


def trash_engagement(engagement_id: UUID, *, expected_row_version: int | None = None) -> Engagement:
    """Soft-delete the engagement and everything below it, as one batch."""
    engagement = lock(Engagement, engagement_id, expected_row_version=expected_row_version)
    batch_id = uuid7()
    trash(engagement, batch_id=batch_id)
    trash_below(_below(engagement_id), batch_id)
    return engagement


def restore_engagement(
    engagement_id: UUID, *, expected_row_version: int | None = None
) -> Engagement:
    """Take back exactly the batch that trashing it took.

    Raises NotFound if it is not trashed, StaleVersion, and Conflict once the purge has begun.
    """
    engagement = db.session.scalars(
        select(Engagement)
        .where(
            Engagement.organization_id == current_organization_id(),
            Engagement.id == engagement_id,
            Engagement.deleted_at.is_not(None),
        )
        .with_for_update()
    ).one_or_none()
    if engagement is None:
        raise NotFound("There is no trashed engagement with this id.")
    if expected_row_version not in (None, engagement.row_version):
        raise StaleVersion()
    if engagement.purge_started_at is not None:
        raise Conflict(
            "The retention of this engagement is over and its deletion has begun; it cannot be"
            " restored any more."
        )
    restore_below(_below(engagement_id), engagement.deletion_batch_id)
    engagement.deleted_at = engagement.deletion_batch_id = None
    touch(engagement)
    record_activity(engagement, "restored")
    return engagement


def check_value(total: Any, currency: Any) -> None:
    """An amount needs its currency. Raises Invalid naming `currency`."""
    if total is not None and currency is None:
        raise Invalid({"currency": ["Say the currency of total_value."]})


def _below(engagement_id: UUID) -> list[Below]:
    """What lies below an engagement and goes with it, from the top down."""
    organization_id = current_organization_id()
    projects = select(Project.id).where(
        Project.organization_id == organization_id, Project.engagement_id == engagement_id
    )
    return [
        (
            Project,
            (Project.organization_id == organization_id) & (Project.engagement_id == engagement_id),
        ),
        (
            FileObject,
            (FileObject.organization_id == organization_id)
            & (FileObject.engagement_id == engagement_id),
        ),
        *below_projects(projects),
    ]
