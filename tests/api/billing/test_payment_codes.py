"""The payment code of an invoice: what a banking app reads from it (EPC069-12)."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pypdf
import pytest

from tests.support import qr
from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant
from webapp.services.billing.payment_code import payment_code

IBAN = "DE89370400440532013000"
BANK = {"holder": "Juniper Ltd", "iban": "DE89 3704 0044 0532 0130 00"}


def transfer(number: str, amount: str, bic: str = "", name: str = "Juniper") -> str:
    """What the code says: a line for each fact, the empty ones for what is not told."""
    return "\n".join(["BCD", "002", "1", "SCT", bic, name, IBAN, f"EUR{amount}", "", "", number])


def path(invoice: dict[str, Any]) -> str:
    return f"/api/invoices/{invoice['id']}/payment-code.svg"


def test_the_pdf_shows_the_code_of_the_whole_transfer(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    api.put(
        "/api/organization", {"bank": {**BANK, "holder": "Bäckerei\nŁódź", "bic": "COBADEFFXXX"}}
    )
    final = billing.final("100.50")
    tenant.run_jobs("billing.render_document")
    pdf = api.get(f"/api/invoices/{final['id']}/invoice.pdf").content
    [page] = pypdf.PdfReader(io.BytesIO(pdf)).pages
    said = transfer(final["number"], "119.6", "COBADEFFXXX", "Bäckerei Łódź")
    assert qr.in_page(page.get_contents().get_data()) == said


def test_the_code_asks_for_what_is_open_now_and_there_is_none_once_it_is_paid(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    answer = api.get(path(final))
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert qr.in_svg(answer.text) == transfer(final["number"], "119")
    billing.pay(final, "18.50")
    assert qr.in_svg(api.get(path(final)).text) == transfer(final["number"], "100.5")
    billing.pay(final, "100.50")
    assert api.get(path(final)).status == 404


def test_there_is_no_code_without_a_bank_account_in_another_currency_or_for_a_draft(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    assert api.get(path(billing.draft())).status == 404
    dollars = billing.final(currency="USD")
    assert api.get(path(dollars)).status == 404
    api.put("/api/organization", {"bank": None})
    without = billing.final()
    assert api.get(path(without)).status == 404
    tenant.run_jobs("billing.render_document")
    for invoice in (dollars, without):
        pdf = api.get(f"/api/invoices/{invoice['id']}/invoice.pdf").content
        assert b"Payment code" not in pdf


@pytest.mark.parametrize("holder", ["N", "Ünïcode " * 30, "𝕊" * 255])
def test_a_code_of_any_name_fits_and_can_be_read(holder: str) -> None:
    number = "INVOICE/2026/OF-32-CHARACTERS-00"
    bank = {**BANK, "holder": holder, "bic": "COBADEFFXXX"}
    svg = payment_code(bank, "EUR", Decimal("999999999.99"), number)
    assert svg is not None
    said = qr.in_svg(svg)
    name = said.split("\n")[5]
    assert holder.startswith(name)
    assert 0 < len(name) <= 70
    assert said == transfer(number, "999999999.99", "COBADEFFXXX", name)


@pytest.mark.parametrize("amount", ["0.00", "1000000000.00"])
def test_an_amount_that_no_transfer_can_have_has_no_code(amount: str) -> None:
    assert payment_code(BANK, "EUR", Decimal(amount), "1") is None
