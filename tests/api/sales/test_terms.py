"""How a proposal says it is billed, and what its signature makes of that (rulings.md, *Terms*)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.tenants import Api, Tenant
from webapp.services.billing.schedules import draft_due_invoices
from webapp.services.sales.contract_signing import fulfil_contract

TODAY = dt.datetime.now(dt.UTC).date()
ITEMS = [
    {"name": "Build", "price": "900.01", "tax_category": "standard", "tax_rate": "19.00"},
    {"name": "Books", "price": "100.00", "tax_category": "reduced", "tax_rate": "7.00"},
]


def _signed(api: Api, tenant: Tenant, **proposal: Any) -> dict[str, Any]:
    """The engagement's schedule after signing: as the API shows it, with its drafts."""
    sent = api.send_proposal(**{"items": ITEMS, **proposal})
    assert api.sign(sent).status == 202
    tenant.run_jobs("sales.fulfil_signature")
    signed = api.get(f"/api/proposals/{sent['id']}").json
    engagement = signed["converted_engagement_id"]
    schedule = api.get(f"/api/invoice-schedules?engagement_id={engagement}").json["data"][0]
    drafts = api.get(f"/api/invoices?engagement_id={engagement}&sort=created_at").json["data"]
    return {**schedule, "drafts": [api.get(f"/api/invoices/{each['id']}").json for each in drafts]}


def _day(days: int) -> str:
    return (TODAY + dt.timedelta(days=days)).isoformat()


def test_without_terms_all_is_billed_at_once_as_its_items(api: Api, tenant: Tenant) -> None:
    schedule = _signed(api, tenant)
    assert (schedule["kind"], schedule["next_period"]) == ("once", None)
    [draft] = schedule["drafts"]
    assert [line["name"] for line in draft["lines"]] == ["Build", "Books"]
    assert (draft["subtotal"], draft["tax"]) == ("1000.01", "178.00")


def test_a_deposit_is_drafted_at_once_with_the_taxes_of_the_items_and_the_rest_is_planned(
    api: Api, tenant: Tenant
) -> None:
    terms = {"kind": "deposit", "deposit_percent": 30, "rest_after_days": 45}
    schedule = _signed(api, tenant, billing=terms)
    assert [(s["name"], s["on"]) for s in schedule["shares"]] == [
        ("deposit", _day(0)),
        ("rest", _day(45)),
    ]
    assert schedule["next_period"] == _day(45)
    [draft] = schedule["drafts"]
    assert draft["subtotal"] == "300.00"
    assert [(line["price"], line["tax_rate"]) for line in draft["lines"]] == [
        ("30.00", "7.00"),
        ("270.00", "19.00"),
    ]


def test_milestones_count_from_the_signature_or_fall_on_their_day(api: Api, tenant: Tenant) -> None:
    milestones = [
        {"name": "Design", "percent": 50, "after_days": 10},
        {"name": "Launch", "percent": 50, "on": _day(90)},
    ]
    schedule = _signed(api, tenant, billing={"kind": "milestones", "milestones": milestones})
    assert schedule["drafts"] == []
    preview = api.get(f"/api/invoice-schedules/{schedule['id']}/preview").json["data"]
    assert [(part["date"], part["amount"]) for part in preview] == [
        (_day(10), "500.01"),
        (_day(90), "500.00"),
    ]


def test_periods_share_the_total_to_the_cent(api: Api, tenant: Tenant) -> None:
    schedule = _signed(api, tenant, billing={"kind": "monthly", "periods": 3})
    assert (schedule["amount"], schedule["total"]) == ("333.33", "1000.01")
    assert [draft["subtotal"] for draft in schedule["drafts"]] == ["333.34"]
    preview = api.get(f"/api/invoice-schedules/{schedule['id']}/preview").json["data"]
    assert [part["amount"] for part in preview] == ["333.34", "333.33"]


def test_a_whole_that_is_billed_in_periods_keeps_its_amount(api: Api, tenant: Tenant) -> None:
    schedule = _signed(api, tenant, billing={"kind": "quarterly", "periods": 4})
    answer = api.put(f"/api/invoice-schedules/{schedule['id']}", {"amount": "1.00"})
    assert answer.status == 409
    assert "whole" in answer.json["detail"]


def test_beat_drafts_what_comes_later_with_the_items_and_their_taxes(
    api: Api, tenant: Tenant
) -> None:
    schedule = _signed(api, tenant, billing={"kind": "once", "starts_on": _day(5)})
    assert schedule["drafts"] == []
    assert schedule["next_period"] == _day(5)
    tenant.execute(
        "UPDATE invoice_schedules SET starts_on = current_date, next_period = current_date"
    )
    tenant.run(draft_due_invoices)
    drafts = api.get(f"/api/invoices?engagement_id={schedule['engagement_id']}").json["data"]
    lines = api.get(f"/api/invoices/{drafts[0]['id']}").json["lines"]
    assert [(line["name"], line["tax_rate"]) for line in lines] == [
        ("Build", "19.00"),
        ("Books", "7.00"),
    ]


