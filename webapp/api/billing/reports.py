"""Reports about money and deals, as JSON or as CSV for a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import validate
from webargs.fields import DelimitedList

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.tables import csv_answer
from webapp.http.responses import ApiResponse
from webapp.schemas.common import Day, Input, PlainText
from webapp.schemas.crm import LostDealsOut, LostDealsReport
from webapp.schemas.invoices import (
    AgingOut,
    AgingReport,
    RevenueOut,
    RevenueReport,
    UnbilledOut,
    UnbilledReport,
)
from webapp.services.billing.reports import aging, revenue, unbilled_work
from webapp.services.crm.reports import BY, lost_deals

blueprint = ApiBlueprint(
    "reports", "/api/reports", description="What money, time and deals amount to."
)


class AgingQuery(Input):
    as_of = Day()


@blueprint.operation("GET", "/aging", permission="billing:read", query=AgingQuery, out=AgingReport)
def get_aging_report(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell what is open on a day, by how long it has been overdue"""
    return aging(query.get("as_of"))


@blueprint.operation(
    "GET", "/aging.csv", permission="billing:read", query=AgingQuery, content_type="text/csv"
)
def get_aging_report_csv(query: Mapping[str, Any]) -> ApiResponse:
    """Tell what is open on a day, as a table for a spreadsheet"""
    report = aging(query.get("as_of"))
    return csv_answer(f"aging-{report['as_of'].isoformat()}", AgingOut(), report["data"])


class RevenueQuery(Input):
    by = PlainText(load_default="month", validate=validate.OneOf(["month", "client", "service"]))
    issued_from = Day(required=True)
    issued_until = Day(required=True)


@blueprint.operation(
    "GET", "/revenue", permission="billing:read", query=RevenueQuery, out=RevenueReport
)
def get_revenue_report(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell what was billed, by month, client or service"""
    return {"data": revenue(**query)}


@blueprint.operation(
    "GET", "/revenue.csv", permission="billing:read", query=RevenueQuery, content_type="text/csv"
)
def get_revenue_report_csv(query: Mapping[str, Any]) -> ApiResponse:
    """Tell what was billed, as a table for a spreadsheet"""
    return csv_answer(f"revenue-by-{query['by']}", RevenueOut(), revenue(**query))


@blueprint.operation("GET", "/unbilled", permission="billing:read", out=UnbilledReport)
def get_unbilled_report() -> Mapping[str, Any]:
    """Tell the billable time that no invoice has"""
    return {"data": unbilled_work()}


@blueprint.operation("GET", "/unbilled.csv", permission="billing:read", content_type="text/csv")
def get_unbilled_report_csv() -> ApiResponse:
    """Tell the unbilled time, as a table for a spreadsheet"""
    return csv_answer("unbilled", UnbilledOut(), unbilled_work())


class LostDealsQuery(Input):
    by = DelimitedList(PlainText(validate=validate.OneOf(BY)), load_default=list(BY))
    lost_from = Day()
    lost_until = Day()


@blueprint.operation(
    "GET", "/lost-deals", permission="crm:read", query=LostDealsQuery, out=LostDealsReport
)
def get_lost_deals_report(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell why deals were lost, from which stage, and when"""
    return {"data": lost_deals(**query)}


@blueprint.operation(
    "GET", "/lost-deals.csv", permission="crm:read", query=LostDealsQuery, content_type="text/csv"
)
def get_lost_deals_report_csv(query: Mapping[str, Any]) -> ApiResponse:
    """Tell why deals were lost, as a table for a spreadsheet"""
    return csv_answer("lost-deals", LostDealsOut(), lost_deals(**query))
