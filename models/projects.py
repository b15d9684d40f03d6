"""Projects, the phases they went through, and the work inside them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.catalog import PRIORITY_KNOWN
from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    day_index,
    in_order,
    index,
    json_array,
    json_object,
    list_index,
    not_blank,
    purge_index,
    sort_index,
)
from models.states import PHASE, PROJECT, TASK


class Project(Versioned, SoftDeletable, TenantRecord):
    """One deliverable of an engagement; at most one for each proposal item."""

    __tablename__ = "projects"
    noun = "project"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("service_id", "services", ondelete="SET NULL"),
        belongs_to("proposal_item_id", "proposal_items", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "proposal_item_id"),
        not_blank(),
        PROJECT.check(),
        PHASE.check(),
        in_order("start_date", "due_date"),
        CheckConstraint(
            "(status = 'completed') = (completed_at IS NOT NULL)", name="completed_at_if_completed"
        ),
        json_object("custom_fields"),
        list_index("projects", live_only=True),
        list_index("projects", "status", live_only=True),
        list_index("projects", "phase", live_only=True),
        list_index("projects", "engagement_id"),
        list_index("projects", "service_id"),
        purge_index("projects"),
    )

    engagement_id: Mapped[UUID]
    service_id: Mapped[UUID | None]
    proposal_item_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16), server_default="active", default="active")
    phase: Mapped[str] = mapped_column(String(16), server_default="kickoff", default="kickoff")
    start_date: Mapped[dt.date | None]
    due_date: Mapped[dt.date | None]
    completed_at: Mapped[dt.datetime | None]
    custom_fields: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )


def _phases() -> str:
    return ", ".join(f"'{slug}'" for slug in PHASE.states)


class PhaseChange(TenantRecord):
    """One step of a project between phases; the first has no `from_phase`. Append-only."""

    __tablename__ = "phase_changes"
    noun = "phase_change"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        CheckConstraint(f"from_phase IN ({_phases()})", name="from_phase_known"),
        CheckConstraint(f"to_phase IN ({_phases()})", name="to_phase_known"),
        CheckConstraint("from_phase <> to_phase", name="phase_differs"),
        json_object("actor"),
        index("phase_changes", "project_id", "changed_at", "id"),
    )

    project_id: Mapped[UUID]
    from_phase: Mapped[str | None] = mapped_column(String(16))
    to_phase: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None]
    actor: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class PhaseDueDate(TenantRecord):
    """The day on which a phase of a project is due to be over."""

    __tablename__ = "phase_due_dates"
    noun = "phase_due_date"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        UniqueConstraint("organization_id", "project_id", "phase"),
        CheckConstraint(f"phase IN ({_phases()})", name="phase_known"),
    )

    project_id: Mapped[UUID]
    phase: Mapped[str] = mapped_column(String(16))
    due_date: Mapped[dt.date]


class Milestone(Versioned, SoftDeletable, TenantRecord):
    """A point in a project that its tasks lead up to."""

    __tablename__ = "milestones"
    noun = "milestone"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        belongs_to("template_milestone_id", "project_template_milestones", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "position"),
        index("milestones", "template_milestone_id"),
        index("milestones", "project_id", "template_milestone_id", unique=True),
        list_index("milestones", live_only=True),
        index("milestones", "project_id", "position", "id"),
        purge_index("milestones"),
    )

    project_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(255))
    due_date: Mapped[dt.date | None]
    completed_at: Mapped[dt.datetime | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    template_milestone_id: Mapped[UUID | None]


class Task(Versioned, SoftDeletable, TenantRecord):
    """A piece of work in a project; `assignee_id` is a user who is a member here.

    `template_task_id` is what it was planned from. An open one that `blocks_phase` keeps the
    project from its next phase. `checklist` holds small steps: a text, and whether it is done. What
    is said about it is in `conversation_id`.
    """

    __tablename__ = "tasks"
    noun = "task"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        belongs_to("milestone_id", "milestones", ondelete="SET NULL"),
        belongs_to("conversation_id", "conversations", ondelete="SET NULL"),
        belongs_to("template_task_id", "project_template_tasks", ondelete="SET NULL"),
        # Users are global, so the reference goes through the membership: work can only be
        # given to somebody of the same organization.
        ForeignKeyConstraint(
            ["organization_id", "assignee_id"],
            ["memberships.organization_id", "memberships.user_id"],
            ondelete="SET NULL (assignee_id)",
        ),
        not_blank(),
        TASK.check(),
        CheckConstraint(PRIORITY_KNOWN, name="priority_known"),
        CheckConstraint(
            "(status = 'completed') = (completed_at IS NOT NULL)", name="completed_at_if_completed"
        ),
        at_least(0, "position"),
        at_least(0, "estimate_minutes"),
        json_array("checklist"),
        list_index("tasks", live_only=True),
        list_index("tasks", "status", live_only=True),
        index("tasks", "project_id", "position", "id"),
        list_index("tasks", "milestone_id"),
        index("tasks", "conversation_id"),
        index("tasks", "template_task_id"),
        index("tasks", "project_id", "template_task_id", unique=True),
        list_index("tasks", "assignee_id"),
        index("tasks", "due_date", where="deleted_at IS NULL"),
        day_index("tasks", "due_date", live_only=True),
        purge_index("tasks"),
    )

    project_id: Mapped[UUID]
    milestone_id: Mapped[UUID | None]
    conversation_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16), server_default="todo", default="todo")
    priority: Mapped[str] = mapped_column(String(16), server_default="normal", default="normal")
    assignee_id: Mapped[UUID | None]
    due_date: Mapped[dt.date | None]
    completed_at: Mapped[dt.datetime | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    estimate_minutes: Mapped[int | None]
    blocks_phase: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    checklist: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    template_task_id: Mapped[UUID | None]


class TaskDependency(TenantRecord):
    """A task that waits for another one of its project."""

    __tablename__ = "task_dependencies"
    noun = "task_dependency"
    __table_args__ = (
        belongs_to("task_id", "tasks"),
        belongs_to("depends_on_id", "tasks"),
        UniqueConstraint("organization_id", "task_id", "depends_on_id"),
        CheckConstraint("task_id <> depends_on_id", name="not_on_itself"),
        index("task_dependencies", "depends_on_id"),
    )

    task_id: Mapped[UUID]
    depends_on_id: Mapped[UUID]


class TimeEntry(Versioned, TenantRecord):
    """Time that somebody worked in a project; `started_at` while its clock runs.

    Billed once `invoice_line_id` names the line; a draft that loses the line gives it back.
    """

    __tablename__ = "time_entries"
    noun = "time_entry"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        belongs_to("task_id", "tasks", ondelete="SET NULL"),
        belongs_to("invoice_line_id", "invoice_lines", ondelete="SET NULL"),
        # Users are global; whoever worked is or was a member here.
        ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            ondelete="SET NULL (user_id)",
        ),
        at_least(0, "minutes"),
        at_least(0, "rate"),
        list_index("time_entries"),
        list_index("time_entries", "project_id"),
        list_index("time_entries", "user_id"),
        list_index("time_entries", "task_id"),
        index("time_entries", "invoice_line_id"),
        index("time_entries", "user_id", where="started_at IS NOT NULL", unique=True),
        sort_index("time_entries", "day"),
    )

    project_id: Mapped[UUID]
    task_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    invoice_line_id: Mapped[UUID | None]
    day: Mapped[dt.date]
    minutes: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    note: Mapped[str | None]
    is_billable: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    rate: Mapped[Decimal | None]
    started_at: Mapped[dt.datetime | None]
