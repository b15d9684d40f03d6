"""The phases of a project: one step forward at a time, back only from Testing to Build."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, cast, func, select

from models.db.base import db
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_principal
from models.identity import Organization
from models.projects import PhaseChange, PhaseDueDate, Project, Task
from models.states import PHASE, PROJECT
from webapp.services.common.exceptions import Conflict, Invalid, InvalidTransition, NotFound
from webapp.services.common.reads import aggregate
from webapp.services.common.writes import lock, move


def advance_project(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> Project:
    """Move the project one phase forward (S 7c); past open tasks that block it with `force`.

    Raises NotFound, StaleVersion, InvalidTransition naming the moves there are when it is not
    Active, is in the last phase, or is not in `expected_phase`, Conflict naming the tasks that
    block it, and Invalid naming `reason` when it is forced without one.
    """
    if values.get("force") and not (values.get("reason") or "").strip():
        raise Invalid({"reason": ["Say why it goes on although tasks are open."]})
    project = lock(Project, project_id, expected_row_version=expected_row_version)
    expected = values.get("expected_phase", project.phase)
    if expected != project.phase:
        raise InvalidTransition(
            f"The project is in {PHASE.label(project.phase)}, not in {PHASE.label(expected)}.",
            allowed=PHASE.labels(PHASE.states[project.phase].to),
        )
    for target in PHASE.states[project.phase].to:
        if PHASE.number(target) > PHASE.number(project.phase):
            forced = bool(values.get("force"))
            move_phase(project, target, reason=values.get("reason"), forced=forced)
            return project
    raise InvalidTransition(
        f"The project is in {PHASE.label(project.phase)}, the last phase.", allowed=[]
    )


def return_project(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> Project:
    """Take the project back from Testing to Build, for a reason (rulings.md, *Phases*).

    Raises NotFound, StaleVersion, InvalidTransition when it is not in Testing.
    """
    project = lock(Project, project_id, expected_row_version=expected_row_version)
    # Setup leads to Build as well, but forward: that is `advance`, which open tasks block.
    if project.phase != "testing":
        raise InvalidTransition(
            f"The project is in {PHASE.label(project.phase)}; only from Testing it goes back.",
            allowed=PHASE.labels(PHASE.states[project.phase].to),
        )
    move_phase(project, "build", reason=values["reason"])
    return project


def _demand_nothing_blocks(project: Project) -> None:
    blocking = db.session.scalars(
        select(Task.name)
        .where(
            Task.organization_id == project.organization_id,
            Task.project_id == project.id,
            Task.blocks_phase,
            Task.status.not_in(("completed", "cancelled")),
            Task.deleted_at.is_(None),
        )
        .order_by(Task.position, Task.id)
        .limit(20)
    ).all()
    if blocking:
        names = ", ".join(blocking)
        raise Conflict(f"These tasks are open: {names}. Complete them, or use force and a reason.")


def phases_of(project_id: UUID) -> Row:
    """The phases a project went through, the first one first, each with its time in seconds.

    The present one has no `until`; its time goes to now. `plan` has all phases, each with the day
    it is due, if there is one, and whether that has passed while the phase is not over. Raises
    NotFound.
    """
    row = _PHASES.one(id=project_id)
    if row is None:
        raise NotFound("There is no project with this id.")
    due = {each["phase"]: dt.date.fromisoformat(each["due_date"]) for each in row["due_dates"]}
    here = PHASE.number(row["phase"])
    is_open = row["status"] in ("active", "on_hold")
    plan = [
        {
            "phase": phase,
            "due_date": due.get(phase),
            "is_current": phase == row["phase"],
            "is_overdue": bool(
                is_open and state.number >= here and phase in due and due[phase] < row["today"]
            ),
        }
        for phase, state in PHASE.states.items()
    ]
    steps = [{**step, "due_date": due.get(step["phase"])} for step in row["data"]]
    return {"data": steps, "plan": plan}


_until = (
    func.lead(PhaseChange.changed_at)
    .over(order_by=(PhaseChange.changed_at, PhaseChange.id))
    .label("until")
)
_STEPS = (
    select(
        PhaseChange.to_phase.label("phase"),
        PhaseChange.changed_at.label("since"),
        _until,
        PhaseChange.reason,
        PhaseChange.actor,
        PhaseChange.id,
    )
    .where(
        PhaseChange.organization_id == Project.organization_id,
        PhaseChange.project_id == Project.id,
    )
    .correlate(Project)
    .lateral("steps")
)
_TODAY = (
    select(cast(func.timezone(Organization.timezone, func.now()), Date))
    .where(Organization.id == Project.organization_id)
    .correlate(Project)
    .scalar_subquery()
)
_PHASES = CompiledQuery.of(
    select(
        aggregate(
            select(_STEPS),
            (_STEPS.c.since, _STEPS.c.id),
            phase=_STEPS.c.phase,
            since=_STEPS.c.since,
            until=_STEPS.c.until,
            seconds=cast(
                func.extract("epoch", func.coalesce(_STEPS.c.until, func.now()) - _STEPS.c.since),
                BigInteger,
            ),
            reason=_STEPS.c.reason,
            actor=_STEPS.c.actor,
        ).label("data"),
        Project.phase,
        Project.status,
        _TODAY.label("today"),
        aggregate(
            select(PhaseDueDate)
            .where(
                PhaseDueDate.organization_id == Project.organization_id,
                PhaseDueDate.project_id == Project.id,
            )
            .correlate(Project),
            PhaseDueDate.due_date,
            phase=PhaseDueDate.phase,
            due_date=PhaseDueDate.due_date,
        ).label("due_dates"),
    ).where(Project.id == bound("id", Project.id.type), Project.deleted_at.is_(None))
)


def move_phase(
    project: Project, phase: str, *, reason: str | None = None, forced: bool = False
) -> None:
    """Move a locked project to another phase, and keep the step in its history.

    Raises InvalidTransition when it is not Active or the step is not allowed, Conflict naming the
    open tasks that block a step forward unless it is `forced`, and Invalid naming `reason` when the
    step goes back without one (rulings.md, *Phases*).
    """
    if project.status != "active":
        allowed = PROJECT.labels(PROJECT.states[project.status].to)
        moves = ", ".join(allowed) if allowed else "nothing; it is final"
        raise InvalidTransition(
            "The phase moves only while the project is Active. This project is"
            f" {PROJECT.label(project.status)}; it can become: {moves}.",
            allowed=allowed,
        )
    before = project.phase
    is_forward = PHASE.allows(before, phase) and PHASE.number(phase) > PHASE.number(before)
    if is_forward and not forced:
        _demand_nothing_blocks(project)
    move(project, PHASE, phase, reason=reason, type="phase_changed")
    keep_step(project, before, reason=reason)


def keep_step(project: Project, before: str | None, *, reason: str | None = None) -> None:
    """Write the step to the present phase into the project's history; the first comes from None."""
    db.session.add(
        PhaseChange(
            project_id=project.id,
            from_phase=before,
            to_phase=project.phase,
            reason=reason,
            actor=current_principal().actor,
        )
    )
