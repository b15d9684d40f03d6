"""A signing link opens its own version, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant, a_proposal, a_signature


@pytest.fixture
def replaced(api: Api, anybody: Api, tenant: Tenant) -> dict[str, Any]:
    """A proposal sent to Robin, then revised for Ida, who signed; as it was sent to Robin."""
    first = api.send_proposal()
    path = f"/api/proposals/{first['id']}"
    api.made(f"{path}/revise")
    contact = {"first_name": "Ida", "last_name": "Secret", "email": "ida.secret@example.com"}
    api.put(path, {"contact": contact, "name": "For Ida alone"})
    second = api.made(f"{path}/send")
    second["token"] = second["signing_url"].rsplit("/", 1)[1]
    signature = a_signature(
        second["content_sha256"], signer_name="Ida Secret", signer_email="ida.secret@example.com"
    )
    signed = anybody.post(
        f"/api/public/proposals/{second['token']}/sign", signature, Prefer="respond-async"
    )
    assert signed.status == 202
    tenant.run_jobs()
    assert anybody.get(f"/sign/{second['token']}/signed.pdf").content.startswith(b"%PDF-")
    return first


@pytest.mark.parametrize("rest", ["", "/signed.pdf"])
def test_the_page_of_a_replaced_link_tells_nothing_of_the_newer_version(
    app: Flask, replaced: dict[str, Any], rest: str
) -> None:
    answer = app.test_client().get(f"/sign/{replaced['token']}{rest}", follow_redirects=True)
    assert answer.status_code == 410
    assert "There is a newer version" in answer.text
    assert "Ida" not in answer.text


@pytest.mark.parametrize("rest", ["", "/result", "/signed.pdf"])
def test_a_program_with_a_replaced_link_learns_nothing_of_the_newer_version(
    anybody: Api, replaced: dict[str, Any], rest: str
) -> None:
    answer = anybody.get(f"/api/public/proposals/{replaced['token']}{rest}")
    assert answer.status == 410
    assert answer.json["type"] == "/problems/link-replaced"
    assert "Ida" not in answer.text


def test_what_a_replaced_link_reads_of_the_signature_is_nothing(
    tenant: Tenant, replaced: dict[str, Any]
) -> None:
    from webapp.services.sales.queries import proposal_behind_link

    [link] = tenant.rows(
        "SELECT credential_id FROM signing_links WHERE organization_id = %(organization_id)s"
        " AND version = 1"
    )
    seen = tenant.run(lambda: proposal_behind_link(link["credential_id"], even_replaced=True))
    assert seen["status"] == "revised"
    about_the_signature = ("signed_at", "viewed_at", "signature_id", "signer_name", "has_document")
    assert not any(seen[name] for name in about_the_signature)


def test_the_202_of_a_client_points_to_a_result_that_the_link_may_read(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal()
    path = f"/api/public/proposals/{proposal['token']}"
    first, again = (
        api.sign(proposal, client=anybody, Idempotency_Key="once", Prefer="respond-async")
        for _ in range(2)
    )
    for answer in (first, again):
        assert (answer.status, answer.headers["Location"]) == (202, f"{path}/result")
    followed = anybody.get(first.headers["Location"])
    assert (followed.status, followed.json["engagement"]) == (200, None)
    tenant.run_jobs("sales.fulfil_signature")
    assert anybody.get(first.headers["Location"]).json["engagement"]["status"] == "Active"


def test_no_kept_answer_holds_a_links_token(api: Api, anybody: Api, tenant: Tenant) -> None:
    draft = api.made("/api/proposals", a_proposal())
    path = f"/api/proposals/{draft['id']}"
    sent = api.made(f"{path}/send", Idempotency_Key="send")
    token = sent["signing_url"].rsplit("/", 1)[1]
    signed = api.sign({**sent, "token": token}, client=anybody, Idempotency_Key="sign")
    assert signed.status == 202
    kept = tenant.rows(
        "SELECT body::text FROM idempotency_keys WHERE organization_id = %(organization_id)s"
    )
    assert len(kept) == 2
    assert not [row for row in kept if token in row["body"]]


def test_the_answer_that_shows_a_link_is_stored_by_nobody(api: Api) -> None:
    draft = api.made("/api/proposals", a_proposal())
    for _ in range(2):
        sent = api.post(f"/api/proposals/{draft['id']}/send", Idempotency_Key="send")
        assert "/sign/" in sent.json["signing_url"]
        assert sent.headers["Cache-Control"] == "no-store"
        assert sent.headers["ETag"]


def test_an_offer_without_a_time_limit_ends_when_the_organization_says(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE organizations SET link_days = 7 WHERE id = :id"), {"id": tenant.id}
        )
    )
    sent = api.send_proposal()
    days = (moment(sent["valid_until"]) - moment(sent["sent_at"])).total_seconds() / 86_400
    assert days == pytest.approx(7)
    shown = anybody.get(f"/api/public/proposals/{sent['token']}").json
    assert shown["valid_until"] == sent["valid_until"], "the client reads until when it holds"
    revised = api.made(f"/api/proposals/{sent['id']}/revise")
    assert revised["valid_until"] is None, "nobody chose it"


def test_a_time_limit_that_was_chosen_stays_when_a_proposal_is_revised(api: Api) -> None:
    chosen = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).isoformat()
    sent = api.send_proposal(valid_until=chosen)
    assert api.made(f"/api/proposals/{sent['id']}/revise")["valid_until"] == sent["valid_until"]


def test_no_link_waits_longer_than_a_year(api: Api) -> None:
    far = dt.datetime.now(dt.UTC) + dt.timedelta(days=366)
    draft = api.made("/api/proposals", a_proposal(valid_until=far.isoformat()))
    answer = api.post(f"/api/proposals/{draft['id']}/send")
    assert answer.status == 422
    assert answer.json["errors"] == {
        "valid_until": ["A link waits at most 365 days; choose an earlier time."]
    }
    near = (far - dt.timedelta(days=2)).isoformat()
    api.put(f"/api/proposals/{draft['id']}", {"valid_until": near})
    assert api.post(f"/api/proposals/{draft['id']}/send").status == 200


def test_a_signed_proposals_link_goes_on_showing_it_after_the_offer_has_ended(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    sent = api.send_proposal()
    api.sign(sent, client=anybody)
    tenant.run_jobs()
    tenant.rows(
        "UPDATE proposals SET valid_until = now() - interval '1 day'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    path = f"/api/public/proposals/{sent['token']}"
    assert anybody.get(path).json["status"] == "Signed"
    assert anybody.get(f"{path}/signed.pdf").content.startswith(b"%PDF")


def moment(wire: str) -> dt.datetime:
    return dt.datetime.fromisoformat(wire)
