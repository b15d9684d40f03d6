"""Rows as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from webapp.http.responses import ApiResponse
from webapp.schemas.common import Output

# What a spreadsheet would carry out; numbers below zero are none.
_FORMULA = re.compile(r"[=+@\t\r]|-(?!\d+(\.\d+)?$)")


def csv_answer(name: str, schema: Output, rows: list[dict[str, Any]]) -> ApiResponse:
    """Rows as a CSV file with a header line; what begins like a formula gets a `'` before it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(schema.fields))
    writer.writeheader()
    for row in schema.dump(rows, many=True):
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return ApiResponse(200, text.getvalue().encode(), headers, content_type="text/csv")


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
