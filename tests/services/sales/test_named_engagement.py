"""What an engagement can take, however many signatures come at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.support.tenants import Answer, Api, Tenant

FULL = "9999999999.99"


def _engagement(api: Api, **fields: Any) -> str:
    made = api.made("/api/engagements", {"name": "Nearly full", "currency": "EUR", **fields})
    return str(made["id"])


def _worth(api: Api, engagement_id: str, price: str, **more: Any) -> dict[str, Any]:
    items = [{"name": "Work", "price": price}]
    return api.send_proposal(engagement_id=engagement_id, items=items, **more)


def _refused(answer: Answer) -> bool:
    return answer.status == 422 and list(answer.json["errors"]) == ["engagement_id"]


def test_what_no_engagement_can_hold_is_refused_when_drafted(api: Api) -> None:
    engagement_id = _engagement(api, total_value=FULL)
    body = {"name": "x", "currency": "EUR", "items": [{"name": "Work", "price": "1.00"}]}
    assert _refused(api.post("/api/proposals", {**body, "engagement_id": engagement_id}))
    draft = api.made("/api/proposals", body)
    path = f"/api/proposals/{draft['id']}"
    assert _refused(api.put(path, {"engagement_id": engagement_id}))
    api.put(path, {"items": [{"name": "Gift", "price": "0.00"}], "engagement_id": engagement_id})
    assert _refused(api.put(path, {"items": body["items"]}))


@pytest.mark.parametrize("by", ["staff", "client", "preview"])
def test_what_the_engagement_cannot_hold_any_more_is_refused_while_signing(
    api: Api, anybody: Api, tenant: Tenant, by: str
) -> None:
    engagement_id = _engagement(api)
    proposal = _worth(api, engagement_id, "1.00")
    api.put(f"/api/engagements/{engagement_id}", {"total_value": FULL})
    path = f"/api/proposals/{proposal['id']}"
    answer = {
        "staff": lambda: api.post(f"{path}/sign", Prefer="respond-async"),
        "client": lambda: api.sign(proposal, client=anybody),
        "preview": lambda: api.post(f"{path}/preview-signature"),
    }[by]()
    assert _refused(answer), answer.text
    assert FULL in answer.text
    assert tenant.count("signatures") == 0
    assert api.get(path).json["status"] == "Sent"


def test_of_many_signatures_at_once_those_that_fit_are_taken_and_carried_out(
    app: Flask, api: Api, tenant: Tenant
) -> None:
    engagement_id = _engagement(api)
    proposals = [_worth(api, engagement_id, "3000000000.00") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: api.sign(each, client=Api(app=app)), proposals))
    assert sorted(answer.status for answer in answers) == [202] * 3 + [422] * 3
    tenant.run_jobs()
    assert tenant.count("jobs", "state <> 'done'") == 0
    assert tenant.count("engagements") == 1
    assert api.get(f"/api/engagements/{engagement_id}").json["total_value"] == "9000000000.00"


def test_a_signature_is_carried_out_apart_when_the_engagement_was_filled_after_it(
    api: Api, tenant: Tenant
) -> None:
    engagement_id = _engagement(api)
    proposal = _worth(api, engagement_id, "1.00")
    assert api.sign(proposal).status == 202
    api.put(f"/api/engagements/{engagement_id}", {"total_value": FULL})
    tenant.run_jobs()
    assert tenant.count("jobs", "state <> 'done'") == 0
    signed = api.get(f"/api/proposals/{proposal['id']}").json
    assert signed["converted_engagement_id"] not in (None, engagement_id)


def test_another_currency_is_not_added_to_the_engagements_total(api: Api, tenant: Tenant) -> None:
    engagement_id = _engagement(api, total_value=None, currency="USD")
    sent = _worth(api, engagement_id, FULL, currency="USD")
    became = {"total_value": FULL, "currency": "EUR"}
    assert api.put(f"/api/engagements/{engagement_id}", became).status == 200
    assert api.sign(sent).status == 202
    tenant.run_jobs()
    assert api.get(f"/api/engagements/{engagement_id}").json["total_value"] == FULL
    assert tenant.count("orders") == 1
