"""Organizations on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from marshmallow import ValidationError, fields, post_load, validate, validates_schema
from stdnum import bic, iban
from stdnum.eu import vat
from stdnum.exceptions import ValidationError as WrongNumber

from models.identity import MAX_LINK_DAYS, WEEKDAYS
from webapp.schemas.common import (
    Currency,
    DecimalText,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    WholeNumber,
    name,
    reason,
    text,
)
from webapp.schemas.taxes import TaxCategory, TaxRate, check_tax

_TIME = validate.Regexp(
    r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)", error='Send a time of day such as "09:00".'
)


def _known_timezone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError('Send a name such as "Europe/Berlin".')


def _iban(value: str) -> None:
    try:
        iban.validate(value)
    except WrongNumber as error:
        raise ValidationError("This is not an IBAN; check its digits.") from error


def _bic(value: str) -> None:
    try:
        bic.validate(value)
    except WrongNumber as error:
        raise ValidationError("This is not a BIC; it has 8 or 11 characters.") from error


def _tax_id(value: str) -> None:
    """A VAT identifier of the EU is checked; other numbers of a tax office are as they are."""
    country = value[:2]
    if country in _VAT_COUNTRIES and not vat.is_valid(value):
        raise ValidationError(f"This is no VAT identifier of {country}; check its digits.")


_VAT_COUNTRIES = frozenset(code.upper() for code in vat.MEMBER_STATES) | {"EL"}


def _known_region(value: str) -> None:
    import holidays  # takes long to load, and few need it

    country, _, subdivision = value.partition("-")
    known = holidays.list_supported_countries()
    if country not in known or (subdivision and subdivision not in known[country]):
        raise ValidationError('Send a country, or a part of it, such as "DE" or "DE-BY".')


class OrganizationAddress(Input):
    """A postal address; `country` is its ISO 3166 code of two letters."""

    line1 = name(required=True)
    line2 = PlainText(allow_none=True, validate=validate.Length(max=255))
    postal_code = PlainText(required=True, validate=validate.Length(1, 16))
    city = name(required=True)
    country = PlainText(
        required=True,
        validate=validate.Regexp(r"^[A-Z]{2}$(?!\n)", error='Send two capital letters, as "DE".'),
        metadata={"examples": ["DE"]},
    )


class Bank(Input):
    """Where clients pay to."""

    holder = name(required=True)
    iban = PlainText(
        required=True,
        validate=[validate.Length(max=42), _iban],
        metadata={"examples": ["DE89 3704 0044 0532 0130 00"]},
    )
    bic = PlainText(
        allow_none=True,
        validate=[validate.Length(max=11), _bic],
        metadata={"examples": ["COBADEFFXXX"]},
    )


class Brand(Input):
    colour = PlainText(
        validate=validate.Regexp(
            r"^#[0-9a-fA-F]{6}$(?!\n)", error='Send a colour such as "#1f4f82".'
        ),
        metadata={"examples": ["#1f4f82"]},
    )


class WorkingDay(fields.List):
    """The working hours of a weekday: pairs of times, in order, none into another."""

    def __init__(self) -> None:
        pair = fields.List(PlainText(validate=_TIME), validate=validate.Length(equal=2))
        shown = {"examples": [[["09:00", "12:30"], ["13:30", "17:00"]]]}
        super().__init__(pair, validate=validate.Length(max=4), metadata=shown)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        intervals: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        ends = [time for pair in intervals for time in pair]
        if ends and ends[-1] == "00:00":
            ends[-1] = "24:00"
        if ends != sorted(set(ends)):
            raise ValidationError("Send the hours in order; each ends after it begins.")
        return intervals


WorkingHours: Any = Input.from_dict({day: WorkingDay() for day in WEEKDAYS}, name="WorkingHours")


class Thresholds(Input):
    """From when on something counts against an engagement's health (rulings.md, *Health*)."""

    idle_days = WholeNumber(validate=validate.Range(1, 365))
    unanswered_hours = WholeNumber(validate=validate.Range(1, 1000))
    contract_ending_days = WholeNumber(validate=validate.Range(0, 365))
    at_risk_days = WholeNumber(validate=validate.Range(1, 365))


class StageProbabilities(Input):
    """How likely a deal in this stage is won, in percent (rulings.md, *Forecast*)."""

    lead = WholeNumber(validate=validate.Range(0, 100))
    qualified = WholeNumber(validate=validate.Range(0, 100))
    proposal = WholeNumber(validate=validate.Range(0, 100))
    negotiation = WholeNumber(validate=validate.Range(0, 100))


