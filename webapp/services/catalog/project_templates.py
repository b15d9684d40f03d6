"""Project templates: made, changed, applied to projects (rulings.md, *Templates*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import aliased

from models.catalog import ProjectTemplate, ProjectTemplateMilestone, ProjectTemplateTask
from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_together
from models.db.tenancy import current_organization_id
from models.projects import Milestone, PhaseDueDate, Project, Task
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Invalid
from webapp.services.common.reads import RecordQuery, aggregate
from webapp.services.common.writes import change, create, lock, today, touch, trash
from webapp.services.projects.plans import demand_start, templates_by_id
from webapp.services.projects.tasks import lock_for_work

_Milestone = aliased(ProjectTemplateMilestone, name="of_task")
_OWN_MILESTONES = (
    select(ProjectTemplateMilestone)
    .where(
        ProjectTemplateMilestone.organization_id == ProjectTemplate.organization_id,
        ProjectTemplateMilestone.project_template_id == ProjectTemplate.id,
    )
    .correlate(ProjectTemplate)
)
_OWN_TASKS = (
    select(ProjectTemplateTask)
    .outerjoin(
        _Milestone,
        (_Milestone.organization_id == ProjectTemplateTask.organization_id)
        & (_Milestone.id == ProjectTemplateTask.milestone_id),
    )
    .where(
        ProjectTemplateTask.organization_id == ProjectTemplate.organization_id,
        ProjectTemplateTask.project_template_id == ProjectTemplate.id,
    )
    .correlate(ProjectTemplate)
)
PROJECT_TEMPLATES = RecordQuery(
    ProjectTemplate,
    domain="catalog",
    noun="project template",
    children={
        "milestones": aggregate(
            _OWN_MILESTONES,
            (ProjectTemplateMilestone.position, ProjectTemplateMilestone.id),
            name=ProjectTemplateMilestone.name,
            due_offset_days=ProjectTemplateMilestone.due_offset_days,
        ),
        "tasks": aggregate(
            _OWN_TASKS,
            (ProjectTemplateTask.position, ProjectTemplateTask.id),
            name=ProjectTemplateTask.name,
            description=ProjectTemplateTask.description,
            priority=ProjectTemplateTask.priority,
            due_offset_days=ProjectTemplateTask.due_offset_days,
            estimate_minutes=ProjectTemplateTask.estimate_minutes,
            blocks_phase=ProjectTemplateTask.blocks_phase,
            depends_on=ProjectTemplateTask.depends_on,
            milestone=_Milestone.name,
        ),
    },
)


def create_template(values: Mapping[str, Any]) -> ProjectTemplate:
    """Make a plan of milestones and tasks. Raises Invalid naming the fields."""
    values = dict(values)
    milestones, tasks = values.pop("milestones", []), values.pop("tasks", [])
    _check(milestones, tasks)
    _order(values)
    template = create(ProjectTemplate(id=uuid7(), **values))
    _write(template, milestones, tasks)
    return template


def update_template(
    values: Mapping[str, Any],
    project_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> ProjectTemplate:
    """Change a plan; given `milestones` or `tasks` replace all of them.

    One that keeps its name stays the same one, so that applying the plan again adds only what is
    new. Raises NotFound, StaleVersion, Invalid naming the fields.
    """
    values = dict(values)
    template = lock(ProjectTemplate, project_template_id, expected_row_version=expected_row_version)
    shown = PROJECT_TEMPLATES.get(template.id)
    milestones = values.pop("milestones", shown["milestones"])
    tasks = values.pop("tasks", shown["tasks"])
    _check(milestones, tasks)
    _order(values)
    given = {"milestones": milestones, "tasks": tasks}
    replaced = tuple(name for name in given if given[name] is not shown[name])
    change(template, values, children=replaced)
    if replaced:
        _write(template, milestones, tasks)
    return template


def trash_template(project_template_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a plan; what names it starts without. Raises NotFound, StaleVersion."""
    trash(lock(ProjectTemplate, project_template_id, expected_row_version=expected_row_version))


