"""Engagement templates: what is sold together, made and changed (rulings.md, *Templates*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB

from models.catalog import EngagementTemplate, EngagementTemplateService, Service
from models.db.base import db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from webapp.services.catalog.template_schedules import kept
from webapp.services.common.exceptions import Invalid
from webapp.services.common.reads import RecordQuery, aggregate
from webapp.services.common.writes import change, create, lock, trash
from webapp.services.identity.organization import organization

_LINES = (
    select(EngagementTemplateService)
    .outerjoin(
        Service,
        (Service.organization_id == EngagementTemplateService.organization_id)
        & (Service.id == EngagementTemplateService.service_id),
    )
    .where(
        EngagementTemplateService.organization_id == EngagementTemplate.organization_id,
        EngagementTemplateService.engagement_template_id == EngagementTemplate.id,
    )
    .correlate(EngagementTemplate)
)
ENGAGEMENT_TEMPLATES = RecordQuery(
    EngagementTemplate,
    domain="catalog",
    noun="engagement template",
    # None where the column has an empty object.
    deferred=("schedule",),
    extra={"schedule": func.nullif(EngagementTemplate.schedule, text("'{}'"), type_=JSONB)},
    children={
        "services": aggregate(
            _LINES,
            (EngagementTemplateService.position, EngagementTemplateService.id),
            service_id=EngagementTemplateService.service_id,
            name=EngagementTemplateService.name,
            description=EngagementTemplateService.description,
            price=cast(EngagementTemplateService.price, Text),
            quantity=EngagementTemplateService.quantity,
            conversations=EngagementTemplateService.conversations,
            project_template_id=Service.project_template_id,
        )
    },
)


def create_template(values: Mapping[str, Any]) -> EngagementTemplate:
    """Make an engagement template. Raises Invalid naming the fields."""
    values = dict(values)
    services = values.pop("services", [])
    values["schedule"] = kept(values.pop("schedule", None))
    _check(services, values.get("currency"))
    template = create(EngagementTemplate(id=uuid7(), **values))
    _write(template, services)
    return template


def update_template(
    values: Mapping[str, Any],
    engagement_template_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> EngagementTemplate:
    """Change a template; given `services` replace all. What it was applied to stays as it is.

    Raises NotFound, StaleVersion, Invalid naming the fields.
    """
    values = dict(values)
    template = lock(
        EngagementTemplate, engagement_template_id, expected_row_version=expected_row_version
    )
    services = values.pop("services", None)
    if "schedule" in values:
        values["schedule"] = kept(values["schedule"])
    if services is not None or "currency" in values:
        lines = lines_of(template) if services is None else services
        _check(lines, values.get("currency", template.currency))
    change(template, values, children=() if services is None else ("services",))
    if services is not None:
        db.session.execute(
            delete(EngagementTemplateService)
            .where(
                EngagementTemplateService.organization_id == template.organization_id,
                EngagementTemplateService.engagement_template_id == template.id,
            )
            .execution_options(synchronize_session=False)
        )
        _write(template, services)
    return template


def trash_template(
    engagement_template_id: UUID, *, expected_row_version: int | None = None
) -> None:
    """Soft-delete a template; what it was applied to goes on. Raises NotFound, StaleVersion."""
    trash(
        lock(EngagementTemplate, engagement_template_id, expected_row_version=expected_row_version)
    )


def lines_of(template: EngagementTemplate) -> list[dict[str, Any]]:
    """The template's lines as they were given, in their order."""
    names = ("service_id", "name", "description", "price", "quantity", "conversations")
    found = db.session.scalars(
        select(EngagementTemplateService)
        .where(
            EngagementTemplateService.organization_id == template.organization_id,
            EngagementTemplateService.engagement_template_id == template.id,
        )
        .order_by(EngagementTemplateService.position, EngagementTemplateService.id)
    )
    return [{name: getattr(line, name) for name in names} for line in found]


def currency_of(template_currency: str | None) -> str:
    """The template's currency, or else the organization's."""
    return template_currency or str(organization()["currency"])


def priced(lines: Sequence[Mapping[str, Any]], currency: str) -> list[dict[str, Any]]:
    """The lines with what they leave to their services: name, description and price.

    Raises Invalid naming each line whose service is not there (any more), or whose price is in
    another currency.
    """
    wanted = {line["service_id"] for line in lines if line.get("service_id")}
    found = {
        service.id: service
        for service in db.session.scalars(
            select(Service).where(
                Service.organization_id == current_organization_id(),
                Service.id.in_(wanted),
                Service.deleted_at.is_(None),
            )
        )
    }
    errors: dict[str, list[str]] = {}
    complete = []
    for n, line in enumerate(lines):
        service_id = line.get("service_id")
        service = found.get(service_id) if service_id is not None else None
        if service is None and service_id is not None:
            errors[f"services.{n}.service_id"] = ["There is no service with this id."]
            continue
        for name in ("name", "price"):
            if service is None and line.get(name) is None:
                errors[f"services.{n}.{name}"] = ["A line without a service needs this."]
        if line.get("price") is None and service is not None and service.currency != currency:
            errors[f"services.{n}.price"] = [
                f"The service's price is in {service.currency}; say one in {currency}."
            ]
        told = {
            name: getattr(service, name, None) if line.get(name) is None else line[name]
            for name in ("name", "description", "price")
        }
        complete.append({**line, "quantity": line.get("quantity", 1), **told})
    if errors:
        raise Invalid(errors)
    return complete


def total_of(lines: Sequence[Mapping[str, Any]]) -> Decimal:
    """What priced lines cost together."""
    return sum((line["price"] * line["quantity"] for line in lines), Decimal(0))


def _check(services: Sequence[Mapping[str, Any]], currency: str | None) -> None:
    if services:
        priced(services, currency_of(currency))


def _write(template: EngagementTemplate, services: Sequence[Mapping[str, Any]]) -> None:
    insert_records(
        [
            EngagementTemplateService(
                id=uuid7(), engagement_template_id=template.id, position=n, **line
            )
            for n, line in enumerate(services)
        ]
    )
