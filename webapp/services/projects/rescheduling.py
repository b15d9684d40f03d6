"""Moving a project's phases with the work that is due in them (rulings.md, *Project dates*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.db.base import db, uuid7
from models.db.queries import execute
from models.projects import PhaseDueDate, Project
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, StaleVersion
from webapp.services.common.previews import taken_back
from webapp.services.common.writes import touch
from webapp.services.projects.tasks import lock_for_work

# What is open and due after the phase before; one statement for each kind.
_MOVE = """
    UPDATE {table} SET due_date = due_date + %(days)s, row_version = row_version + 1,
           updated_at = now()
    WHERE organization_id = %(organization_id)s AND project_id = %(project_id)s
      AND deleted_at IS NULL AND {is_open}
      AND due_date > coalesce(%(after)s::date, '-infinity')
    RETURNING id, name, due_date - %(days)s AS "from_", due_date AS "to" """
_TASKS = _MOVE.format(table="tasks", is_open="status NOT IN ('completed', 'cancelled')")
_MILESTONES = _MOVE.format(table="milestones", is_open="completed_at IS NULL")
_SPAN = """
    SELECT min(due_date) AS first, max(due_date) AS last FROM (
        SELECT due_date FROM tasks
        WHERE organization_id = %(organization_id)s AND project_id = %(project_id)s
        UNION ALL
        SELECT due_date FROM milestones
        WHERE organization_id = %(organization_id)s AND project_id = %(project_id)s) w"""


def reschedule_project(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> dict[str, Any]:
    """Move a phase and those after it by as many days, with what is open and due in them.

    A phase that has no day yet gets the one given, and nothing else moves. What was moved is
    returned, with the days before and after.

    Raises NotFound, StaleVersion, Conflict when the project takes no new work or has left the
    phase, and Invalid naming `due_date` or `days`, which would bring the phases out of order.
    """
    project = lock_for_work(project_id)
    if expected_row_version not in (None, project.row_version):
        raise StaleVersion()
    phase, field = values["phase"], "days" if "days" in values else "due_date"
    if PHASE.number(phase) < PHASE.number(project.phase):
        raise Conflict(
            f"The project is in {PHASE.label(project.phase)}; {PHASE.label(phase)} is over."
        )
    dates = _dates(project)
    known = next((each for each in dates if each.phase == phase), None)
    before, after = _around(dates, phase)
    if known is None:
        return _set(project, phase, values.get("due_date"), before, after)
    days = _days(values, known.due_date)
    if not days:
        return _told(0)
    _demand_room(project, [known, *after], before, days, field)
    ended = _move_end(project, known.due_date, days, field)
    phases = []
    for each in (known, *after):
        was, each.due_date = each.due_date, each.due_date + dt.timedelta(days=days)
        phases.append({"phase": each.phase, "from_": was, "to": each.due_date})
    asked = {
        "organization_id": project.organization_id,
        "project_id": project.id,
        "days": days,
        "after": before.due_date if before is not None else None,
    }
    milestones, tasks = execute(_MILESTONES, asked), execute(_TASKS, asked)
    touch(project)
    told = {"phase": PHASE.label(phase), "days": days, "tasks": len(tasks)}
    record_activity(project, "rescheduled", metadata={**told, "milestones": len(milestones)})
    return _told(days, phases, milestones, tasks, ended)


def preview_reschedule(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> dict[str, Any]:
    """What rescheduling would move: the real thing, done and taken back. Raises as it."""
    with taken_back():
        return reschedule_project(values, project_id, expected_row_version=expected_row_version)


def _dates(project: Project) -> list[PhaseDueDate]:
    """The days of the project's phases, in the order of the phases."""
    found = db.session.scalars(
        select(PhaseDueDate)
        .where(
            PhaseDueDate.organization_id == project.organization_id,
            PhaseDueDate.project_id == project.id,
        )
        .execution_options(populate_existing=True)
    )
    return sorted(found, key=lambda each: PHASE.number(each.phase))


def _around(
    dates: Sequence[PhaseDueDate], phase: str
) -> tuple[PhaseDueDate | None, list[PhaseDueDate]]:
    """The dated phase before this one, and the dated ones after it."""
    here = PHASE.number(phase)
    earlier = [each for each in dates if PHASE.number(each.phase) < here]
    later = [each for each in dates if PHASE.number(each.phase) > here]
    return (earlier[-1] if earlier else None), later


def _set(
    project: Project,
    phase: str,
    due_date: dt.date | None,
    before: PhaseDueDate | None,
    after: Sequence[PhaseDueDate],
) -> dict[str, Any]:
    label = PHASE.label(phase)
    if due_date is None:
        raise Invalid({"days": [f"{label} has no day yet that could be moved; say due_date."]})
    if before is not None and due_date < before.due_date:
        raise Invalid({"due_date": [f"This is before {PHASE.label(before.phase)} is due."]})
    if after and due_date > after[0].due_date:
        raise Invalid({"due_date": [f"This is after {PHASE.label(after[0].phase)} is due."]})
    if project.start_date is not None and due_date < project.start_date:
        raise Invalid({"due_date": ["This is before the project starts."]})
    db.session.add(PhaseDueDate(id=uuid7(), project_id=project.id, phase=phase, due_date=due_date))
    touch(project)
    record_activity(project, "rescheduled", metadata={"phase": label, "days": 0})
    return _told(0, [{"phase": phase, "from_": None, "to": due_date}])


def _days(values: Mapping[str, Any], due_date: dt.date) -> int:
    days: int = values["days"] if "days" in values else (values["due_date"] - due_date).days
    return days


def _demand_room(
    project: Project,
    moved: Sequence[PhaseDueDate],
    before: PhaseDueDate | None,
    days: int,
    field: str,
) -> None:
    """Raises Invalid naming `field` when the phases, or what is due after them, cannot go there."""
    keys = {"organization_id": project.organization_id, "project_id": project.id}
    [row] = execute(_SPAN, keys)
    ends = (moved[0].due_date, moved[-1].due_date, project.due_date, row["first"], row["last"])
    known = [day for day in ends if day is not None]
    if not (dt.date.min - min(known)).days <= days <= (dt.date.max - max(known)).days:
        raise Invalid({field: ["This is too far away."]})
    first = moved[0].due_date + dt.timedelta(days=days)
    if before is not None and first < before.due_date:
        raise Invalid({field: [f"This is before {PHASE.label(before.phase)} is due."]})
    if project.start_date is not None and first < project.start_date:
        raise Invalid({field: ["This is before the project starts."]})


def _move_end(
    project: Project, was_due: dt.date, days: int, field: str
) -> dict[str, dt.date] | None:
    """Move the day the project is due, unless that is before the phase was due."""
    before = project.due_date
    if before is None or before < was_due:
        return None
    project.due_date = before + dt.timedelta(days=days)
    if project.start_date is not None and project.due_date < project.start_date:
        raise Invalid({field: ["The project would be due before it starts."]})
    return {"from_": before, "to": project.due_date}


def _told(
    days: int,
    phases: Sequence[Mapping[str, Any]] = (),
    milestones: Sequence[Mapping[str, Any]] = (),
    tasks: Sequence[Mapping[str, Any]] = (),
    ended: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "days": days,
        "phases": list(phases),
        "milestones": sorted(milestones, key=_by_day),
        "tasks": sorted(tasks, key=_by_day),
        "project_due_date": ended,
    }


def _by_day(moved: Mapping[str, Any]) -> tuple[dt.date, str]:
    return moved["to"], moved["name"]
