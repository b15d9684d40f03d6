"""The PDF of an invoice or a credit note.

Pure: the same facts give the same bytes. The look is in `invoice_document.typ`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from webapp.services.sales.signed_document import fonts

TEMPLATE = Path(__file__).with_name("invoice_document.typ")
UNIT_LABELS = {
    "piece": "", "hour": "h", "day": "days", "month": "months", "kilometre": "km", "flat": "",
}  # fmt: skip
NOTES = {
    "reverse_charge": "Reverse charge: the recipient owes the tax.",
    "exempt": "Exempt from tax.",
}


def render_invoice(view: Mapping[str, Any]) -> bytes:
    """Return the PDF (A4). Amounts in `view` are strings with two decimals, days ISO 8601."""
    import typst

    categories = {group["category"] for group in view["tax_groups"]}
    shown = {
        **view,
        "lines": [
            {
                **line,
                "unit": UNIT_LABELS[line["unit"]],
                "quantity": f"{Decimal(line['quantity']).normalize():f}",
            }
            for line in view["lines"]
        ],
        "tax_notes": [note for category, note in NOTES.items() if category in categories],
        "accent": (view["seller"].get("brand") or {}).get("colour", "#1f4f82"),
    }
    issued = datetime.fromisoformat(view["issued_on"]).replace(tzinfo=UTC)
    # Data goes in beside the template and is parsed there: text is never read as markup.
    pdf = typst.compile(
        str(TEMPLATE),
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={"view": json.dumps(shown)},
        timestamp=int(issued.timestamp()),
    )
    return bytes(pdf)
