"""What the firm sells, and the templates that turn a sale into planned work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    at_most,
    currency_form,
    index,
    json_array,
    json_object,
    list_index,
    not_blank,
    purge_index,
)

PRIORITIES = ("low", "normal", "high", "urgent")
PRIORITY_KNOWN = "priority IN ('low', 'normal', 'high', 'urgent')"
# A hundred years. A plan beyond it is a slip, and its days could not be written down.
MAX_DUE_OFFSET_DAYS = 36_500


class ProjectTemplate(Versioned, SoftDeletable, TenantRecord):
    """The plan a new project starts with: its milestones and tasks.

    `phases` says by slug how many days after the start a phase is due, in their order.
    """

    __tablename__ = "project_templates"
    noun = "project_template"
    __table_args__ = (
        not_blank(),
        json_array("phases"),
        list_index("project_templates", live_only=True),
        purge_index("project_templates"),
    )

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    phases: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)


class ProjectTemplateMilestone(TenantRecord):
    """A milestone of a plan, due `due_offset_days` days after the project's start."""

    __tablename__ = "project_template_milestones"
    noun = "project_template_milestone"
    __table_args__ = (
        belongs_to("project_template_id", "project_templates"),
        not_blank(),
        at_least(0, "due_offset_days"),
        at_most(MAX_DUE_OFFSET_DAYS, "due_offset_days"),
        at_least(0, "position"),
        index("project_template_milestones", "project_template_id", "position"),
    )

    project_template_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(255))
    due_offset_days: Mapped[int | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)


class ProjectTemplateTask(TenantRecord):
    """A task of a plan, due `due_offset_days` days after the project's start.

    `depends_on` names the tasks of the plan that it waits for.
    """

    __tablename__ = "project_template_tasks"
    noun = "project_template_task"
    __table_args__ = (
        belongs_to("project_template_id", "project_templates"),
        belongs_to("milestone_id", "project_template_milestones", ondelete="SET NULL"),
        not_blank(),
        CheckConstraint(PRIORITY_KNOWN, name="priority_known"),
        at_least(0, "due_offset_days"),
        at_most(MAX_DUE_OFFSET_DAYS, "due_offset_days"),
        at_least(0, "position"),
        at_least(0, "estimate_minutes"),
        json_array("depends_on"),
        index("project_template_tasks", "project_template_id", "position"),
        index("project_template_tasks", "milestone_id"),
    )

    project_template_id: Mapped[UUID]
    milestone_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    priority: Mapped[str] = mapped_column(String(16), server_default="normal", default="normal")
    due_offset_days: Mapped[int | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    estimate_minutes: Mapped[int | None]
    blocks_phase: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    depends_on: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)


class Service(Versioned, SoftDeletable, TenantRecord):
    """Something the firm sells, at its list price, with the plan its projects start with."""

    __tablename__ = "services"
    noun = "service"
    __table_args__ = (
        belongs_to("project_template_id", "project_templates", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "price"),
        currency_form(),
        list_index("services", live_only=True),
        list_index("services", "is_active", live_only=True),
        index("services", "project_template_id"),
        purge_index("services"),
    )

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    price: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    project_template_id: Mapped[UUID | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)


class EngagementTemplate(Versioned, SoftDeletable, TenantRecord):
    """A set of services that are sold together, and how they are invoiced.

    `schedule` is empty, or holds the kind of an invoice schedule and its terms in days after the
    start. Without a `currency` it is the organization's. With `portal_access` the client's contact
    gets into the portal.
    """

    __tablename__ = "engagement_templates"
    noun = "engagement_template"
    __table_args__ = (
        not_blank(),
        currency_form(),
        json_object("schedule"),
        list_index("engagement_templates", live_only=True),
        purge_index("engagement_templates"),
    )

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    schedule: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )
    portal_access: Mapped[bool] = mapped_column(server_default=text("true"), default=True)


class EngagementTemplateService(TenantRecord):
    """One service of an engagement template, and how many of it: a project of an engagement.

    Its own `name` and `price` stand for the service's; one without a service has both.
    `conversations` are the subjects of the project's conversations.
    """

    __tablename__ = "engagement_template_services"
    noun = "engagement_template_service"
    __table_args__ = (
        belongs_to("engagement_template_id", "engagement_templates"),
        belongs_to("service_id", "services"),
        not_blank(),
        at_least(0, "price"),
        at_least(1, "quantity"),
        at_least(0, "position"),
        json_array("conversations"),
        CheckConstraint(
            "service_id IS NOT NULL OR num_nulls(name, price) = 0", name="named_and_priced"
        ),
        index("engagement_template_services", "engagement_template_id", "position"),
        index("engagement_template_services", "service_id"),
    )

    engagement_template_id: Mapped[UUID]
    service_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    name: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None]
    price: Mapped[Decimal | None]
    quantity: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    conversations: Mapped[list[Any]] = mapped_column(
        JSONB, server_default=text("'[]'"), default=list
    )
