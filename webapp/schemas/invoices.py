"""Invoices, payments and credit notes on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from models.billing import UNITS
from models.states import INVOICE
from webapp.schemas.common import (
    NAME_LENGTH,
    Currency,
    Day,
    DecimalText,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    check_order,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.crm import CompanyBrief, ContactBrief
from webapp.schemas.taxes import TaxCategory, TaxRate, check_tax

MAX_LINES = 500


def above_zero(value: Decimal) -> None:
    """Raise for an amount of nothing."""
    if value <= 0:
        raise ValidationError("This must be more than zero.")


class Quantity(DecimalText):
    """How many, with up to three decimals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(digits=7, places=3, shown="1.000", **kwargs)
        self.validators.append(above_zero)


class InvoiceLineIn(Input):
    """A line; `discount` is an amount, taken off quantity times price.

    Without a tax of its own it has the organization's default one.
    """

    name = name(required=True)
    description = text()
    quantity = Quantity(load_default=Decimal(1))
    unit = PlainText(load_default="piece", validate=validate.OneOf(UNITS))
    price = Money(required=True)
    discount = Money(load_default=Decimal(0))
    tax_category = TaxCategory()
    tax_rate = TaxRate()

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_tax(data, "tax_category", "tax_rate")


class InvoiceChange(Input):
    """The fields of a draft; `lines`, when given, replace all its lines."""

    engagement_id = reference(allow_none=False)
    client_company_id = reference()
    contact_id = reference()
    order_id = reference()
    currency = Currency()
    issued_on = Day(allow_none=True)
    due_date = Day(allow_none=True)
    service_from = Day(allow_none=True)
    service_until = Day(allow_none=True)
    notes = text()
    tax_exemption_reason = reason()
    lines = fields.List(fields.Nested(InvoiceLineIn), validate=validate.Length(max=MAX_LINES))

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_order(data, "issued_on", "due_date")
        check_order(data, "service_from", "service_until")


class InvoiceCreate(InvoiceChange):
    engagement_id = reference(required=True, allow_none=False)


class TimeToBill(Input):
    """Which time goes onto the draft: up to a day; `rate` is for time without one of its own."""

    until = Day()
    rate = Money()


class WriteOff(Input):
    reason = reason(required=True)


class CreditIn(Input):
    """Of `lines`, or of an `amount` with its tax; of all that is not credited without either."""

    amount = Money(validate=above_zero)
    lines = fields.List(
        fields.Nested(InvoiceLineIn),
        validate=validate.Length(min=1, max=MAX_LINES),
        metadata={"x-depends-on": "amount"},
    )
    reason = reason(required=True)


class PaymentOfInvoice(Input):
    """Money received for one invoice; with `keep_excess` what is too much is kept as credit."""

    amount = Money(required=True, validate=above_zero)
    method = PlainText(load_default="bank_transfer", validate=validate.Length(1, 32))
    reference = PlainText(allow_none=True, validate=validate.Length(1, NAME_LENGTH))
    received_at = Moment()
    keep_excess = flag()


class AllocationIn(Input):
    invoice_id = reference(required=True, allow_none=False)
    amount = Money(required=True, validate=above_zero)


class PaymentIn(PaymentOfInvoice):
    """Money received from a client, and the invoices it settles."""

    currency = Currency(required=True)
    client_company_id = reference(allow_none=False)
    allocations = fields.List(fields.Nested(AllocationIn), validate=validate.Length(max=100))


class CreditUse(Input):
    """Which invoice a payment's credit settles, and how much of it; as much as goes by itself."""

    invoice_id = reference(required=True, allow_none=False)
    amount = Money(validate=above_zero)


class RefundIn(Input):
    amount = Money(required=True, validate=above_zero)
    reason = reason(required=True)
    reference = PlainText(allow_none=True, validate=validate.Length(1, NAME_LENGTH))


class TaxGroup(Output):
    """The tax of one category and rate, on the net sum of its lines; `reason` says why there is
    none, where the law asks for it."""

    category = fields.String()
    rate = fields.String()
    net = fields.String()
    tax = fields.String()
    reason = fields.String()


class LineOut(Output):
    id = fields.UUID()
    name = fields.String()
    quantity = DecimalText(digits=7, places=3, shown="1.000")
    unit = fields.String()
    price = Money()
    discount = Money()
    tax_rate = DecimalText(digits=3, places=2, shown="19.00")
    tax_category = fields.String()
    total = Money()


class InvoiceLineOut(LineOut):
    description = fields.String(allow_none=True)


