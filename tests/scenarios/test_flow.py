"""What happens to a proposal besides a plain signature, and what a signature leads to."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant, a_signature, eventually
from webapp.services.sales.content import CONSENT_TEXT


def sign_and_fulfil(api: Api, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """A signed proposal whose jobs have all run; as the API shows it afterwards."""
    proposal = api.send_proposal(**changes)
    assert api.sign(proposal).status == 202
    tenant.run_jobs()
    return {**api.get(f"/api/proposals/{proposal['id']}").json, "token": proposal["token"]}


def test_the_content_that_is_signed_is_the_one_that_was_sent(api: Api, anybody: Api) -> None:
    proposal = api.send_proposal(notes="Payable within 14 days")
    shown = anybody.get(f"/api/public/proposals/{proposal['token']}").json
    names = ("number", "version", "name", "currency", "total", "notes", "valid_until", "sent_at",
             "organization", "client", "contact", "items")  # fmt: skip
    canonical = rfc8785.dumps({name: shown[name] for name in names})
    assert hashlib.sha256(canonical).hexdigest() == shown["content_sha256"]
    assert shown["content_sha256"] == proposal["content_sha256"]


def test_fetching_and_viewing_are_noted_once_each_and_sign_nothing(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal()
    path = f"/api/public/proposals/{proposal['token']}"
    told = lambda: api.get(f"/api/proposals/{proposal['id']}").json  # noqa: E731
    assert proposal["opened_at"] is proposal["viewed_at"] is None
    assert anybody.call("HEAD", path).status == 200
    assert told()["opened_at"] is None, "a mail server looks whether the link is there"
    for _ in range(3):
        assert anybody.get(path).status == 200
    fetched = told()
    assert fetched["opened_at"] is not None
    assert fetched["viewed_at"] is None, "a mail scanner fetches what the link leads to"
    for _ in range(2):
        assert anybody.post(f"{path}/viewed").status == 204
    seen = told()
    assert seen["opened_at"] == fetched["opened_at"]
    assert seen["viewed_at"] > fetched["opened_at"]
    assert seen["status"] == "Sent"
    tenant.run_jobs("activity.record")
    for event in ("opened", "viewed"):
        assert tenant.count("activity_events", f"type = '{event}'") == 1


@pytest.mark.parametrize("act", ["sign", "decline"])
def test_who_signs_or_declines_has_viewed(api: Api, anybody: Api, act: str) -> None:
    proposal = api.send_proposal()
    if act == "sign":
        assert api.sign(proposal, client=anybody).status == 202
    else:
        path = f"/api/public/proposals/{proposal['token']}/decline"
        assert anybody.post(path, {"reason": "No."}).status == 200
    told = api.get(f"/api/proposals/{proposal['id']}").json
    assert told["opened_at"] is not None
    assert told["viewed_at"] is not None


def test_what_staff_record_says_nothing_of_a_view(api: Api) -> None:
    proposal = api.send_proposal()
    api.made(f"/api/proposals/{proposal['id']}/sign", Prefer="respond-async")
    assert api.get(f"/api/proposals/{proposal['id']}").json["viewed_at"] is None


def test_the_evidence_of_a_signature_is_kept(api: Api, anybody: Api) -> None:
    proposal = api.send_proposal()
    anybody.post(
        f"/api/public/proposals/{proposal['token']}/sign",
        a_signature(proposal["content_sha256"]),
        Prefer="respond-async",
        Accept_Language="de-CH,de;q=0.8",
        User_Agent="A browser",
    )
    evidence = api.get(f"/api/proposals/{proposal['id']}/certificate").json
    assert evidence["signer_name"] == "Robin Ray"
    assert evidence["signer_email"] == "robin@example.com"
    assert evidence["method"] == "typed"
    assert evidence["consent_text"] == CONSENT_TEXT
    assert evidence["locale"] == "de-CH"
    assert evidence["user_agent"] == "A browser"
    assert evidence["ip"] == "127.0.0.1"
    assert evidence["content_sha256"] == proposal["content_sha256"]
    assert evidence["recorded_by"] is None


def test_a_signature_recorded_by_staff_says_who_recorded_it(api: Api, tenant: Tenant) -> None:
    proposal = api.send_proposal()
    accepted = api.post(f"/api/proposals/{proposal['id']}/sign", Prefer="respond-async")
    assert accepted.status == 202
    evidence = api.get(f"/api/proposals/{proposal['id']}/certificate").json
    assert evidence["recorded_by"] == "Tests"
    assert evidence["signer_name"] == "Robin Ray"
    tenant.run_jobs()
    assert tenant.count("engagements") == 1


def test_a_signature_creates_everything_once(api: Api, tenant: Tenant) -> None:
    signed = sign_and_fulfil(api, tenant)
    assert signed["status"] == "Signed"
    engagement = api.get(f"/api/engagements/{signed['converted_engagement_id']}").json
    assert engagement["proposal_id"] == signed["id"]
    assert engagement["total_value"] == signed["total"]
    assert [p["phase"] for p in engagement["projects"]] == ["Kickoff"] * 3
    assert len(engagement["conversations"]) == 3
    order = api.get(f"/api/orders/{signed['converted_order_id']}").json
    assert order["engagement_id"] == engagement["id"]
    assert [i["name"] for i in order["items"]] == [i["name"] for i in signed["items"]]
    [invoice] = tenant.rows("SELECT * FROM invoices WHERE organization_id = %(organization_id)s")
    assert (invoice["status"], str(invoice["total"])) == ("draft", signed["total"])
    [contract] = tenant.rows("SELECT * FROM contracts WHERE organization_id = %(organization_id)s")
    assert contract["status"] == "signed"
    assert tenant.count("portal_accesses") == 1
    assert tenant.count("engagement_contracts") == 1
    assert tenant.count("jobs", "state <> 'done'") == 0


def test_fulfilling_again_changes_nothing(api: Api, tenant: Tenant) -> None:
    from webapp.services.sales.fulfilment import fulfil_signatures

    sign_and_fulfil(api, tenant)
    [signature] = tenant.rows(
        "SELECT id FROM signatures WHERE organization_id = %(organization_id)s"
    )
    before = {t: tenant.count(t) for t in ("engagements", "projects", "orders", "jobs", "invoices")}
    tenant.run(lambda: fulfil_signatures([signature["id"]]))
    assert {t: tenant.count(t) for t in before} == before


def test_the_timeline_tells_the_whole_story(api: Api, anybody: Api, tenant: Tenant) -> None:
    proposal = api.send_proposal()
    anybody.get(f"/api/public/proposals/{proposal['token']}")
    api.sign(proposal)
    tenant.run_jobs()
    engagement_id = api.get(f"/api/proposals/{proposal['id']}").json["converted_engagement_id"]
    events = api.get(f"/api/engagements/{engagement_id}/timeline?limit=100").json["data"]
    told = [(event["entity_type"], event["type"]) for event in reversed(events)]
    story = [
        *(("proposal", event) for event in ("sent", "opened", "viewed", "signed")),
        *((kind, "created") for kind in ("engagement", "project", "order")),
    ]
    positions = [told.index(step) for step in story]
    assert positions == sorted(positions), told
    assert told.count(("project", "created")) == 3
    signed = next(e for e in events if (e["entity_type"], e["type"]) == ("proposal", "signed"))
    assert (signed["from"], signed["to"]) == ("Sent", "Signed")
    assert signed["action"] == "portal:proposal:signed"


def test_signing_for_an_existing_engagement_adds_to_it(api: Api, tenant: Tenant) -> None:
    first = sign_and_fulfil(api, tenant)
    engagement_id = first["converted_engagement_id"]
    client = {"client_company": {"name": first["client_company"]["name"]}}
    second = sign_and_fulfil(api, tenant, engagement_id=engagement_id, **client)
    assert second["converted_engagement_id"] == engagement_id
    assert tenant.count("engagements") == 1
    assert tenant.count("projects") == 6
    assert tenant.count("orders") == 2
    assert tenant.count("engagement_contracts") == 2
    assert api.get(f"/api/engagements/{engagement_id}").json["total_value"] == "21401.98"


def test_an_engagement_that_was_closed_meanwhile_is_not_reopened(api: Api, tenant: Tenant) -> None:
    first = sign_and_fulfil(api, tenant)
    client = {"client_company": {"name": first["client_company"]["name"]}}
    proposal = api.send_proposal(engagement_id=first["converted_engagement_id"], **client)
    api.delete(f"/api/engagements/{first['converted_engagement_id']}")
    api.sign(proposal)
    tenant.run_jobs()
    signed = api.get(f"/api/proposals/{proposal['id']}").json
    assert signed["converted_engagement_id"] != first["converted_engagement_id"]
    assert tenant.count("projects") == 6


def test_a_service_brings_its_template_into_the_project(api: Api, tenant: Tenant) -> None:
    def template() -> None:
        db.session.execute(
            text(
                "INSERT INTO project_templates (organization_id, id, name)"
                " VALUES (:o, '018f0000-0000-7000-8000-000000000001', 'Website')"
            ),
            {"o": tenant.id},
        )
        db.session.execute(
            text(
                "INSERT INTO project_template_milestones"
                " (organization_id, id, project_template_id, name, due_offset_days, position)"
                " VALUES (:o, '018f0000-0000-7000-8000-000000000002',"
                " '018f0000-0000-7000-8000-000000000001', 'Launch', 30, 0)"
            ),
            {"o": tenant.id},
        )
        db.session.execute(
            text(
                "INSERT INTO project_template_tasks (organization_id, id, project_template_id,"
                " milestone_id, name, priority, due_offset_days, position)"
                " VALUES (:o, gen_random_uuid(), '018f0000-0000-7000-8000-000000000001',"
                " '018f0000-0000-7000-8000-000000000002', 'Write copy', 'high', 7, 0)"
            ),
            {"o": tenant.id},
        )

    tenant.run(template)
    service = api.made("/api/services", {
        "name": "Website", "price": "100.00", "currency": "EUR",
        "project_template_id": "018f0000-0000-7000-8000-000000000001",
    })  # fmt: skip
    items = [{"name": "Website", "price": "100.00", "service_id": service["id"]}]
    sign_and_fulfil(api, tenant, items=items)
    [task] = tenant.rows(
        "SELECT t.*, m.name AS milestone, p.start_date FROM tasks t"
        " JOIN milestones m ON m.id = t.milestone_id JOIN projects p ON p.id = t.project_id"
        " WHERE t.organization_id = %(organization_id)s"
    )
    assert (task["name"], task["priority"], task["milestone"]) == ("Write copy", "high", "Launch")
    assert task["due_date"] - task["start_date"] == timedelta(days=7)


def test_a_signature_wins_the_deal(api: Api, tenant: Tenant) -> None:
    deal = api.made("/api/deals", {"name": "Relaunch"})
    sign_and_fulfil(api, tenant, deal_id=deal["id"])
    won = api.get(f"/api/deals/{deal['id']}").json
    assert won["stage"] == "Won"


def test_a_preview_is_what_signing_then_creates(api: Api, tenant: Tenant) -> None:
    proposal = api.send_proposal()
    jobs = tenant.count("jobs")
    preview = api.made(f"/api/proposals/{proposal['id']}/preview-signature")
    assert tenant.count("signatures") == tenant.count("engagements") == 0
    assert tenant.count("jobs") == jobs
    assert api.get(f"/api/proposals/{proposal['id']}").json["status"] == "Sent"

    signed = api.made(f"/api/proposals/{proposal['id']}/sign", Prefer="respond-async")
    tenant.run_jobs()
    created = api.get(f"/api/public/proposals/{proposal['token']}/result").json
    assert signed["proposal"]["status"] == "Signed"
    assert preview["creates_engagement"] is True
    assert preview["engagement"]["name"] == created["engagement"]["name"]
    assert [p["name"] for p in preview["projects"]] == [p["name"] for p in created["projects"]]
    assert preview["order"]["total"] == created["order"]["total"]


def test_declining_tells_the_owner_why(api: Api, anybody: Api, tenant: Tenant) -> None:
    proposal = api.send_proposal()
    path = f"/api/public/proposals/{proposal['token']}"
    declined = anybody.post(f"{path}/decline", {"reason": "Too expensive"})
    assert declined.status == 200, declined.text
    assert declined.json["status"] == "Declined"
    assert api.get(f"/api/proposals/{proposal['id']}").json["decline_reason"] == "Too expensive"
    tenant.run_jobs()
    assert tenant.count("activity_events", "type = 'declined'") == 1


def test_a_revised_proposal_is_sent_again_as_a_new_version(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    first = api.send_proposal()
    revised = api.made(f"/api/proposals/{first['id']}/revise")
    assert (revised["status"], revised["version"]) == ("Draft", 2)
    api.put(f"/api/proposals/{first['id']}", {"items": [{"name": "Less", "price": "5.00"}]})
    second = api.made(f"/api/proposals/{first['id']}/send")
    assert second["content_sha256"] != first["content_sha256"]
    assert second["signing_url"] != first["signing_url"]
    token = second["signing_url"].rsplit("/", 1)[1]
    stale = anybody.post(
        f"/api/public/proposals/{token}/sign", a_signature(first["content_sha256"])
    )
    assert stale.status == 409
    signed = anybody.post(
        f"/api/public/proposals/{token}/sign",
        a_signature(second["content_sha256"]),
        Prefer="respond-async",
    )
    assert signed.status == 202
    tenant.run_jobs()
    assert tenant.count("projects") == 1


class TestExpiry:
    """Expiry is decided by the database's clock."""

    @pytest.fixture
    def expired(self, api: Api, tenant: Tenant) -> dict[str, Any]:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        proposal = api.send_proposal(valid_until=soon)
        tenant.run(
            lambda: db.session.execute(
                text("UPDATE proposals SET valid_until = now() - interval '1 second'")
            )
        )
        return proposal

    def test_an_expired_proposal_cannot_be_signed_or_declined(
        self, api: Api, anybody: Api, tenant: Tenant, expired: dict[str, Any]
    ) -> None:
        path = f"/api/public/proposals/{expired['token']}"
        signed = api.sign(expired, client=anybody)
        assert signed.status == 409
        assert signed.json["type"] == "/problems/expired"
        assert anybody.post(f"{path}/decline", {"reason": "no"}).status == 409
        assert anybody.get(path).json["status"] == "Expired"
        assert tenant.count("signatures") == 0

    def test_the_beat_job_writes_the_expiry_down(
        self, app: Flask, tenant: Tenant, api: Api, expired: dict[str, Any]
    ) -> None:
        from webapp.services.sales.sending import expire_proposals

        assert tenant.run(expire_proposals) == 1
        assert tenant.run(expire_proposals) == 0
        assert api.get(f"/api/proposals/{expired['id']}").json["status"] == "Expired"
        assert api.post(f"/api/proposals/{expired['id']}/revise").json["status"] == "Draft"


def test_a_proposal_that_has_passed_already_cannot_be_sent(api: Api) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    draft = api.made("/api/proposals", {"name": "x", "currency": "EUR", "valid_until": past})
    assert api.post(f"/api/proposals/{draft['id']}/send").status == 422


def test_mails_lead_the_client_to_the_link_and_back(
    app: Flask, api: Api, anybody: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal()
    tenant.run_jobs()
    folder = Path(app.config["SETTINGS"].var_dir) / "mail"

    def mail(kind: str) -> str:
        found = [
            message
            for file in folder.glob(f"{kind}.*.eml")
            if (message := message_from_bytes(file.read_bytes(), policy=policy.default))["To"]
            and proposal["contact"]["email"] in message["To"]
        ]
        assert len(found) == 1, kind
        body = found[0].get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    assert proposal["signing_url"] in mail("signing_link")
    api.sign(proposal, client=anybody)
    tenant.run_jobs()
    assert proposal["signing_url"] in mail("signed_client")
    eventually(lambda: tenant.count("jobs", "state <> 'done'") == 0)
