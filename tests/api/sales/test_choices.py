"""What a client chooses in a proposal, and what follows from it (rulings.md, *Choices*)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import rfc8785

from tests.support.tenants import Api, Tenant, a_signature

BUILD = {"name": "Build", "price": "1000.00"}
HOSTING = {"name": "Hosting", "price": "50.00", "optional": True}
HOURS = {"name": "Hours", "price": "100.00", "quantity": 10, "min_quantity": 5, "max_quantity": 20}
OFFER = [BUILD, HOSTING, HOURS]


def _ids(proposal: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["id"] for item in proposal["items"]}


def _sign(api: Api, tenant: Tenant, proposal: dict[str, Any], selection: Any = None) -> Any:
    """Sign by the link, carry it out, and return what the public result says."""
    more = {} if selection is None else {"selection": selection}
    answer = api.post(
        f"/api/public/proposals/{proposal['token']}/sign",
        a_signature(proposal["content_sha256"], **more),
        Prefer="respond-async",
    )
    assert answer.status == 202, answer.text
    tenant.run_jobs("sales.fulfil_signature")
    return api.get(f"/api/public/proposals/{proposal['token']}/result").json


def test_the_total_is_what_the_client_gets_without_choosing_anything(api: Api) -> None:
    body = {"name": "Offer", "currency": "EUR", "items": OFFER, "discount": "100.00"}
    proposal = api.made("/api/proposals", body)
    assert (proposal["total"], proposal["has_choices"]) == ("1900.00", True)


def test_what_was_chosen_becomes_the_order_the_projects_and_the_invoice(
    api: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal(items=OFFER, discount="100.00")
    ids = _ids(proposal)
    chosen = [{"id": ids["Hosting"]}, {"id": ids["Hours"], "quantity": 7}]
    result = _sign(api, tenant, proposal, chosen)
    assert result["order"]["total"] == "1650.00"
    assert [project["name"] for project in result["projects"]] == ["Build", "Hosting", "Hours"]
    order = api.get(f"/api/orders/{result['order']['id']}").json
    assert [(item["name"], item["quantity"]) for item in order["items"]] == [
        ("Build", 1),
        ("Hosting", 1),
        ("Hours", 7),
    ]
    assert order["discount"] == "100.00"
    draft = api.get(f"/api/invoices?engagement_id={order['engagement_id']}").json["data"][0]
    assert draft["subtotal"] == "1650.00"
    lines = api.get(f"/api/invoices/{draft['id']}").json["lines"]
    assert [(line["name"], line["discount"]) for line in lines] == [
        ("Build", "57.14"),
        ("Hosting", "2.86"),
        ("Hours", "40.00"),
    ]
    engagement = api.get(f"/api/engagements/{order['engagement_id']}").json
    assert engagement["total_value"] == "1650.00"
    assert api.get(f"/api/proposals/{proposal['id']}").json["total"] == "1650.00"


def test_an_optional_item_that_nobody_chose_is_neither_billed_nor_delivered(
    api: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal(items=OFFER)
    result = _sign(api, tenant, proposal)
    assert result["order"]["total"] == "2000.00"
    assert [project["name"] for project in result["projects"]] == ["Build", "Hours"]


def test_the_choice_is_kept_with_the_evidence(api: Api, tenant: Tenant) -> None:
    proposal = api.send_proposal(items=OFFER)
    ids = _ids(proposal)
    result = _sign(api, tenant, proposal, [{"id": ids["Hosting"]}])
    kept = [
        {"id": ids["Build"], "quantity": 1},
        {"id": ids["Hosting"], "quantity": 1},
        {"id": ids["Hours"], "quantity": 10},
    ]
    assert result["proposal"]["selection"] == kept
    certificate = api.get(f"/api/proposals/{proposal['id']}/certificate").json
    assert certificate["selection"] == kept


@pytest.mark.parametrize(
    ("selection", "field", "says"),
    [
        ([{"id": "Hours", "quantity": 21}], "selection.0.quantity", "from 5 to 20"),
        ([{"id": "Hours", "quantity": 4}], "selection.0.quantity", "from 5 to 20"),
        ([{"id": "Build", "quantity": 2}], "selection.0.quantity", "it comes 1 times"),
        ([{"id": "Hosting"}, {"id": "Hosting"}], "selection.1.id", "twice"),
        ([{"id": "unknown"}], "selection.0.id", "no item"),
    ],
)
def test_a_choice_that_was_not_offered_is_refused_by_its_name_and_signs_nothing(
    api: Api, selection: list[dict[str, Any]], field: str, says: str
) -> None:
    proposal = api.send_proposal(items=OFFER)
    ids = {**_ids(proposal), "unknown": proposal["id"]}
    chosen = [{**each, "id": ids[each["id"]]} for each in selection]
    answer = api.post(
        f"/api/public/proposals/{proposal['token']}/sign",
        a_signature(proposal["content_sha256"], selection=chosen),
    )
    assert answer.status == 422
    assert says in answer.json["errors"][field][0]
    assert api.get(f"/api/proposals/{proposal['id']}").json["status"] == "Sent"


def test_nothing_can_be_chosen_where_nothing_is_offered_to_choose(api: Api) -> None:
    proposal = api.send_proposal()
    answer = api.post(
        f"/api/proposals/{proposal['id']}/sign",
        {"selection": [{"id": proposal["items"][0]["id"]}]},
    )
    assert answer.status == 422
    assert list(answer.json["errors"]) == ["selection"]


def test_where_everything_is_optional_something_must_be_chosen(api: Api, tenant: Tenant) -> None:
    packages = [
        {"name": "Small", "price": "100.00", "optional": True},
        {"name": "Large", "price": "900.00", "optional": True},
    ]
    proposal = api.send_proposal(items=packages)
    refused = api.post(f"/api/proposals/{proposal['id']}/sign", {"selection": []})
    assert refused.json["errors"] == {"selection": ["Choose at least one item."]}
    result = _sign(api, tenant, proposal, [{"id": _ids(proposal)["Large"]}])
    assert result["order"]["total"] == "900.00"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"discount": "1500.01"}, "discount"),
        ({"items": [{**HOURS, "min_quantity": 11}]}, "items.0.quantity"),
        ({"items": [{**HOURS, "max_quantity": 9}]}, "items.0.quantity"),
        (
            {"items": [{**HOURS, "price": "9999999999.99", "max_quantity": 20}]},
            "items",
        ),
        ({"items": [{**BUILD, "tax_rate": "19.00"}]}, "items.0.tax_category"),
        (
            {"items": [{**BUILD, "tax_rate": "19.00", "tax_category": "zero"}]},
            "items.0.tax_rate",
        ),
        ({"sections": [{"title": " "}]}, "sections.0.title"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_by_its_name(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    body = {"name": "Offer", "currency": "EUR", "items": OFFER, **changes}
    answer = api.post("/api/proposals", body)
    assert answer.status == 422, answer.text
    assert field in answer.json["errors"]


def test_a_discount_is_checked_against_the_items_that_are_there_already(api: Api) -> None:
    made = api.made("/api/proposals", {"name": "Offer", "currency": "EUR", "items": OFFER})
    path = f"/api/proposals/{made['id']}"
    assert api.put(path, {"discount": "1500.01"}).json["errors"].keys() == {"discount"}
    assert api.put(path, {"discount": "1500.00"}).json["total"] == "500.00"
    assert api.put(path, {"items": [BUILD]}).json["errors"].keys() == {"discount"}


def test_items_are_taxed_as_they_say_and_else_as_the_organization_does_when_it_is_sent(
    api: Api, tenant: Tenant
) -> None:
    books = {
        "name": "Books", "price": "10.00", "tax_category": "reduced", "tax_rate": "7.00"
    }  # fmt: skip
    tax = {"default_tax": {"category": "standard", "rate": "19.00"}}
    assert api.put("/api/organization", tax).status == 200
    proposal = api.send_proposal(items=[BUILD, books])
    later = {"default_tax": {"category": "standard", "rate": "25.00"}}
    assert api.put("/api/organization", later).status == 200
    order = _sign(api, tenant, proposal)["order"]
    draft = api.get(f"/api/invoices?engagement_id={order['engagement_id']}").json["data"][0]
    assert (draft["subtotal"], draft["tax"]) == ("1010.00", "190.70")


def test_what_only_has_items_and_notes_keeps_its_form_and_so_its_fingerprint(api: Api) -> None:
    proposal = api.send_proposal()
    public = api.get(f"/api/public/proposals/{proposal['token']}").json
    assert "schema" not in public
    assert list(public["items"][0]) == ["name", "description", "price", "quantity", "total"]


def test_the_fingerprint_covers_all_that_schema_2_adds(api: Api, tenant: Tenant) -> None:
    sections = [{"title": "Why us", "body": "We *ship*."}]
    proposal = api.send_proposal(items=OFFER, discount="1.00", sections=sections)
    public = api.get(f"/api/public/proposals/{proposal['token']}").json
    assert (public["schema"], public["discount"], public["sections"]) == (2, "1.00", sections)
    row = tenant.rows(
        "SELECT content, content_sha256 FROM proposal_versions"
        " WHERE organization_id = %(organization_id)s"
    )[0]
    content = json.loads(row["content"])
    assert content["items"][1]["optional"] is True
    assert hashlib.sha256(rfc8785.dumps(content)).hexdigest() == proposal["content_sha256"]


def test_the_preview_shows_what_a_choice_would_create_and_creates_nothing(
    api: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal(items=OFFER)
    path = f"/api/proposals/{proposal['id']}/preview-signature"
    chosen = {"selection": [{"id": _ids(proposal)["Hosting"]}]}
    assert api.made(path)["order"]["total"] == "2000.00"
    preview = api.made(path, chosen)
    assert preview["order"]["total"] == "2050.00"
    assert [part["amount"] for part in preview["invoices"]] == ["2050.00"]
    assert api.get(f"/api/proposals/{proposal['id']}").json["total"] == "2000.00"
    assert tenant.count("orders") == 0