# Letters, digits and signs between the year, which may be left out, and the number.
_NUMBER_PATTERN = validate.Regexp(
    r"^(?:[A-Za-z0-9/._ -]|\{year\})*\{n(?::0[1-9])?\}(?:[A-Za-z0-9/._ -]|\{year\})*$(?!\n)",
    error='Send a pattern with the number, such as "{{year}}-{{n:05}}".',
)


class DefaultTax(Input):
    """How a line is taxed that does not say so itself."""

    category = TaxCategory(required=True)
    rate = TaxRate(required=True)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_tax(data, "category", "rate")

    @post_load
    def as_text(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """As it is kept: JSON has no decimals."""
        return {**data, "rate": f"{data['rate']:.2f}"}


class LateFee(Input):
    """What is charged for an invoice so many days overdue: interest a year, or an amount once."""

    after_days = WholeNumber(required=True, validate=validate.Range(1, 365))
    percent = DecimalText(
        digits=3,
        places=2,
        shown="9.00",
        validate=validate.Range(Decimal("0.01"), Decimal(100), error="More than 0, at most 100."),
        metadata={"x-depends-on": "amount"},
    )
    amount = Money(
        validate=validate.Range(Decimal("0.01"), error="This must be more than zero."),
        metadata={"x-depends-on": "percent"},
    )

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if ("percent" in data) == ("amount" in data):
            raise ValidationError({"amount": ["Give either a percentage a year or an amount."]})

    @post_load
    def as_text(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """As it is kept: JSON has no decimals."""
        return {
            name: f"{value:.2f}" if isinstance(value, Decimal) else value
            for name, value in data.items()
        }


class OrganizationChange(Input):
    """What an organization may set."""

    name = name()
    slug = PlainText(
        validate=[
            validate.Length(1, 63),
            validate.Regexp(
                r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)",
                error="Send lower-case letters, digits, and hyphens between them.",
            ),
        ]
    )
    timezone = PlainText(
        validate=[validate.Length(max=64), _known_timezone],
        metadata={"examples": ["Europe/Berlin"]},
    )
    currency = Currency()
    tax_id = PlainText(
        allow_none=True,
        validate=[validate.Length(1, 32), _tax_id],
        metadata={"examples": ["DE136695976"]},
    )
    address = fields.Nested(OrganizationAddress, allow_none=True)
    bank = fields.Nested(Bank, allow_none=True)
    brand = fields.Nested(Brand)
    link_days = WholeNumber(validate=validate.Range(1, MAX_LINK_DAYS))
    retention_days = WholeNumber(validate=validate.Range(1, 3650))
    financial_retention_years = WholeNumber(validate=validate.Range(1, 99))
    default_tax = fields.Nested(DefaultTax)
    payment_days = WholeNumber(validate=validate.Range(0, 365))
    payment_terms = text()
    tax_exemption_reason = reason()
    invoice_number_pattern = PlainText(
        validate=[validate.Length(1, 32), _NUMBER_PATTERN],
        metadata={"examples": ["{year}-{n:05}"]},
    )
    reminder_days = fields.List(
        WholeNumber(validate=validate.Range(1, 365)), validate=validate.Length(max=5)
    )
    late_fee = fields.Nested(LateFee, allow_none=True)
    working_hours = fields.Nested(WorkingHours)
    holidays_region = PlainText(
        allow_none=True,
        validate=[validate.Length(2, 8), _known_region],
        metadata={"examples": ["DE-BE"]},
    )
    thresholds = fields.Nested(Thresholds)
    stage_probabilities = fields.Nested(StageProbabilities)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        steps = data.get("reminder_days", [])
        if steps != sorted(set(steps)):
            raise ValidationError({"reminder_days": ["Send the days in order, each once."]})


class OrganizationOut(Output):
    """An organization with all it has set, and the defaults of what it has not."""

    id = fields.UUID()
    slug = fields.String()
    name = fields.String()
    timezone = fields.String()
    currency = fields.String()
    tax_id = fields.String(allow_none=True)
    address = fields.Nested(OrganizationAddress, allow_none=True)
    bank = fields.Nested(Bank, allow_none=True)
    brand = fields.Nested(Brand)
    link_days = fields.Integer()
    retention_days = fields.Integer()
    financial_retention_years = fields.Integer()
    default_tax = fields.Nested(DefaultTax)
    payment_days = fields.Integer()
    payment_terms = fields.String(allow_none=True)
    tax_exemption_reason = fields.String(allow_none=True)
    invoice_number_pattern = fields.String()
    reminder_days = fields.List(fields.Integer())
    late_fee = fields.Nested(LateFee, allow_none=True)
    working_hours = fields.Dict()
    holidays_region = fields.String(allow_none=True)
    thresholds = fields.Nested(Thresholds)
    stage_probabilities = fields.Nested(StageProbabilities)
    created_at = Moment()
    updated_at = Moment()
