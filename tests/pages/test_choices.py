"""Choosing on the signing page: what is reckoned; nobody signs a total they did not see."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from flask import Flask

from tests.pages.test_signing_form import form_for, send
from tests.support.tenants import Api, Tenant

OFFER = [
    {"name": "Build", "price": "1000.00", "tax_category": "standard", "tax_rate": "20.00"},
    {
        "name": "Photos",
        "price": "200.00",
        "optional": True,
        "tax_category": "zero",
        "tax_rate": "0.00",
    },
    {
        "name": "Hours",
        "price": "10.00",
        "quantity": 10,
        "min_quantity": 5,
        "max_quantity": 20,
        "tax_category": "standard",
        "tax_rate": "20.00",
    },
]


@pytest.fixture
def proposal(api: Api) -> dict[str, Any]:
    terms = {"kind": "deposit", "deposit_percent": 50, "rest_after_days": 30}
    return api.send_proposal(
        items=OFFER,
        billing=terms,
        sections=[{"title": "Why us", "body": "We *ship*. <script>alert(1)</script>"}],
    )


def _choice(proposal: dict[str, Any], shown: str, **quantities: str) -> dict[str, str]:
    """The form with everything optional taken, and these quantities."""
    ids = {item["name"]: item["id"] for item in proposal["items"]}
    chosen = {f"quantity-{ids[name]}": quantity for name, quantity in quantities.items()}
    return {**form_for(proposal), f"take-{ids['Photos']}": "yes", "total_shown": shown, **chosen}


def test_the_page_shows_texts_choices_taxes_and_the_invoices_to_come(
    app: Flask, proposal: dict[str, Any]
) -> None:
    written = app.test_client().get(f"/sign/{proposal['token']}").text
    assert "We <em>ship</em>. &lt;script&gt;alert" in written
    page = unescape(written)
    for text in ("€1,100.00", "Tax, 20 %", "€220.00", "€1,320.00", "Deposit on signing (50 %)"):
        assert text in page, text


def test_a_choice_is_reckoned_and_not_signed(
    app: Flask, tenant: Tenant, proposal: dict[str, Any]
) -> None:
    form = _choice(proposal, "1320.00", Hours="20")
    page = unescape(send(app, proposal, form, "/selection").text)
    assert "€1,640.00" in page
    assert 'value="Robin Ray"' in page
    assert tenant.count("signatures") == 0


def test_a_script_is_answered_with_the_sums_alone(app: Flask, proposal: dict[str, Any]) -> None:
    answer = app.test_client().post(
        f"/sign/{proposal['token']}/selection",
        data=_choice(proposal, "1320.00"),
        headers={"X-Requested-With": "fetch"},
    )
    assert "<html" not in answer.text
    assert 'name="total_shown" value="1520.00"' in answer.text


def test_a_choice_with_another_total_than_the_shown_one_is_shown_and_not_signed(
    app: Flask, tenant: Tenant, proposal: dict[str, Any]
) -> None:
    answer = send(app, proposal, _choice(proposal, "1320.00"))
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "Look at the new total, then sign." in page
    assert 'name="total_shown" value="1520.00"' in page
    assert tenant.count("signatures") == 0


def test_the_choice_that_was_shown_is_signed(
    app: Flask, tenant: Tenant, api: Api, proposal: dict[str, Any]
) -> None:
    answer = send(app, proposal, _choice(proposal, "1460.00", Hours="5"))
    assert answer.status_code == 303
    tenant.run_jobs("sales.fulfil_signature")
    assert api.get(f"/api/proposals/{proposal['id']}").json["total"] == "1250.00"


@pytest.mark.parametrize("written", ["", "1e3", "-5", "5.5", "21", "4", "9999999"])
def test_a_quantity_that_cannot_be_is_named_with_its_item_and_kept(
    app: Flask, tenant: Tenant, proposal: dict[str, Any], written: str
) -> None:
    for to in ("", "/selection"):
        answer = send(app, proposal, _choice(proposal, "1320.00", Hours=written), to)
        assert answer.status_code == 422
        page = unescape(answer.text)
        assert "Hours: " in page
        assert f'value="{written}"' in page
    assert tenant.count("signatures") == 0


def test_whoever_comes_back_to_a_choice_finds_the_page(
    app: Flask, proposal: dict[str, Any]
) -> None:
    answer = app.test_client().get(f"/sign/{proposal['token']}/selection")
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith(f"/sign/{proposal['token']}")
