"""Drafts: what replacing items counts for, and whom and what a draft may name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.support.tenants import ITEMS, Api, Tenant, a_proposal

# The total of ITEMS, made up differently.
SAME_TOTAL = [{"name": "All of it", "price": "10700.99"}]


def _updates(tenant: Tenant) -> list[dict[str, Any]]:
    tenant.run_jobs("activity.record")
    return tenant.rows(
        "SELECT metadata, entity_version FROM activity_events WHERE type = 'updated'"
        " AND organization_id = %(organization_id)s ORDER BY entity_version"
    )


def test_other_items_at_the_same_total_count_a_version_and_refuse_who_has_not_seen_them(
    api: Api, tenant: Tenant
) -> None:
    made = api.post("/api/proposals", a_proposal())
    path, seen = f"/api/proposals/{made.json['id']}", made.headers["ETag"]
    changed = api.put(path, {"items": SAME_TOTAL}, If_Match=seen)
    assert changed.status == 200, changed.text
    assert changed.json["total"] == made.json["total"]
    assert changed.headers["ETag"] != seen
    assert api.put(path, {"items": ITEMS}, If_Match=seen).status == 412
    assert [item["name"] for item in api.get(path).json["items"]] == ["All of it"]
    assert [row["metadata"] for row in _updates(tenant)] == [{"fields": ["items"]}]


def test_another_order_of_the_items_is_a_change(api: Api, tenant: Tenant) -> None:
    made = api.post("/api/proposals", a_proposal())
    path = f"/api/proposals/{made.json['id']}"
    changed = api.put(path, {"items": ITEMS[::-1]}, If_Match=made.headers["ETag"])
    assert [item["name"] for item in changed.json["items"]] == [i["name"] for i in ITEMS[::-1]]
    assert [row["metadata"] for row in _updates(tenant)] == [{"fields": ["items"]}]


def test_sending_the_very_same_items_again_changes_nothing(api: Api, tenant: Tenant) -> None:
    made = api.post("/api/proposals", a_proposal())
    path = f"/api/proposals/{made.json['id']}"
    again = api.put(path, {"items": ITEMS}, If_Match=made.headers["ETag"])
    assert again.status == 200
    assert again.headers["ETag"] == made.headers["ETag"]
    assert again.json["items"] == made.json["items"]
    assert _updates(tenant) == []


def test_concurrent_proposals_for_a_new_client_find_one_company_and_one_contact(
    app: Flask, tenant: Tenant
) -> None:
    body = a_proposal()

    def draft(_: int) -> Any:
        return Api(app=app, api_key=tenant.api_key).post("/api/proposals", body)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(draft, range(8)))
    assert {answer.status for answer in answers} == {201}, [a.text for a in answers]
    assert len({answer.json["contact_id"] for answer in answers}) == 1
    assert len({answer.json["client_company_id"] for answer in answers}) == 1
    assert tenant.count("contacts") == tenant.count("client_companies") == 1


def test_concurrent_contacts_with_one_address_are_told_that_it_is_taken(
    app: Flask, tenant: Tenant
) -> None:
    body = {"first_name": "Robin", "last_name": "Ray", "email": "robin@example.com"}

    def make(_: int) -> Any:
        return Api(app=app, api_key=tenant.api_key).post("/api/contacts", body)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(make, range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    refused = [answer.json for answer in answers if answer.status == 409]
    assert all(list(problem["errors"]) == ["email"] for problem in refused)


def test_a_draft_is_not_sent_to_a_contact_that_was_deleted(api: Api, tenant: Tenant) -> None:
    draft = api.made("/api/proposals", a_proposal())
    api.delete(f"/api/contacts/{draft['contact_id']}")
    for act in ("send", "preview-signature"):
        refused = api.post(f"/api/proposals/{draft['id']}/{act}")
        assert refused.status == 422, refused.text
        assert list(refused.json["errors"]) == ["contact_id"]
    assert tenant.count("signing_links") == 0


class TestAnotherCompanysEngagement:
    """A proposal goes into another company's engagement only where staff say so."""

    @pytest.fixture
    def engagement(self, api: Api) -> dict[str, Any]:
        company = api.made("/api/companies", {"name": "Client A"})
        made: dict[str, Any] = api.made(
            "/api/engagements", {"name": "A's work", "client_company_id": company["id"]}
        )
        return made

    def _allowed(self, api: Api, engagement: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = a_proposal(engagement_id=engagement["id"], allow_other_company=True, **more)
        made: dict[str, Any] = api.made("/api/proposals", body)
        return made

    def test_it_is_refused_when_drafted(self, api: Api, engagement: dict[str, Any]) -> None:
        refused = api.post("/api/proposals", a_proposal(engagement_id=engagement["id"]))
        assert refused.status == 422, refused.text
        assert list(refused.json["errors"]) == ["engagement_id"]
        draft = api.made("/api/proposals", a_proposal())
        path = f"/api/proposals/{draft['id']}"
        refused = api.put(path, {"engagement_id": engagement["id"]})
        assert list(refused.json["errors"]) == ["engagement_id"]

    def test_a_contact_of_no_company_is_another_client(
        self, api: Api, engagement: dict[str, Any]
    ) -> None:
        body = a_proposal(engagement_id=engagement["id"])
        del body["client_company"]
        refused = api.post("/api/proposals", body)
        assert list(refused.json["errors"]) == ["engagement_id"]

    def test_its_own_company_and_its_own_people_are_let_in(
        self, api: Api, tenant: Tenant, engagement: dict[str, Any]
    ) -> None:
        company = {"client_company": {"name": "Client A"}}
        sent = api.send_proposal(engagement_id=engagement["id"], **company)
        assert api.sign(sent).status == 202
        tenant.run_jobs()
        proposal = api.get(f"/api/proposals/{sent['id']}").json
        assert proposal["converted_engagement_id"] == engagement["id"]
        assert tenant.count("portal_accesses") == 1

    def test_an_engagement_without_a_company_takes_any(self, api: Api) -> None:
        engagement = api.made("/api/engagements", {"name": "Nobody's yet"})
        api.send_proposal(engagement_id=engagement["id"])

    def test_staff_may_say_so_and_the_contact_gets_no_access_by_it(
        self, api: Api, tenant: Tenant, engagement: dict[str, Any]
    ) -> None:
        draft = self._allowed(api, engagement)
        assert "allow_other_company" not in draft
        path = f"/api/proposals/{draft['id']}"
        assert api.put(path, {"notes": "The word stands."}).status == 200
        assert api.post(f"{path}/send").status == 200
        assert api.post(f"{path}/sign", Prefer="respond-async").status == 202
        tenant.run_jobs()
        signed = api.get(path).json
        assert signed["converted_engagement_id"] == engagement["id"]
        assert tenant.count("portal_accesses") == 0

    def test_the_word_is_for_this_engagement_and_client_alone(
        self, api: Api, engagement: dict[str, Any]
    ) -> None:
        draft = self._allowed(api, engagement)
        refused = api.put(f"/api/proposals/{draft['id']}", {"client_company": {"name": "Client C"}})
        assert refused.status == 422
        assert list(refused.json["errors"]) == ["engagement_id"]

    @pytest.mark.parametrize("act", ["send", "sign", "preview-signature"])
    def test_it_is_checked_again_when_the_engagement_has_changed(
        self, api: Api, tenant: Tenant, engagement: dict[str, Any], act: str
    ) -> None:
        company = {"client_company": {"name": "Client A"}}
        draft = api.made("/api/proposals", a_proposal(engagement_id=engagement["id"], **company))
        if act == "sign":
            api.made(f"/api/proposals/{draft['id']}/send")
        other = api.made("/api/companies", {"name": "Client B"})
        api.put(f"/api/engagements/{engagement['id']}", {"client_company_id": other["id"]})
        refused = api.post(f"/api/proposals/{draft['id']}/{act}", Prefer="respond-async")
        assert refused.status == 422, refused.text
        assert list(refused.json["errors"]) == ["engagement_id"]
        assert tenant.count("signatures") == 0

    def test_a_signature_is_carried_out_apart_when_the_engagement_changes_after_it(
        self, api: Api, tenant: Tenant, engagement: dict[str, Any]
    ) -> None:
        company = {"client_company": {"name": "Client A"}}
        sent = api.send_proposal(engagement_id=engagement["id"], **company)
        assert api.sign(sent).status == 202
        other = api.made("/api/companies", {"name": "Client B"})
        api.put(f"/api/engagements/{engagement['id']}", {"client_company_id": other["id"]})
        tenant.run_jobs()
        signed = api.get(f"/api/proposals/{sent['id']}").json
        assert signed["converted_engagement_id"] not in (None, engagement["id"])
