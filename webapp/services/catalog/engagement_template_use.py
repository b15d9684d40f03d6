"""What an engagement template makes: a proposal, or an engagement with all below it.

Source: rulings.md, *Templates*.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.catalog import EngagementTemplate
from models.conversations import Conversation
from models.crm import ClientCompany, Contact, Deal
from models.db.base import MAX_MONEY, TenantRecord, uuid7
from models.db.inserts import insert_together
from models.db.tenancy import current_principal
from models.engagements import Engagement
from models.portal import PortalAccess
from models.projects import Milestone, PhaseChange, PhaseDueDate, Project, Task
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import no_numbers
from webapp.services.billing.schedules import create_schedule, plan_of
from webapp.services.catalog.engagement_templates import (
    currency_of,
    lines_of,
    priced,
    total_of,
)
from webapp.services.catalog.template_schedules import dated, terms
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.previews import taken_back
from webapp.services.common.writes import check_values, create, lock, now, today
from webapp.services.custom_fields.defaults import defaults_of
from webapp.services.projects.plans import demand_start, planned
from webapp.services.sales.drafting import create_proposal

REFERENCES: dict[str, type[TenantRecord]] = {
    "client_company_id": ClientCompany,
    "contact_id": Contact,
    "deal_id": Deal,
}
# So many of a schedule's invoices are told: a recurring one has no end.
TOLD_INVOICES = 12

Lines = Sequence[Mapping[str, Any]]


def apply_template(
    values: Mapping[str, Any],
    engagement_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> dict[str, Any]:
    """Make a draft proposal of the template, or open an engagement; what was made.

    An engagement comes with a project for each line, planned by its service's template, with the
    conversations, the invoice schedule and the contact's way into the portal, all or nothing.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict when the template names a
    service that was deleted, or comes to too much.
    """
    values = dict(values)
    target = values.pop("target")
    template = lock(
        EngagementTemplate,
        engagement_template_id,
        expected_row_version=expected_row_version,
        share=True,
    )
    currency = currency_of(template.currency)
    try:
        lines = priced(lines_of(template), currency)
    except Invalid as error:
        raise Conflict(f"Change the template first. {error}") from error
    if total_of(lines) > MAX_MONEY:
        raise Conflict(f"The services of the template cost more than {MAX_MONEY} together.")
    about = {"name": template.name, **values}
    make = _proposal if target == "proposal" else _engagement
    return {
        "target": target,
        "template_version": template.row_version,
        **make(template, lines, currency, about),
    }


def preview_template(
    values: Mapping[str, Any],
    engagement_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> dict[str, Any]:
    """What applying the template would make: the real thing, done and taken back.

    It has no ids, and takes no number. Raises as `apply_template`.
    """
    with taken_back(), no_numbers():
        made = apply_template(
            values, engagement_template_id, expected_row_version=expected_row_version
        )
    if made.get("proposal"):
        made["proposal"]["number"] = None
    shown: dict[str, Any] = _without_ids(made)
    return shown


def _proposal(
    template: EngagementTemplate, lines: Lines, currency: str, about: Mapping[str, Any]
) -> dict[str, Any]:
    if "starts_on" in about:
        raise Invalid({"starts_on": ["A proposal's work starts when it is signed."]})
    names = ("name", "description", "price", "quantity", "service_id")
    proposal = create_proposal(
        {
            **about,
            "currency": currency,
            "items": [{name: line[name] for name in names} for line in lines],
            "billing": terms(template.schedule),
        }
    )
    _tell(proposal, template)
    told = {name: getattr(proposal, name) for name in ("id", "number", "name", "total", "currency")}
    items = [
        {
            "name": line["name"],
            "price": line["price"],
            "quantity": line["quantity"],
            "total": line["price"] * line["quantity"],
            "service_id": line["service_id"],
        }
        for line in lines
    ]
    return {"proposal": {**told, "billing": proposal.billing, "items": items}}


def _engagement(
    template: EngagementTemplate, lines: Lines, currency: str, about: Mapping[str, Any]
) -> dict[str, Any]:
    about = dict(about)
    starts_on = about.pop("starts_on", None) or today()
    demand_start(starts_on)
    check_values(about, REFERENCES)
    defaults = defaults_of("engagement", "project")
    total = total_of(lines)
    engagement = create(
        Engagement(
            id=uuid7(),
            owner_id=current_principal().actor["id"],
            start_date=starts_on,
            total_value=total,
            currency=currency,
            custom_fields=defaults["engagement"],
            **about,
        )
    )
    projects = _projects(engagement, lines, starts_on, defaults["project"])
    conversations = [
        Conversation(id=uuid7(), project_id=project.id, subject=subject)
        for project, line in zip(projects, lines, strict=True)
        for subject in line["conversations"] or [project.name]
    ]
    plans = planned(projects, starts_on)
    access = []
    if template.portal_access and engagement.contact_id is not None:
        access = [PortalAccess(engagement_id=engagement.id, contact_id=engagement.contact_id)]
    insert_together([*projects, *_first_steps(projects), *conversations, *plans, *access])
    for project in projects:
        record_activity(project, "created", to=PHASE.initial)
    _tell(engagement, template)
    return {
        "engagement": {
            name: getattr(engagement, name)
            for name in ("id", "name", "start_date", "total_value", "currency")
        },
        "projects": [_told_project(project, [*plans, *conversations]) for project in projects],
        "schedule": _schedule(template, engagement, starts_on, total),
        "portal_access": {"contact_id": engagement.contact_id} if access else None,
    }


def _projects(
    engagement: Engagement, lines: Lines, starts_on: dt.date, custom_fields: Mapping[str, Any]
) -> list[Project]:
    """One project per line, at Kickoff."""
    return [
        Project(
            id=uuid7(),
            engagement_id=engagement.id,
            service_id=line["service_id"],
            name=line["name"],
            description=line["description"],
            status="active",
            phase=PHASE.initial,
            start_date=starts_on,
            custom_fields=dict(custom_fields),
        )
        for line in lines
    ]


def _first_steps(projects: Sequence[Project]) -> list[PhaseChange]:
    actor = current_principal().actor
    return [
        PhaseChange(project_id=project.id, to_phase=PHASE.initial, actor=actor, changed_at=now())
        for project in projects
    ]


def _schedule(
    template: EngagementTemplate, engagement: Engagement, starts_on: dt.date, total: Decimal
) -> dict[str, Any] | None:
    """The engagement's schedule; none where the template has none, or there is nothing to bill."""
    if not template.schedule:
        return None
    values = dated(template.schedule, starts_on, total)
    if not values["amount"]:
        return None
    schedule = create_schedule(
        {**values, "engagement_id": engagement.id, "currency": engagement.currency}
    )
    coming = itertools.islice(plan_of(schedule).parts(), TOLD_INVOICES)
    names = ("id", "name", "kind", "currency", "amount", "starts_on", "ends_on")
    return {
        **{name: getattr(schedule, name) for name in names},
        "invoices": [
            {"date": part.on, "amount": part.amount, "name": part.name} for part in coming
        ],
    }


def _told_project(project: Project, below: Sequence[TenantRecord]) -> dict[str, Any]:
    own: list[Any] = [each for each in below if getattr(each, "project_id", None) == project.id]
    planned_names = ("id", "name", "due_date")
    return {
        **{name: getattr(project, name) for name in ("id", "name", "service_id", "start_date")},
        "phases": _pick(own, PhaseDueDate, ("phase", "due_date")),
        "milestones": _pick(own, Milestone, planned_names),
        "tasks": _pick(own, Task, planned_names),
        "conversations": _pick(own, Conversation, ("id", "subject")),
    }


def _pick(records: Sequence[Any], kind: type[TenantRecord], names: Sequence[str]) -> list[Any]:
    return [
        {name: getattr(record, name) for name in names}
        for record in records
        if isinstance(record, kind)
    ]


def _tell(record: TenantRecord, template: EngagementTemplate) -> None:
    told = {"template": str(template.id), "version": template.row_version}
    record_activity(record, "template_applied", metadata=told)


def _without_ids(made: Any) -> Any:
    if isinstance(made, dict):
        return {name: None if name == "id" else _without_ids(value) for name, value in made.items()}
    if isinstance(made, list):
        return [_without_ids(each) for each in made]
    return made
