"""What the firm sells, on the wire."""

from __future__ import annotations

from marshmallow import fields

from webapp.schemas.common import (
    Currency,
    Input,
    Moment,
    Money,
    Output,
    flag,
    name,
    reference,
    text,
)


class ServiceChange(Input):
    name = name()
    description = text()
    price = Money()
    currency = Currency()
    project_template_id = reference()
    is_active = flag()


class ServiceCreate(ServiceChange):
    name = name(required=True)
    price = Money(required=True)
    currency = Currency(required=True)


class ServiceOut(Output):
    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    price = Money()
    currency = Currency()
    project_template_id = fields.UUID(allow_none=True)
    is_active = fields.Boolean()
    created_at = Moment()
    updated_at = Moment()


class ServiceBrief(Output):
    id = fields.UUID()
    name = fields.String()
