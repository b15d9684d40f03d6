"""Companies, contacts and deals on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from models.states import DEAL
from webapp.schemas.common import (
    EMAIL,
    NAME,
    NAME_LENGTH,
    Currency,
    Day,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    Related,
    StateIn,
    StateLabel,
    StateNumber,
    WholeNumber,
    name,
    reason,
    reference,
    text,
    url,
)


def line(length: int = NAME_LENGTH) -> PlainText:
    """An optional text of one line."""
    return PlainText(allow_none=True, validate=validate.Length(max=length))


class CompanyBrief(Output):
    id = fields.UUID()
    name = fields.String()


class ContactBrief(Output):
    id = fields.UUID()
    first_name = fields.String()
    last_name = fields.String()
    email = fields.String(allow_none=True)


class Address(Input):
    """A postal address; every part is optional."""

    line1 = line()
    line2 = line()
    postal_code = line(32)
    city = line()
    region = line()
    country = line()


class AddressOut(Output):
    line1 = fields.String(allow_none=True)
    line2 = fields.String(allow_none=True)
    postal_code = fields.String(allow_none=True)
    city = fields.String(allow_none=True)
    region = fields.String(allow_none=True)
    country = fields.String(allow_none=True)


class CompanyChange(Input):
    """The fields of a company; `address`, when given, replaces the whole address."""

    name = name()
    website = url()
    phone = line(64)
    tax_number = line(64)
    address = fields.Nested(Address, allow_none=True)
    notes = text()
    custom_fields = fields.Dict(keys=PlainText())


class CompanyCreate(CompanyChange):
    name = name(required=True)


class CompanyOut(Output):
    id = fields.UUID()
    name = fields.String()
    website = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    tax_number = fields.String(allow_none=True)
    address = fields.Nested(AddressOut, allow_none=True)
    notes = fields.String(allow_none=True)
    custom_fields = fields.Dict()
    created_at = Moment()
    updated_at = Moment()


class ContactChange(Input):
    """The fields of a contact; no two living contacts share an e-mail address."""

    client_company_id = reference()
    first_name = name()
    last_name = PlainText(validate=validate.Length(max=NAME_LENGTH))
    email = PlainText(allow_none=True, validate=EMAIL)
    phone = line(64)
    title = line()
    custom_fields = fields.Dict(keys=PlainText())


class ContactCreate(ContactChange):
    first_name = name(required=True)


class ContactOut(Output):
    id = fields.UUID()
    client_company_id = fields.UUID(allow_none=True)
    client_company = Related(CompanyBrief, whole=CompanyOut, allow_none=True)
    first_name = fields.String()
    last_name = fields.String()
    email = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    custom_fields = fields.Dict()
    created_at = Moment()
    updated_at = Moment()


class DealChange(Input):
    """The fields of a deal. `stage` moves it; only a signature wins it, and losing it takes a
    `lost_reason`. `probability`, in percent, stands for that of its stage."""

    name = name()
    client_company_id = reference()
    contact_id = reference()
    owner_id = PlainText(validate=NAME)
    stage = StateIn(DEAL)
    value = Money(allow_none=True)
    currency = Currency(allow_none=True)
    probability = WholeNumber(allow_none=True, validate=validate.Range(0, 100))
    expected_close_date = Day(allow_none=True)
    lost_reason = reason()
    custom_fields = fields.Dict(keys=PlainText())


class DealCreate(DealChange):
    name = name(required=True)


class DealOut(Output):
    id = fields.UUID()
    name = fields.String()
    client_company_id = fields.UUID(allow_none=True)
    client_company = Related(CompanyBrief, whole=CompanyOut, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = Related(ContactBrief, whole=ContactOut, allow_none=True)
    owner_id = fields.String()
    stage = StateLabel(DEAL)
    stage_id = StateNumber(DEAL)
    stage_since = Moment()
    value = Money(allow_none=True)
    currency = Currency(allow_none=True)
    probability = fields.Integer(allow_none=True)
    expected_close_date = Day(allow_none=True)
    lost_reason = fields.String(allow_none=True)
    lost_from = StateLabel(DEAL, allow_none=True)
    custom_fields = fields.Dict()
    created_at = Moment()
    updated_at = Moment()
    closed_at = Moment(allow_none=True)


class LostDealsOut(Output):
    """Deals that were lost; one that was never in another stage was lost from none."""

    reason = fields.String(allow_none=True)
    stage = StateLabel(DEAL, allow_none=True)
    month = fields.String(allow_none=True, metadata={"examples": ["2026-06"]})
    currency = Currency(allow_none=True)
    count = fields.Integer()
    value = Money(allow_none=True)


class LostDealsReport(Output):
    data = fields.List(fields.Nested(LostDealsOut))