def apply_template(
    values: Mapping[str, Any],
    project_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> list[dict[str, Any]]:
    """Add to a project what it does not have of the plan yet, due from its start; what was added.

    Raises NotFound, StaleVersion, Invalid naming `project_id`, and Conflict when the project takes
    no new work.
    """
    project = lock_for_work(values["project_id"])
    made = _missing(values, project_template_id, project, expected_row_version)
    if made:
        insert_together(made)
        touch(project)
        record_activity(
            project,
            "template_applied",
            metadata={"template": str(project_template_id), "added": len(_told(made))},
        )
    return _told(made)


def preview_template(
    values: Mapping[str, Any],
    project_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> list[dict[str, Any]]:
    """What applying the plan would add. Raises as `apply_template`."""
    project = lock_for_work(values["project_id"])
    return _told(_missing(values, project_template_id, project, expected_row_version))


def _missing(
    values: Mapping[str, Any],
    project_template_id: UUID,
    project: Project,
    expected_row_version: int | None,
) -> list[TenantRecord]:
    template = lock(
        ProjectTemplate, project_template_id, expected_row_version=expected_row_version, share=True
    )
    starts_on = values.get("starts_on") or project.start_date or today()
    demand_start(starts_on)
    dated = select(PhaseDueDate.id).where(
        PhaseDueDate.organization_id == project.organization_id,
        PhaseDueDate.project_id == project.id,
    )
    last = select(func.coalesce(func.max(Task.position) + 1, 0)).where(
        Task.organization_id == project.organization_id,
        Task.project_id == project.id,
        Task.deleted_at.is_(None),
    )
    return templates_by_id({template.id: template.phases})[template.id].plan(
        project.id,
        starts_on,
        milestones=_planned_from(Milestone, Milestone.template_milestone_id, project),
        tasks=_planned_from(Task, Task.template_task_id, project),
        first_position=db.session.scalars(last).one(),
        has_phase_dates=db.session.scalars(dated.limit(1)).one_or_none() is not None,
    )


def _planned_from(model: Any, column: Any, project: Project) -> dict[UUID, UUID]:
    """What the project has of any plan, deleted or not: what was deleted is not planned again."""
    found = db.session.execute(
        select(column, model.id).where(
            model.organization_id == project.organization_id,
            model.project_id == project.id,
            column.is_not(None),
        )
    )
    return {row[0]: row[1] for row in found}


def _told(made: Sequence[TenantRecord]) -> list[dict[str, Any]]:
    return [
        {
            "kind": record.noun,
            "id": record.id,
            "name": PHASE.label(record.phase) if isinstance(record, PhaseDueDate) else record.name,
            "due_date": record.due_date,
        }
        for record in made
        if isinstance(record, (PhaseDueDate, Milestone, Task))
    ]


def _order(values: dict[str, Any]) -> None:
    """Put the phases in their order. Raises Invalid naming one that is due before an earlier."""
    if "phases" not in values:
        return
    given = values["phases"]
    errors: dict[str, list[str]] = {}
    for n, each in enumerate(given):
        for other in given[:n]:
            first, last = sorted((each, other), key=lambda one: PHASE.number(one["phase"]))
            if first["phase"] == last["phase"]:
                errors[f"phases.{n}.phase"] = ["Another one is of this phase."]
            elif first["due_offset_days"] > last["due_offset_days"]:
                errors[f"phases.{n}.due_offset_days"] = [
                    f"{PHASE.label(last['phase'])} comes after {PHASE.label(first['phase'])}."
                ]
    if errors:
        raise Invalid(errors)
    values["phases"] = sorted(given, key=lambda one: PHASE.number(one["phase"]))


def _check(milestones: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]) -> None:
    """Each name stands for one thing; tasks name milestones and tasks of the plan, in no circle."""
    errors: dict[str, list[str]] = {}
    for kind, given in (("milestones", milestones), ("tasks", tasks)):
        names: set[str] = set()
        for n, each in enumerate(given):
            if each["name"] in names:
                errors[f"{kind}.{n}.name"] = ["Another one has this name."]
            names.add(each["name"])
    known = {milestone["name"] for milestone in milestones}
    waits = {task["name"]: list(task.get("depends_on") or ()) for task in tasks}
    for n, task in enumerate(tasks):
        if task.get("milestone") is not None and task["milestone"] not in known:
            errors[f"tasks.{n}.milestone"] = ["No milestone of this plan has this name."]
        for m, name in enumerate(waits[task["name"]]):
            if name not in waits:
                errors[f"tasks.{n}.depends_on.{m}"] = ["No task of this plan has this name."]
            elif task["name"] in _reached_from(name, waits):
                errors[f"tasks.{n}.depends_on.{m}"] = ["They would wait for each other."]
    if errors:
        raise Invalid(errors)


def _reached_from(name: str, waits: Mapping[str, Sequence[str]]) -> set[str]:
    """The task itself and all that it waits for."""
    found, further = set(), [name]
    while further:
        here = further.pop()
        if here not in found:
            found.add(here)
            further += waits.get(here, ())
    return found


def _write(
    template: ProjectTemplate,
    milestones: Sequence[Mapping[str, Any]],
    tasks: Sequence[Mapping[str, Any]],
) -> None:
    """Let the plan have these; what keeps its name keeps its id."""
    db.session.flush()
    milestone_ids = _replace(ProjectTemplateMilestone, template, milestones)
    rows = [
        {
            **{key: value for key, value in task.items() if key != "milestone"},
            "milestone_id": milestone_ids.get(task.get("milestone") or ""),
        }
        for task in tasks
    ]
    _replace(ProjectTemplateTask, template, rows)


def _replace(
    model: Any, template: ProjectTemplate, given: Sequence[Mapping[str, Any]]
) -> dict[str, UUID]:
    of_template = (
        model.organization_id == current_organization_id(),
        model.project_template_id == template.id,
    )
    known = {row.name: row for row in db.session.scalars(select(model).where(*of_template))}
    gone = [row.id for name, row in known.items() if name not in {each["name"] for each in given}]
    if gone:
        db.session.execute(
            delete(model)
            .where(*of_template, model.id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    ids = {}
    for n, each in enumerate(given):
        row = known.get(each["name"])
        if row is None:
            row = model(id=uuid7(), project_template_id=template.id, position=n, **each)
            db.session.add(row)
        else:
            for key, value in {**each, "position": n}.items():
                setattr(row, key, value)
        ids[each["name"]] = row.id
    db.session.flush()
    return ids