class AllocationOfInvoice(Output):
    """What a payment has settled of the invoice; below zero where it was taken back."""

    payment_id = fields.UUID()
    amount = fields.String()
    reference = fields.String(allow_none=True)
    allocated_at = Moment()


class CreditNoteBrief(Output):
    id = fields.UUID()
    number = fields.String()
    amount = Money()


class InvoiceOut(Output):
    """An invoice. `open` is what is left to pay; overdue and partially paid are facts beside its
    state. `lines`, `payments` and `credit_notes` are there where one is retrieved."""

    id = fields.UUID()
    number = fields.String(allow_none=True)
    status = StateLabel(INVOICE)
    status_id = StateNumber(INVOICE)
    engagement_id = fields.UUID()
    client_company_id = fields.UUID(allow_none=True)
    client_company = fields.Nested(CompanyBrief, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = fields.Nested(ContactBrief, allow_none=True)
    order_id = fields.UUID(allow_none=True)
    schedule_id = fields.UUID(allow_none=True)
    period = fields.String(allow_none=True)
    currency = Currency()
    subtotal = Money()
    tax = Money()
    total = Money()
    paid = Money()
    credited = Money()
    open = Money()
    is_overdue = fields.Boolean()
    is_partially_paid = fields.Boolean()
    tax_groups = fields.List(fields.Nested(TaxGroup))
    issued_on = Day(allow_none=True)
    due_date = Day(allow_none=True)
    service_from = Day(allow_none=True)
    service_until = Day(allow_none=True)
    notes = fields.String(allow_none=True)
    tax_exemption_reason = fields.String(allow_none=True)
    sent_at = Moment(allow_none=True)
    viewed_at = Moment(allow_none=True)
    paid_at = Moment(allow_none=True)
    voided_at = Moment(allow_none=True)
    written_off_at = Moment(allow_none=True)
    write_off_reason = fields.String(allow_none=True)
    reminders = fields.Integer()
    late_fee_of = fields.UUID(allow_none=True)
    late_fees = fields.Integer()
    created_at = Moment()
    updated_at = Moment()
    lines = fields.List(fields.Nested(InvoiceLineOut))
    payments = fields.List(fields.Nested(AllocationOfInvoice))
    credit_notes = fields.List(fields.Nested(CreditNoteBrief))


class AllocationOut(Output):
    """What the payment has settled of an invoice; below zero where it was taken back."""

    invoice_id = fields.UUID()
    number = fields.String(allow_none=True)
    amount = fields.String()
    allocated_at = Moment()


class RefundOut(Output):
    amount = Money()
    reason = fields.String()
    reference = fields.String(allow_none=True)
    refunded_at = Moment()


class PaymentOut(Output):
    """A payment; `credit` is what of it neither settles an invoice nor went back."""

    id = fields.UUID()
    client_company_id = fields.UUID(allow_none=True)
    amount = Money()
    currency = Currency()
    method = fields.String()
    reference = fields.String(allow_none=True)
    received_at = Moment()
    allocated = Money()
    refunded = Money()
    credit = Money()
    created_at = Moment()
    allocations = fields.List(fields.Nested(AllocationOut))
    refunds = fields.List(fields.Nested(RefundOut))


class CreditNoteOut(Output):
    """A credit note; `amount` is with its tax."""

    id = fields.UUID()
    number = fields.String()
    invoice_id = fields.UUID()
    subtotal = Money()
    tax = Money()
    amount = Money()
    currency = Currency()
    reason = fields.String()
    issued_on = Day()
    created_at = Moment()
    lines = fields.List(fields.Nested(LineOut))


class AgingOut(Output):
    """What is open on a day, by how long it has been overdue, for each currency."""

    currency = Currency()
    current = Money()
    days_1_30 = Money()
    days_31_60 = Money()
    days_61_90 = Money()
    days_over_90 = Money()
    total = Money()


class AgingReport(Output):
    as_of = Day()
    data = fields.List(fields.Nested(AgingOut))


class RevenueOut(Output):
    """What was billed net of tax, what of it was credited, and what that leaves."""

    name = fields.String()
    currency = Currency()
    billed = Money()
    credited = Money()
    revenue = Money()


class RevenueReport(Output):
    data = fields.List(fields.Nested(RevenueOut))


class UnbilledOut(Output):
    """An engagement's unbilled time; `amount` is what it comes to by the rates it has."""

    engagement_id = fields.UUID()
    name = fields.String()
    currency = Currency()
    minutes = fields.Integer()
    amount = Money()
    minutes_without_rate = fields.Integer()


class UnbilledReport(Output):
    data = fields.List(fields.Nested(UnbilledOut))
