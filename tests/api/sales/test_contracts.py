"""Contracts that stand alone: drawn up, listed, signed, cancelled, renewed."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.support.tenants import Api, Tenant

PATH = "/api/contracts"


def drawn_up(api: Api, **more: Any) -> dict[str, Any]:
    company = api.made("/api/companies", {"name": "Juniper Ltd"})
    body = {
        "name": "Care",
        "body": "## What is agreed\n\nWe care.",
        "client_company_id": company["id"],
        "currency": "EUR",
        "total_value": "1200.00",
        "start_date": "2026-01-01",
        "end_date": "2026-12-31",
        **more,
    }
    made: dict[str, Any] = api.made(PATH, body)
    return made


def signed(api: Api, tenant: Tenant, **more: Any) -> dict[str, Any]:
    contract = drawn_up(api, **more)
    assert api.post(f"{PATH}/{contract['id']}/sign", Prefer="respond-async").status == 202
    tenant.run_jobs()
    found: dict[str, Any] = api.get(f"{PATH}/{contract['id']}").json
    return found


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.text
    return [contract["id"] for contract in answer.json["data"]]


def day(days: int) -> str:
    return (dt.datetime.now(dt.UTC).date() + dt.timedelta(days)).isoformat()


def test_signing_a_contract_opens_its_engagement_once(api: Api, tenant: Tenant) -> None:
    contract = drawn_up(api)
    answer = api.post(f"{PATH}/{contract['id']}/sign", {"signer_name": "Robin Ray"},
                      Prefer="respond-async")  # fmt: skip
    assert answer.status == 202, answer.text
    assert answer.headers["Location"] == f"/api/jobs/{answer.json['job']['id']}"
    assert answer.json["contract"]["status"] == "Signed"
    tenant.run_jobs()
    found = api.get(f"{PATH}/{contract['id']}").json
    [engagement] = found["engagements"]
    whole = api.get(f"/api/engagements/{engagement['id']}").json
    assert whole["name"] == "Juniper Ltd - Engagement"
    assert whole["contract_id"] == contract["id"]
    assert (whole["start_date"], whole["end_date"]) == ("2026-01-01", "2026-12-31")
    assert (whole["total_value"], whole["currency"]) == ("1200.00", "EUR")
    assert tenant.count("orders") == tenant.count("projects") == 0
    [evidence] = tenant.rows("SELECT * FROM signatures WHERE organization_id = %(organization_id)s")
    assert evidence["content_sha256"] == found["content_sha256"]
    assert evidence["signer_name"] == "Robin Ray"
    again = api.post(f"{PATH}/{contract['id']}/sign")
    assert again.status == 409
    assert again.json["engagement_id"] == engagement["id"]


def test_carrying_a_signature_out_again_opens_no_second_engagement(
    api: Api, tenant: Tenant
) -> None:
    signed(api, tenant)
    tenant.execute(
        "UPDATE jobs SET state = 'ready', finished_at = NULL, attempts = 0"
        f" WHERE kind = 'sales.fulfil_contract' AND organization_id = '{tenant.id}'"
    )
    tenant.run_jobs("sales.fulfil_contract")
    assert tenant.count("engagements") == 1


def test_concurrent_signatures_leave_one(app: Flask, api: Api, tenant: Tenant) -> None:
    contract = drawn_up(api)

    def sign(_: int) -> int:
        caller = Api(app=app, api_key=tenant.api_key)
        status: int = caller.post(f"{PATH}/{contract['id']}/sign", Prefer="respond-async").status
        return status

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(sign, range(6))) == [202, 409, 409, 409, 409, 409]
    assert tenant.count("signatures") == 1


def test_a_signature_wins_the_deal(api: Api, tenant: Tenant) -> None:
    deal = api.made("/api/deals", {"name": "Care"})
    signed(api, tenant, deal_id=deal["id"])
    assert api.get(f"/api/deals/{deal['id']}").json["stage"] == "Won"


@pytest.mark.parametrize(
    ("missing", "field"), [("body", "body"), ("client_company_id", "client_company_id")]
)
def test_nothing_is_signed_that_does_not_say_what_and_with_whom(
    api: Api, missing: str, field: str
) -> None:
    contract = drawn_up(api, **{missing: None})
    answer = api.post(f"{PATH}/{contract['id']}/sign")
    assert answer.status == 422
    assert list(answer.json["errors"]) == [field]
    assert api.get(f"{PATH}/{contract['id']}").json["status"] == "Draft"


def test_a_signer_who_saw_something_else_is_refused(api: Api) -> None:
    contract = drawn_up(api)
    answer = api.post(f"{PATH}/{contract['id']}/sign", {"content_sha256": "0" * 64})
    assert answer.status == 409
    assert answer.json["type"].endswith("content-changed")


def test_only_a_draft_is_changed_and_what_is_signed_stays(api: Api, tenant: Tenant) -> None:
    contract = drawn_up(api)
    changed = api.put(f"{PATH}/{contract['id']}", {"name": "Better care"})
    assert changed.json["name"] == "Better care"
    done = signed(api, tenant)
    assert api.put(f"{PATH}/{done['id']}", {"name": "x"}).status == 409
    assert api.delete(f"{PATH}/{done['id']}").status == 409
    assert api.post(f"{PATH}/{done['id']}/cancel").status == 409


def test_the_days_and_the_currency_must_go_together(api: Api) -> None:
    contract = drawn_up(api)
    path = f"{PATH}/{contract['id']}"
    assert list(api.put(path, {"end_date": "2025-01-01"}).json["errors"]) == ["end_date"]
    assert list(api.put(path, {"currency": None}).json["errors"]) == ["currency"]


def test_a_cancelled_contract_is_given_up_for_good(api: Api) -> None:
    contract = drawn_up(api)
    cancelled = api.post(f"{PATH}/{contract['id']}/cancel", {"reason": "Not needed"})
    assert cancelled.json["status"] == "Cancelled"
    assert cancelled.json["cancelled_at"]
    assert api.post(f"{PATH}/{contract['id']}/sign").status == 409


def test_a_contract_is_renewed_once_for_the_next_term_and_the_same_engagement(
    api: Api, tenant: Tenant
) -> None:
    contract = signed(api, tenant)
    answer = api.post(f"{PATH}/{contract['id']}/renew")
    assert answer.status == 201, answer.text
    following = answer.json
    assert answer.headers["Location"] == f"{PATH}/{following['id']}"
    assert (following["start_date"], following["end_date"]) == ("2027-01-01", "2027-12-31")
    assert (following["status"], following["renews_id"]) == ("Draft", contract["id"])
    assert following["body"] == contract["body"]
    assert api.get(f"{PATH}/{contract['id']}").json["renewed_by_id"] == following["id"]
    again = api.post(f"{PATH}/{contract['id']}/renew")
    assert again.status == 409
    assert again.json["contract_id"] == following["id"]
    api.post(f"{PATH}/{following['id']}/sign", Prefer="respond-async")
    tenant.run_jobs()
    assert tenant.count("engagements") == 1
    assert following["engagements"] == contract["engagements"]


def test_a_renewal_that_was_given_up_makes_way_for_another(api: Api, tenant: Tenant) -> None:
    contract = signed(api, tenant)
    first = api.made(f"{PATH}/{contract['id']}/renew")
    api.post(f"{PATH}/{first['id']}/cancel")
    second = api.made(f"{PATH}/{contract['id']}/renew")
    assert api.delete(f"{PATH}/{second['id']}").status == 204
    assert api.post(f"{PATH}/{contract['id']}/renew").status == 201


def test_what_has_no_term_or_no_signature_is_not_renewed(api: Api, tenant: Tenant) -> None:
    draft = drawn_up(api)
    assert api.post(f"{PATH}/{draft['id']}/renew").status == 409
    endless = signed(api, tenant, end_date=None)
    assert api.post(f"{PATH}/{endless['id']}/renew").status == 409


def test_the_list_tells_what_ends_soon_by_the_firms_own_threshold(api: Api, tenant: Tenant) -> None:
    soon = signed(api, tenant, start_date=day(-300), end_date=day(20))
    later = signed(api, tenant, start_date=day(-300), end_date=day(40))
    signed(api, tenant, start_date=day(-300), end_date=day(-1))
    drawn_up(api, start_date=day(-300), end_date=day(20))
    assert soon["is_ending_soon"]
    assert not later["is_ending_soon"]
    assert ids(api.get(f"{PATH}?ending_soon=true")) == [soon["id"]]
    changed = api.put("/api/organization", {"thresholds": {"contract_ending_days": 45}})
    assert changed.status == 200
    assert ids(api.get(f"{PATH}?ending_soon=true&sort=end_date")) == [soon["id"], later["id"]]
    assert api.get(f"{PATH}?ending_soon=false").status == 422


def test_the_list_is_filtered_by_state_client_engagement_and_end(api: Api, tenant: Tenant) -> None:
    done = signed(api, tenant)
    draft = drawn_up(api, end_date="2028-12-31")
    engagement = done["engagements"][0]["id"]
    assert ids(api.get(f"{PATH}?status=signed")) == [done["id"]]
    assert ids(api.get(f"{PATH}?status=draft,sent")) == [draft["id"]]
    company = draft["client_company_id"]
    assert ids(api.get(f"{PATH}?client_company_id={company}")) == [draft["id"]]
    assert ids(api.get(f"{PATH}?engagement_id={engagement}")) == [done["id"]]
    assert ids(api.get(f"{PATH}?ends_from=2027-01-01")) == [draft["id"]]
    assert ids(api.get(f"{PATH}?ends_until=2026-12-31")) == [done["id"]]
