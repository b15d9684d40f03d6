"""The payment code of an invoice: a QR code that a banking app makes a SEPA transfer of.

Source: EPC069-12, *Quick Response Code: guidelines to enable data capture for the initiation of a
SEPA credit transfer*, version 002.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import case, or_, select

from models.billing import Invoice
from models.db.queries import CompiledQuery, bound
from webapp.services.billing.einvoice_codes import number_text
from webapp.services.common.exceptions import NotFound

LEAST, MOST = Decimal("0.01"), Decimal("999999999.99")
# The whole code holds 331 bytes, of which all but the name take at most 112.
NAME_CHARACTERS, NAME_BYTES = 70, 200


def payment_code(
    bank: Mapping[str, Any] | None, currency: str, amount: Decimal, number: str
) -> str | None:
    """The code as SVG, which asks for the amount to the bank account with the invoice's number.

    None without a bank account, in another currency than the euro, or where nothing is asked for.
    """
    if bank is None or currency != "EUR" or not LEAST <= amount <= MOST:
        return None
    import segno.helpers  # few processes draw one

    name = " ".join(bank["holder"].split())[:NAME_CHARACTERS]
    code = segno.helpers.make_epc_qr(
        name=name.encode()[:NAME_BYTES].decode(errors="ignore"),
        iban=number_text(bank["iban"]),
        bic=bank.get("bic"),
        amount=amount,
        text=number,
        encoding="utf-8",
    )
    svg = io.BytesIO()
    code.save(svg, kind="svg", xmldecl=False, svgclass=None, lineclass=None, omitsize=True)
    return svg.getvalue().decode()


def payment_code_of(invoice_id: UUID) -> str:
    """The code of what is open of an invoice now, as SVG. Raises NotFound, also without one."""
    row = _INVOICE.one(id=invoice_id)
    if row is None:
        raise NotFound("There is no invoice with this id.")
    bank = (row["seller"] or {}).get("bank")
    code = payment_code(bank, row["currency"], row["open"], row["number"])
    if code is None:
        raise NotFound("A payment code is for what is open in euro, to a bank account on file.")
    return code


_OPEN = or_(Invoice.status == "open", Invoice.status == "uncollectible")
_INVOICE = CompiledQuery.of(
    select(
        Invoice.number,
        Invoice.currency,
        Invoice.seller,
        case((_OPEN, Invoice.total - Invoice.paid - Invoice.credited), else_=0).label("open"),
    ).where(Invoice.id == bound("id", Invoice.id.type))
)
