"""Proposals, signatures and what they become, on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate, validates_schema

from models.states import PROPOSAL
from webapp.schemas.common import (
    EMAIL,
    NAME_LENGTH,
    Currency,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    WholeNumber,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.crm import CompanyBrief, ContactBrief
from webapp.schemas.taxes import TaxCategory, TaxRate, check_tax
from webapp.schemas.terms import TermsIn, TermsOut

MAX_ITEMS = 200
MAX_SECTIONS = 50
MAX_QUANTITY = 100_000
_QUANTITY = validate.Range(1, MAX_QUANTITY)
_BOUND = {"x-depends-on": "quantity"}


class CompanyInline(Input):
    """A client company in words: the one of this name, or a new one."""

    name = name(required=True)
    website = PlainText(allow_none=True, validate=validate.Length(max=NAME_LENGTH))
    phone = PlainText(allow_none=True, validate=validate.Length(max=50))
    tax_number = PlainText(allow_none=True, validate=validate.Length(max=50))


class ContactInline(Input):
    """A contact in words: the one with this e-mail address, or a new one."""

    first_name = name(required=True)
    last_name = name(required=True)
    email = PlainText(required=True, validate=EMAIL)
    phone = PlainText(allow_none=True, validate=validate.Length(max=50))


class SoldItemIn(Input):
    """What the lines of a proposal and of an order have in common."""

    name = name(required=True)
    description = text()
    price = Money(required=True)
    quantity = WholeNumber(load_default=1, validate=_QUANTITY)
    service_id = reference()
    tax_category = TaxCategory(metadata={"x-depends-on": "tax_rate"})
    tax_rate = TaxRate(metadata={"x-depends-on": "tax_category"})

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_tax(data, "tax_category", "tax_rate")


class ItemIn(SoldItemIn):
    """An item; with bounds the client sets its quantity, and an `optional` one they choose."""

    optional = flag(load_default=False)
    min_quantity = WholeNumber(allow_none=True, validate=_QUANTITY, metadata=_BOUND)
    max_quantity = WholeNumber(allow_none=True, validate=_QUANTITY, metadata=_BOUND)


class SectionIn(Input):
    """A text of the offer before its items; `body` is Markdown."""

    title = name(required=True)
    body = text(allow_none=False, load_default="")


class ProposalChange(Input):
    """The fields of a draft; `items`, when given, replace all its items.

    `discount` is taken off what the items come to; `billing` says how that is invoiced, at once
    where it is not said.
    """

    name = name()
    currency = Currency()
    valid_until = Moment(allow_none=True)
    notes = text()
    client_company_id = reference()
    client_company = fields.Nested(CompanyInline)
    contact_id = reference()
    contact = fields.Nested(ContactInline)
    deal_id = reference()
    engagement_id = reference()
    allow_other_company = flag(
        metadata={"description": "Let it go into an engagement of another company."}
    )
    items = fields.List(fields.Nested(ItemIn), validate=validate.Length(max=MAX_ITEMS))
    discount = Money(metadata={"x-depends-on": "items"})
    sections = fields.List(fields.Nested(SectionIn), validate=validate.Length(max=MAX_SECTIONS))
    billing = fields.Nested(TermsIn, allow_none=True)


class ProposalCreate(ProposalChange):
    name = name(required=True)
    currency = Currency(required=True)


class SoldItemOut(Output):
    """What the lines of a proposal and of an order have in common."""

    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    price = Money()
    quantity = fields.Integer()
    total = Money()
    service_id = fields.UUID(allow_none=True)
    tax_category = fields.String(allow_none=True)
    tax_rate = fields.String(allow_none=True)


class ItemOut(SoldItemOut):
    optional = fields.Boolean()
    min_quantity = fields.Integer(allow_none=True)
    max_quantity = fields.Integer(allow_none=True)


class SectionOut(Output):
    title = fields.String()
    body = fields.String()


class DeliveryOut(Output):
    """What became of the latest mail with the signing link: `delivered` once a mail server has
    taken it, `undeliverable` with the reason in words, `pending` until then."""

    state = fields.String(validate=validate.OneOf(["pending", "delivered", "undeliverable"]))
    to = fields.String()
    at = Moment(allow_none=True)
    reason = fields.String(allow_none=True)


class ProposalOut(Output):
    id = fields.UUID()
    number = fields.String()
    version = fields.Integer()
    name = fields.String()
    status = StateLabel(PROPOSAL)
    status_id = StateNumber(PROPOSAL)
    currency = Currency()
    total = Money()
    discount = Money()
    has_choices = fields.Boolean()
    sections = fields.List(fields.Nested(SectionOut))
    billing = fields.Nested(TermsOut, allow_none=True)
    valid_until = Moment(allow_none=True)
    notes = fields.String(allow_none=True)
    client_company_id = fields.UUID(allow_none=True)
    client_company = fields.Nested(CompanyBrief, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = fields.Nested(ContactBrief, allow_none=True)
    deal_id = fields.UUID(allow_none=True)
    engagement_id = fields.UUID(allow_none=True)
    owner_id = fields.String()
    items = fields.List(fields.Nested(ItemOut))
    content_sha256 = fields.String(allow_none=True)
    sent_at = Moment(allow_none=True)
    delivery = fields.Nested(DeliveryOut, allow_none=True)
    opened_at = Moment(allow_none=True)
    viewed_at = Moment(allow_none=True)
    signed_at = Moment(allow_none=True)
    declined_at = Moment(allow_none=True)
    decline_reason = fields.String(allow_none=True)
    converted_engagement_id = fields.UUID(allow_none=True)
    converted_order_id = fields.UUID(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class SentProposalOut(ProposalOut):
    """What `send` and `resend` answer: `signing_url` is shown this once."""

    signing_url = fields.String()


class ResendIn(Input):
    """Where to send the link; without it to the contact's address as it is now."""

    email = PlainText(validate=EMAIL)


class DeclineIn(Input):
    reason = reason(required=True)
