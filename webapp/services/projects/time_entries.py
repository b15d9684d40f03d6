"""Time entries: what people worked, by hand or by a clock (rulings.md, *Time*)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, func, literal_column, select

from models.billing import Invoice, InvoiceLine
from models.db.base import TenantRecord, db, uuid7
from models.db.tenancy import current_organization_id, current_principal
from models.identity import Membership, User
from models.projects import Project, Task, TimeEntry
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import (
    Filter,
    RecordQuery,
    brief,
    equals,
    from_on,
    up_to,
)
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    now,
    refuse_duplicate,
    today,
    touch,
)

REFERENCES: dict[str, type[TenantRecord]] = {"project_id": Project, "task_id": Task}
_USER = (
    select(
        func.json_build_object(literal_column("'id'"), User.id, literal_column("'name'"), User.name)
    )
    .where(User.id == TimeEntry.user_id)
    .correlate(TimeEntry)
    .scalar_subquery()
)

TIME_ENTRIES = RecordQuery(
    TimeEntry,
    domain="projects",
    noun="time entry",
    extra={
        "project": brief(
            Project, TimeEntry.project_id, name=Project.name, phase=Project.phase,
            status=Project.status,
        ),
        "user": _USER,
        "is_running": TimeEntry.started_at.is_not(None),
        "is_billed": TimeEntry.invoice_line_id.is_not(None),
    },
    filters={
        "project_id": equals(TimeEntry.project_id),
        "task_id": equals(TimeEntry.task_id),
        "user_id": equals(TimeEntry.user_id),
        "billed": Filter(
            lambda value: TimeEntry.invoice_line_id.is_not(None) == value, Boolean()
        ),
        "day_from": from_on(TimeEntry.day),
        "day_until": up_to(TimeEntry.day),
    },
    sorts={"day": TimeEntry.day},
)  # fmt: skip


def create_entry(values: Mapping[str, Any]) -> TimeEntry:
    """Record time, or start a clock with `running`; a user has one clock at a time.

    Raises Invalid naming the fields, and Conflict when another clock runs.
    """
    values = dict(values)
    check_values(values, REFERENCES)
    project = _project(values)
    running = values.pop("running", False)
    values.setdefault("day", today())
    values["user_id"] = _worker(values.get("user_id"))
    if running:
        values["started_at"] = now()
    elif not values.get("minutes"):
        raise Invalid({"minutes": ["Say how long, or start a clock with running."]})
    clock = "Another clock of this user is running; stop it first."
    with refuse_duplicate("uq_time_entries_user_id", "running", clock):
        entry = TimeEntry(id=uuid7(), **{**values, "project_id": project.id})
        return create(entry, engagement_id=project.engagement_id)


def update_entry(
    values: Mapping[str, Any], time_entry_id: UUID, *, expected_row_version: int | None = None
) -> TimeEntry:
    """Change an entry that is not billed. Raises NotFound, StaleVersion, Invalid, Conflict."""
    entry = _lock_unbilled(time_entry_id, expected_row_version)
    check_values(values, REFERENCES)
    if values.get("task_id") is not None:
        _project({"project_id": entry.project_id, "task_id": values["task_id"]})
    change(entry, values)
    return entry


def stop_entry(time_entry_id: UUID, *, expected_row_version: int | None = None) -> TimeEntry:
    """Stop the clock; a begun minute counts. Raises NotFound, StaleVersion, Conflict."""
    entry = lock(TimeEntry, time_entry_id, expected_row_version=expected_row_version)
    if entry.started_at is None:
        raise Conflict("This clock is not running.")
    seconds = int((now() - entry.started_at).total_seconds())
    entry.minutes += max(1, -(-seconds // 60))
    entry.started_at = None
    touch(entry)
    record_activity(entry, "stopped", metadata={"minutes": entry.minutes})
    return entry


def delete_entry(time_entry_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Delete an entry that is not billed. Raises NotFound, StaleVersion, Conflict."""
    entry = _lock_unbilled(time_entry_id, expected_row_version)
    touch(entry)
    record_activity(entry, "deleted")
    db.session.delete(entry)


def unbilled(engagement_id: UUID, until: Any = None) -> list[tuple[TimeEntry, Project]]:
    """The billable time of an engagement that no invoice has yet, locked, the earliest first."""
    statement = (
        select(TimeEntry, Project)
        .join(
            Project,
            (Project.organization_id == TimeEntry.organization_id)
            & (Project.id == TimeEntry.project_id),
        )
        .where(
            TimeEntry.organization_id == current_organization_id(),
            Project.engagement_id == engagement_id,
            TimeEntry.is_billable,
            TimeEntry.invoice_line_id.is_(None),
            TimeEntry.started_at.is_(None),
        )
        .order_by(TimeEntry.day, TimeEntry.id)
        .with_for_update(of=TimeEntry)
    )
    if until is not None:
        statement = statement.where(TimeEntry.day <= until)
    return [(row[0], row[1]) for row in db.session.execute(statement)]


def hours(minutes: int) -> Decimal:
    """Minutes as hours, to the thousandth that a line can show."""
    return (Decimal(minutes) / 60).quantize(Decimal("0.001"))


def _project(values: Mapping[str, Any]) -> Project:
    """The project of the entry, of its task where only that is named."""
    task = None
    if values.get("task_id") is not None:
        task = db.session.get_one(Task, (current_organization_id(), values["task_id"]))
    project_id = values.get("project_id") or (task.project_id if task else None)
    if project_id is None:
        raise Invalid({"project_id": ["Say which project or task it was for."]})
    if task is not None and task.project_id != project_id:
        raise Invalid({"task_id": ["This task belongs to another project."]})
    return lock(Project, project_id, share=True)


def _worker(user_id: UUID | None) -> UUID:
    """Who worked: the caller, where a person is logged in, or the member who is named."""
    principal = current_principal()
    wanted = user_id or (principal.subject_id if principal.kind == "session" else None)
    if wanted is None:
        raise Invalid({"user_id": ["Say who worked: a key is no person."]})
    member = select(Membership.id).where(
        Membership.organization_id == principal.organization_id,
        Membership.user_id == wanted,
        Membership.deleted_at.is_(None),
    )
    if db.session.scalars(member).one_or_none() is None:
        raise Invalid({"user_id": ["No member of your organization has this id."]})
    return wanted


def _lock_unbilled(time_entry_id: UUID, expected_row_version: int | None) -> TimeEntry:
    entry = lock(TimeEntry, time_entry_id, expected_row_version=expected_row_version)
    if entry.invoice_line_id is not None:
        number = db.session.scalars(
            select(Invoice.number)
            .join(
                InvoiceLine,
                (InvoiceLine.organization_id == Invoice.organization_id)
                & (InvoiceLine.invoice_id == Invoice.id),
            )
            .where(
                InvoiceLine.organization_id == entry.organization_id,
                InvoiceLine.id == entry.invoice_line_id,
            )
        ).one_or_none()
        raise Conflict(f"This time is billed{f' on {number}' if number else ' on a draft'}.")
    return entry
