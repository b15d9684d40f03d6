"""What a member owns, and its becoming another's when they leave (rulings.md, *Members*)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select, true

from models.contracts import Contract
from models.crm import Deal
from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.identity import Membership
from models.projects import Project, Task, TimeEntry
from models.sales import Proposal
from webapp.services.common.writes import change, lock
from webapp.services.jobs.enqueue import enqueue
from webapp.services.projects.time_entries import stop_entry

LIMIT = 500


@dataclass(frozen=True, slots=True)
class Owned:
    """A kind of record whose `column` says whose it is; as text, or as a user's id."""

    name: str
    model: Any
    column: str = "owner_id"
    as_text: bool = True
    condition: ColumnElement[bool] | None = None

    def of(self, user_id: UUID) -> tuple[ColumnElement[bool], ...]:
        """The conditions that find what is this user's, and not deleted."""
        return (
            self.model.organization_id == current_organization_id(),
            getattr(self.model, self.column) == self.whose(user_id),
            self.model.deleted_at.is_(None),
            true() if self.condition is None else self.condition,
        )

    def whose(self, user_id: UUID) -> UUID | str:
        """A user as the column names them."""
        return str(user_id) if self.as_text else user_id


# What is done stays with who did it: completed tasks, recorded time.
OWNED = (
    Owned("engagements", Engagement),
    Owned("deals", Deal),
    Owned("proposals", Proposal),
    Owned("contracts", Contract),
    Owned("open tasks", Task, "assignee_id", False, Task.status.not_in(("completed", "cancelled"))),
)


def owned_by(user_id: UUID) -> list[str]:
    """The kinds of records of which the user owns some."""
    found = db.session.execute(
        select(*(exists().where(*owned.of(user_id)).label(owned.name) for owned in OWNED))
    ).one()
    return [name for name, some in found._mapping.items() if some]


def stop_clock(user_id: UUID) -> None:
    """Stop the user's clock, if one runs."""
    running = db.session.scalar(
        select(TimeEntry.id).where(
            TimeEntry.organization_id == current_organization_id(),
            TimeEntry.user_id == user_id,
            TimeEntry.started_at.is_not(None),
        )
    )
    if running is not None:
        stop_entry(running)


def ask_for_hand_over(leaving: Membership, successor: Membership) -> None:
    """Have what the one owns become the other's; `leaving` is locked and changed."""
    enqueue(
        "identity.hand_over",
        f"{leaving.id}:{leaving.row_version}",
        {"from": str(leaving.user_id), "to": str(successor.user_id)},
    )


def hand_over(payload: Mapping[str, Any], limit: int = LIMIT) -> int:
    """Hand over up to `limit` records; how many. Asks for the next run itself if there are more."""
    leaving, successor = UUID(payload["from"]), UUID(payload["to"])
    left = limit
    for owned in OWNED:
        for record_id in db.session.scalars(
            select(owned.model.id).where(*owned.of(leaving)).limit(left)
        ).all():
            record = lock(owned.model, record_id)
            if getattr(record, owned.column) == owned.whose(leaving):
                values = {owned.column: owned.whose(successor)}
                change(record, values, engagement_id=_engagement_of(record))
            left -= 1
        if left <= 0:
            enqueue("identity.hand_over", f"more:{uuid7()}", payload)
            break
    return limit - left


def _engagement_of(record: Any) -> UUID | None:
    """On which engagement's timeline it is told, where the record itself does not say."""
    if not isinstance(record, Task):
        return None
    project = db.session.get_one(Project, (record.organization_id, record.project_id))
    return project.engagement_id
