"""An engagement works under many contracts: brought in, taken out, added by a signature."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.tenants import Api, Tenant, a_proposal


@pytest.fixture
def engagement(api: Api) -> dict[str, Any]:
    company = api.made("/api/companies", {"name": "Juniper Ltd"})
    made: dict[str, Any] = api.made(
        "/api/engagements", {"name": "Juniper", "client_company_id": company["id"]}
    )
    return made


def contracts(api: Api, engagement: dict[str, Any]) -> list[str]:
    answer = api.get(f"/api/engagements/{engagement['id']}/contracts")
    assert answer.status == 200, answer.text
    return [contract["id"] for contract in answer.json["data"]]


def attach(api: Api, engagement: dict[str, Any], **body: Any) -> Any:
    return api.post(f"/api/engagements/{engagement['id']}/contracts", body)


def test_a_new_contract_is_for_the_engagements_client(
    api: Api, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    made = attach(api, engagement, name="Care", body="We care.")
    assert made.status == 201, made.text
    assert made.headers["Location"] == f"/api/contracts/{made.json['id']}"
    assert made.json["client_company_id"] == engagement["client_company_id"]
    assert contracts(api, engagement) == [made.json["id"]]
    assert api.post(f"/api/contracts/{made.json['id']}/sign", Prefer="respond-async").status == 202
    tenant.run_jobs()
    # Signed, it goes on with the engagement that works under it.
    assert tenant.count("engagements") == 1


def test_contracts_come_in_once_and_go_out_again(api: Api, engagement: dict[str, Any]) -> None:
    first, second = (api.made("/api/contracts", {"name": name}) for name in ("a", "b"))
    for contract in (first, second):
        assert attach(api, engagement, contract_id=contract["id"]).status == 201
    assert sorted(contracts(api, engagement)) == sorted([first["id"], second["id"]])
    assert attach(api, engagement, contract_id=first["id"]).status == 409
    path = f"/api/engagements/{engagement['id']}"
    assert api.get(path).json["contract_id"] == first["id"]
    assert api.delete(f"{path}/contracts/{first['id']}").status == 204
    assert api.delete(f"{path}/contracts/{first['id']}").status == 404
    assert contracts(api, engagement) == [second["id"]]
    assert api.get(path).json["contract_id"] is None
    assert api.get(f"/api/contracts/{first['id']}").status == 200


def test_another_companys_contract_comes_in_only_where_staff_say_so(
    api: Api, engagement: dict[str, Any]
) -> None:
    other = api.made("/api/companies", {"name": "Other Ltd"})
    contract = api.made("/api/contracts", {"name": "a", "client_company_id": other["id"]})
    refused = attach(api, engagement, contract_id=contract["id"])
    assert (refused.status, list(refused.json["errors"])) == (422, ["contract_id"])
    allowed = attach(api, engagement, contract_id=contract["id"], allow_other_company=True)
    assert allowed.status == 201


def test_either_a_contract_is_named_or_a_new_one_described(
    api: Api, engagement: dict[str, Any]
) -> None:
    contract = api.made("/api/contracts", {"name": "a"})
    assert list(attach(api, engagement).json["errors"]) == ["contract_id"]
    both = attach(api, engagement, contract_id=contract["id"], name="b")
    assert list(both.json["errors"]) == ["name"]


@pytest.mark.parametrize("status", ["Closed", "Cancelled"])
def test_a_closed_or_cancelled_engagement_takes_no_contract(
    api: Api, engagement: dict[str, Any], status: str
) -> None:
    assert api.put(f"/api/engagements/{engagement['id']}", {"status": status}).status == 200
    refused = attach(api, engagement, name="Late")
    assert refused.status == 409
    assert status in refused.json["detail"]
    assert api.get("/api/contracts").json["data"] == []


def test_an_addendum_extends_the_engagement_and_its_contract_cannot_be_taken_out(
    api: Api, tenant: Tenant
) -> None:
    assert api.sign(api.send_proposal()).status == 202
    tenant.run_jobs()
    [first] = api.get("/api/engagements").json["data"]
    about = {name: first[name] for name in ("client_company_id", "contact_id")}
    body = a_proposal(engagement_id=first["id"], **about)
    addendum = {k: v for k, v in body.items() if k not in ("client_company", "contact")}
    made = api.made("/api/proposals", addendum)
    api.made(f"/api/proposals/{made['id']}/send")
    assert api.post(f"/api/proposals/{made['id']}/sign", Prefer="respond-async").status == 202
    tenant.run_jobs()
    found = contracts(api, first)
    assert len(found) == 2
    assert tenant.count("engagements") == 1
    for contract_id in found:
        refused = api.delete(f"/api/engagements/{first['id']}/contracts/{contract_id}")
        assert refused.status == 409


def test_an_addendum_in_another_currency_is_refused_when_it_is_sent(api: Api) -> None:
    engagement = api.made("/api/engagements", {"name": "Juniper", "currency": "USD"})
    made = api.made("/api/proposals", a_proposal(engagement_id=engagement["id"]))
    refused = api.post(f"/api/proposals/{made['id']}/send")
    assert refused.status == 422
    assert list(refused.json["errors"]) == ["currency"]
    assert api.get(f"/api/proposals/{made['id']}").json["status"] == "Draft"
