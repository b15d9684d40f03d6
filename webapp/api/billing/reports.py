"""Reports about money, as JSON or as CSV for a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.tables import csv_answer
from webapp.http.responses import ApiResponse
from webapp.schemas.common import Day, Input, PlainText
from webapp.schemas.invoices import (
    AgingOut,
    AgingReport,
    RevenueOut,
    RevenueReport,
    UnbilledOut,
    UnbilledReport,
)
from webapp.services.billing.reports import aging, revenue, unbilled_work

blueprint = ApiBlueprint("reports", "/api/reports", description="What the money amounts to.")


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