def test_a_day_that_had_passed_when_it_was_signed_is_the_day_of_the_signature(
    api: Api, tenant: Tenant
) -> None:
    schedule = _signed(api, tenant, billing={"kind": "once", "starts_on": "2020-01-01"})
    assert schedule["starts_on"] == _day(0)
    assert len(schedule["drafts"]) == 1


def test_the_client_reads_the_terms_and_signs_them(api: Api, tenant: Tenant) -> None:
    terms = {"kind": "retainer", "periods": 12, "hours": "10.00"}
    proposal = api.send_proposal(billing=terms)
    assert api.get(f"/api/public/proposals/{proposal['token']}").json["billing"] == terms
    assert api.sign(proposal).status == 202
    tenant.run_jobs("sales.fulfil_signature")
    contract = api.get("/api/contracts").json["data"][0]
    assert contract["billing"] == terms


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"kind": "weekly"}, "billing.kind"),
        ({"kind": "deposit", "rest_after_days": 5}, "billing.deposit_percent"),
        ({"kind": "deposit", "deposit_percent": 30}, "billing.rest_on"),
        (
            {
                "kind": "deposit",
                "deposit_percent": 30,
                "rest_on": "2030-01-01",
                "rest_after_days": 5,
            },
            "billing.rest_after_days",
        ),
        ({"kind": "once", "periods": 3}, "billing.periods"),
        ({"kind": "monthly"}, "billing.periods"),
        ({"kind": "monthly", "periods": 121}, "billing.periods"),
        ({"kind": "retainer", "periods": 3}, "billing.hours"),
        (
            {"kind": "milestones", "milestones": [{"name": "Half", "percent": 50}]},
            "billing.milestones",
        ),
    ],
)
def test_terms_that_do_not_fit_together_are_refused_by_their_name(
    api: Api, terms: dict[str, Any], field: str
) -> None:
    answer = api.post("/api/proposals", {"name": "Offer", "currency": "EUR", "billing": terms})
    assert answer.status == 422, answer.text
    assert field in answer.json["errors"]


CONTRACT = {
    "name": "Care",
    "body": "We care.",
    "client_company_id": "",
    "currency": "EUR",
    "total_value": "1200.00",
    "billing": {"kind": "monthly", "periods": 12},
}


def _sign_contract(api: Api, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    company = api.made("/api/companies", {"name": "Juniper"})
    contract = api.made(
        "/api/contracts", {**CONTRACT, "client_company_id": company["id"], **changes}
    )
    signed = api.post(f"/api/contracts/{contract['id']}/sign", Prefer="respond-async")
    assert signed.status == 202, signed.text
    tenant.run_jobs("sales.fulfil_contract")
    return contract


def test_a_contract_is_billed_by_its_terms_once(api: Api, tenant: Tenant) -> None:
    contract = _sign_contract(api, tenant)
    [signature] = tenant.rows(
        "SELECT id FROM signatures WHERE organization_id = %(organization_id)s"
    )
    tenant.run(lambda: fulfil_contract(signature["id"]))
    [schedule] = api.get("/api/invoice-schedules").json["data"]
    assert (schedule["kind"], schedule["amount"], schedule["total"]) == (
        "monthly",
        "100.00",
        "1200.00",
    )
    [draft] = api.get("/api/invoices").json["data"]
    assert (draft["subtotal"], draft["client_company_id"]) == (
        "100.00",
        api.get(f"/api/contracts/{contract['id']}").json["client_company_id"],
    )


def test_a_contract_that_starts_later_is_billed_from_then(api: Api, tenant: Tenant) -> None:
    _sign_contract(api, tenant, start_date=_day(30))
    [schedule] = api.get("/api/invoice-schedules").json["data"]
    assert (schedule["starts_on"], schedule["next_period"]) == (_day(30), _day(30))
    assert api.get("/api/invoices").json["data"] == []


def test_terms_of_a_contract_need_something_to_bill(api: Api) -> None:
    answer = api.post("/api/contracts", {"name": "Care", "billing": CONTRACT["billing"]})
    assert answer.status == 422
    assert list(answer.json["errors"]) == ["total_value"]


@pytest.mark.parametrize(
    ("terms", "carried"),
    [
        ({"kind": "monthly", "periods": 12}, True),
        ({"kind": "once", "starts_on": "2030-01-01"}, False),
    ],
)
def test_the_next_term_is_billed_alike_unless_the_terms_name_days(
    api: Api, tenant: Tenant, terms: dict[str, Any], carried: bool
) -> None:
    contract = _sign_contract(
        api, tenant, billing=terms, start_date="2026-01-01", end_date="2026-12-31"
    )
    following = api.made(f"/api/contracts/{contract['id']}/renew")
    assert following["billing"] == (terms if carried else None)
