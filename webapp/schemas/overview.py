"""The dashboard on the wire (rulings.md, *Dashboard*)."""

from __future__ import annotations

from marshmallow import fields

from models.states import DEAL, ENGAGEMENT
from webapp.schemas.common import Currency, Money, Output, StateLabel, StateNumber


class EngagementGroup(Output):
    status = StateLabel(ENGAGEMENT)
    status_id = StateNumber(ENGAGEMENT)
    health = fields.String()
    count = fields.Integer()
    query = fields.String()


class ReasonGroup(Output):
    kind = fields.String()
    count = fields.Integer()
    query = fields.String()


class OverdueAmount(Output):
    currency = Currency()
    count = fields.Integer()
    amount = Money()


class OverdueInvoices(Output):
    count = fields.Integer()
    amounts = fields.List(fields.Nested(OverdueAmount))
    query = fields.String()


class Counted(Output):
    count = fields.Integer()
    query = fields.String()


class MonthAmount(Output):
    currency = Currency()
    this_month = Money()
    last_month = Money()


class Months(Output):
    """An amount net of tax, this month against the last, for each currency."""

    amounts = fields.List(fields.Nested(MonthAmount))
    query = fields.String()
    last_query = fields.String()


class ForecastAmount(Output):
    """Deals of one currency: their value, and what it comes to by their probability."""

    currency = Currency()
    count = fields.Integer()
    value = Money()
    weighted = Money()
    query = fields.String()


class ForecastStage(Output):
    """The deals of an open stage; `probability` is the stage's, in percent."""

    stage = StateLabel(DEAL)
    stage_id = StateNumber(DEAL)
    probability = fields.Integer()
    count = fields.Integer()
    query = fields.String()
    amounts = fields.List(fields.Nested(ForecastAmount))


class ForecastMonth(Output):
    """The deals that are expected to close in a month; those without a day have none."""

    month = fields.String(allow_none=True, metadata={"examples": ["2026-06"]})
    is_past = fields.Boolean()
    amounts = fields.List(fields.Nested(ForecastAmount))


class ForecastOut(Output):
    """What the open deals may bring; `query` is the path of the list that a number counts."""

    stages = fields.List(fields.Nested(ForecastStage))
    months = fields.List(fields.Nested(ForecastMonth))
    totals = fields.List(fields.Nested(ForecastAmount))
    without_value = fields.Nested(Counted)


class DashboardForecast(Output):
    """What the open deals may bring, as `GET /api/forecast` tells it in full."""

    amounts = fields.List(fields.Nested(ForecastAmount))
    query = fields.String()


class DashboardOut(Output):
    """How the firm is doing; `query` is the path of the list that a number counts."""

    engagements = fields.List(fields.Nested(EngagementGroup))
    health_reasons = fields.List(fields.Nested(ReasonGroup))
    overdue_invoices = fields.Nested(OverdueInvoices)
    overdue_tasks = fields.Nested(Counted)
    signatures_waiting = fields.Nested(Counted)
    signed = fields.Nested(Months)
    billed = fields.Nested(Months)
    forecast = fields.Nested(DashboardForecast)
