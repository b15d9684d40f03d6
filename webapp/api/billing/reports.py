"""Reports about money, as JSON or as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from webapp.api.framework.operations import ApiBlueprint
from webapp.http.responses import ApiResponse
from webapp.schemas.common import Day, Input
from webapp.schemas.invoices import AgingOut, AgingReport
from webapp.services.billing.reports import aging

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
    rows = AgingOut().dump(report["data"], many=True)
    return csv_answer(f"aging-{report['as_of'].isoformat()}", list(AgingOut().fields), rows)


def csv_answer(name: str, columns: list[str], rows: list[dict[str, Any]]) -> ApiResponse:
    """Rows as a CSV file with a header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return ApiResponse(200, text.getvalue().encode(), headers, content_type="text/csv")
