"""The phases of a project: one step forward at a time, back only from Testing to Build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.db.base import db
from models.db.tenancy import current_principal
from models.projects import PhaseChange, Project
from models.states import PHASE, PROJECT
from webapp.services.common.exceptions import InvalidTransition
from webapp.services.common.writes import lock, move


def advance_project(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> Project:
    """Move the project one phase forward (S 7c).

    Raises NotFound, StaleVersion, and InvalidTransition naming the moves there are when it is
    not Active, is in the last phase, or is not in `expected_phase`.
    """
    project = lock(Project, project_id, expected_row_version=expected_row_version)
    expected = values.get("expected_phase", project.phase)
    if expected != project.phase:
        raise InvalidTransition(
            f"The project is in {PHASE.label(project.phase)}, not in {PHASE.label(expected)}.",
            allowed=PHASE.labels(PHASE.states[project.phase].to),
        )
    for target in PHASE.states[project.phase].to:
        if PHASE.number(target) > PHASE.number(project.phase):
            move_phase(project, target)
            return project
    raise InvalidTransition(
        f"The project is in {PHASE.label(project.phase)}, the last phase.", allowed=[]
    )


def move_phase(project: Project, phase: str, *, reason: str | None = None) -> None:
    """Move a locked project to another phase, and keep the step in its history.

    Raises InvalidTransition when it is not Active or the step is not allowed, and Invalid naming
    `reason` when the step goes back without one (rulings.md, *Phases*).
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
