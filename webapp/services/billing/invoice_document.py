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

from webapp.services.billing.facturx import FILE_NAME, with_metadata
from webapp.services.billing.payment_code import payment_code
from webapp.services.sales.signed_document import fonts

TEMPLATE = Path(__file__).with_name("invoice_document.typ")
UNIT_LABELS = {
    "piece": "", "hour": "h", "day": "days", "month": "months", "kilometre": "km", "flat": "",
}  # fmt: skip
# What typst says of a character without a glyph, which PDF/A does not allow.
NOT_SHOWN = "could not be displayed"


def render_invoice(view: Mapping[str, Any], xml: bytes | None) -> bytes:
    """Return the PDF (A4). Amounts in `view` are strings with two decimals, days ISO 8601.

    It is PDF/A-3, and Factur-X when there is `xml`, its e-invoice, which is attached. A text that
    the fonts cannot show keeps it from being either; then it is a plain PDF that carries the XML.
    """
    import typst

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
        "tax_notes": [group["reason"] for group in view["tax_groups"] if "reason" in group],
        "payment_code": None
        if view["kind"] == "credit_note"
        else payment_code(
            view["seller"]["bank"], view["currency"], Decimal(view["total"]), view["number"]
        ),
        "attached": {"name": FILE_NAME, "xml": xml.decode()} if xml else None,
        "accent": (view["seller"].get("brand") or {}).get("colour", "#1f4f82"),
    }
    issued = datetime.fromisoformat(view["issued_on"]).replace(tzinfo=UTC)
    # Data goes in beside the template and is parsed there: text is never read as markup.

    def compiled(*, archival: bool) -> bytes:
        pdf = typst.compile(
            str(TEMPLATE),
            font_paths=fonts(),
            ignore_system_fonts=True,
            sys_inputs={"view": json.dumps(shown)},
            timestamp=int(issued.timestamp()),
            pdf_standards="a-3b" if archival else None,
        )
        return bytes(pdf)

    try:
        pdf = compiled(archival=True)
    except typst.TypstError as error:
        if NOT_SHOWN not in str(error):
            raise
        return compiled(archival=False)
    return with_metadata(pdf) if xml else pdf
