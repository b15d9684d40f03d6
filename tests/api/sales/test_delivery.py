"""What becomes of the mail with the signing link, and sending it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from models.jobs import MAX_ATTEMPTS
from tests.pages.test_signing_form import form_for
from tests.support.faults import owner_connection
from tests.support.smtp import MailHost, mail_host
from tests.support.tenants import Api, Tenant, a_proposal, a_signature, eventually
from webapp.core.mail import MAIL_SERVER
from webapp.services.jobs import operations
from webapp.services.sales.queries import proposal_behind_link

GONE = "550 5.1.1 No such user"
RIGHT = "robin.right@example.com"


@pytest.fixture
def host(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailHost]:
    with mail_host() as running:
        settings = replace(app.config["SETTINGS"], smtp_url=running.url)
        monkeypatch.setitem(app.config, "SETTINGS", settings)
        yield running
        MAIL_SERVER.close()


def delivery(api: Api, proposal: dict[str, Any]) -> Any:
    return api.get(f"/api/proposals/{proposal['id']}").json["delivery"]


def resend(api: Api, proposal: dict[str, Any], email: str | None = None) -> dict[str, Any]:
    body = {"email": email} if email else None
    sent: dict[str, Any] = api.made(f"/api/proposals/{proposal['id']}/resend", body)
    return {**sent, "token": sent["signing_url"].rsplit("/", 1)[1]}


def refused(api: Api, tenant: Tenant, host: MailHost) -> dict[str, Any]:
    """A proposal whose contact's address does not exist."""
    unique = tenant.id.hex[-12:]
    contact = {"first_name": "Robin", "last_name": "Ray", "email": f"wrong.{unique}@example.com"}
    host.refused[contact["email"]] = GONE
    proposal = api.send_proposal(contact=contact)
    tenant.run_jobs()
    return proposal


def mail_jobs(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.rows(
        "SELECT * FROM jobs WHERE organization_id = %(organization_id)s"
        " AND kind = 'sales.mail_signing_link' ORDER BY seq"
    )


def try_again(tenant: Tenant) -> None:
    tenant.run(
        lambda: db.session.execute(text("UPDATE jobs SET run_at = now() WHERE state = 'ready'"))
    )
    tenant.run_jobs()


def events(tenant: Tenant) -> list[str]:
    return [
        row["type"]
        for row in tenant.rows(
            "SELECT type FROM activity_events WHERE organization_id = %(organization_id)s"
            " AND entity_type = 'proposal' ORDER BY entity_version, occurred_at"
        )
    ]


def test_a_proposal_shows_that_its_link_is_on_its_way_and_then_that_it_was_delivered(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    draft = api.made("/api/proposals", a_proposal())
    assert draft["delivery"] is None
    sent = api.made(f"/api/proposals/{draft['id']}/send")
    to = sent["contact"]["email"]
    assert sent["delivery"] == {"state": "pending", "to": to, "at": None, "reason": None}
    tenant.run_jobs()
    shown = delivery(api, sent)
    assert (shown["state"], shown["to"], shown["reason"]) == ("delivered", to, None)
    assert shown["at"] >= sent["sent_at"]
    assert events(tenant) == ["created", "sent", "delivered"]


def test_a_delivery_is_no_change_of_the_proposal_that_would_be_in_anybodys_way(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    draft = api.made("/api/proposals", a_proposal())
    sent = api.post(f"/api/proposals/{draft['id']}/send")
    tenant.run_jobs()
    after = api.get(f"/api/proposals/{draft['id']}", If_None_Match=sent.headers["ETag"])
    assert after.status == 200, "what is shown has changed"
    revised = api.post(f"/api/proposals/{draft['id']}/revise", If_Match=sent.headers["ETag"])
    assert revised.status == 200


def test_a_refused_address_is_shown_at_once_with_the_reason(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    proposal = refused(api, tenant, host)
    shown = delivery(api, proposal)
    assert (shown["state"], shown["to"]) == ("undeliverable", proposal["contact"]["email"])
    assert GONE in shown["reason"]
    [job] = mail_jobs(tenant)
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert GONE in job["last_error"]
    assert events(tenant) == ["created", "sent", "undeliverable"]


def test_another_address_gets_a_link_of_its_own_and_the_old_one_is_dead(
    app: Flask, api: Api, anybody: Api, tenant: Tenant, host: MailHost
) -> None:
    old = refused(api, tenant, host)
    new = resend(api, old, RIGHT)
    assert (new["contact"]["email"], new["version"]) == (RIGHT, 1)
    assert new["content_sha256"] == old["content_sha256"], "what is signed is what was sent"
    assert new["delivery"] == {"state": "pending", "to": RIGHT, "at": None, "reason": None}
    assert new["token"] != old["token"]
    tenant.run_jobs()
    assert host.recipients == [RIGHT]
    assert delivery(api, new)["state"] == "delivered"

    gone = api.sign(old, client=anybody)
    assert (gone.status, gone.json["type"]) == (410, "/problems/link-replaced")
    assert gone.json["detail"] == "This link was replaced; use the link in the latest mail."
    page = app.test_client().get(f"/sign/{old['token']}")
    assert (page.status_code, "This link was replaced" in page.text) == (410, True)
    for rest in ("/viewed", "/decline"):
        body = {"reason": "No."} if rest == "/decline" else None
        answer = anybody.post(f"/api/public/proposals/{old['token']}{rest}", body)
        assert answer.status == 410

    assert api.sign(new, client=anybody).status == 202
    tenant.run_jobs()
    assert api.get(f"/api/proposals/{old['id']}").json["status"] == "Signed"
    assert tenant.count("engagements") == tenant.count("orders") == 1
    thanks = [recipient for recipient, mail in host.mails if b"Subject: Signed:" in mail]
    assert thanks == [RIGHT], "where the client can be reached"
    assert anybody.get(f"/api/public/proposals/{new['token']}/signed.pdf").status == 200
    expected = ["created", "sent", "undeliverable", "resent", "delivered"]
    assert events(tenant)[:5] == expected


@pytest.mark.parametrize("rest", ["", "/result", "/signed.pdf"])
def test_what_a_replaced_link_reads_of_the_others_signature_is_nothing(
    app: Flask, api: Api, anybody: Api, tenant: Tenant, host: MailHost, rest: str
) -> None:
    old = refused(api, tenant, host)
    new = resend(api, old, RIGHT)
    signature = a_signature(new["content_sha256"], signer_name="Ida Secret")
    path = f"/api/public/proposals/{new['token']}/sign"
    assert anybody.post(path, signature, Prefer="respond-async").status == 202
    tenant.run_jobs()
    answer = anybody.get(f"/api/public/proposals/{old['token']}{rest}")
    assert answer.status == 410
    assert "Ida" not in answer.text
    page = app.test_client().get(f"/sign/{old['token']}", follow_redirects=True)
    assert "Ida" not in page.text
    [link] = tenant.rows(
        "SELECT credential_id FROM signing_links WHERE organization_id = %(organization_id)s"
        " AND revoked_at IS NOT NULL"
    )
    seen = tenant.run(lambda: proposal_behind_link(link["credential_id"], even_replaced=True))
    about_the_signature = ("signature_id", "signer_name", "has_document", "viewed_at")
    assert not any(seen[name] for name in about_the_signature)


def test_the_same_address_gets_the_same_link_in_a_mail_of_its_own(
    api: Api, anybody: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    tenant.run_jobs()
    for given in (None, sent["contact"]["email"], sent["contact"]["email"].upper()):
        again = resend(api, sent, given)
        assert again["signing_url"] == sent["signing_url"]
        assert again["delivery"]["state"] == "pending"
        tenant.run_jobs()
    assert delivery(api, sent)["state"] == "delivered"
    assert host.recipients == [sent["contact"]["email"]] * 4
    ids = {mail.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for _, mail in host.mails}
    assert len(ids) == 4, "no receiver may take one for a repeat of another"
    assert tenant.count("signing_links") == 1
    assert api.sign(sent, client=anybody).status == 202


def test_what_was_sent_again_meanwhile_is_mailed_once(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    resend(api, sent)
    tenant.run_jobs()
    assert host.recipients == [sent["contact"]["email"]]
    assert delivery(api, sent)["state"] == "delivered"


def test_an_address_that_staff_have_corrected_on_the_contact_is_where_it_goes(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    old = refused(api, tenant, host)
    assert api.put(f"/api/contacts/{old['contact']['id']}", {"email": RIGHT}).status == 200
    new = resend(api, old)
    assert new["delivery"]["to"] == RIGHT
    assert new["token"] != old["token"]


def test_an_address_of_another_contact_is_refused_and_the_old_link_lives_on(
    api: Api, anybody: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    other = {"first_name": "Ida", "last_name": "Ray", "email": "ida@example.com"}
    api.made("/api/contacts", other)
    answer = api.post(f"/api/proposals/{sent['id']}/resend", {"email": "Ida@example.com"})
    assert (answer.status, list(answer.json["errors"])) == (409, ["email"])
    assert api.sign(sent, client=anybody).status == 202


def test_only_a_proposal_that_waits_for_its_signature_is_sent_again(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    draft = api.made("/api/proposals", a_proposal())
    signed, declined, expired, deleted = (api.send_proposal() for _ in range(4))
    api.sign(signed)
    api.made(f"/api/proposals/{declined['id']}/decline", {"reason": "No."})
    tenant.rows(
        "UPDATE proposals SET valid_until = now() - interval '1 day' WHERE id = %(id)s"
        " RETURNING id",
        id=expired["id"],
    )
    api.delete(f"/api/proposals/{deleted['id']}")
    for proposal, status, advice in (
        (draft, 409, "send it"),
        (signed, 409, "goes on showing it"),
        (declined, 409, "revise it"),
        (expired, 409, "revise it"),
        (deleted, 404, "no proposal"),
    ):
        answer = api.post(f"/api/proposals/{proposal['id']}/resend")
        assert (answer.status, advice in answer.json["detail"]) == (status, True), answer.text


def test_a_proposal_is_not_sent_again_to_a_contact_that_was_deleted(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    api.delete(f"/api/contacts/{sent['contact']['id']}")
    answer = api.post(f"/api/proposals/{sent['id']}/resend")
    assert (answer.status, "name another" in answer.json["detail"]) == (409, True)


def test_sending_again_heeds_the_etag_and_the_idempotency_key(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    path = f"/api/proposals/{sent['id']}/resend"
    tag = api.get(f"/api/proposals/{sent['id']}").headers["ETag"]
    first, again = (
        api.post(path, {"email": RIGHT}, If_Match=tag, Idempotency_Key="k") for _ in range(2)
    )
    assert (first.status, again.status) == (200, 200)
    assert again.json == first.json, "and so the link is the same"
    assert len(mail_jobs(tenant)) == 2
    assert api.post(path, If_Match=tag).status == 412
    kept = tenant.rows(
        "SELECT body::text FROM idempotency_keys WHERE organization_id = %(organization_id)s"
    )
    assert first.json["signing_url"].rsplit("/", 1)[1] not in kept[0]["body"]


def test_the_link_of_a_proposal_that_was_deleted_meanwhile_is_not_mailed(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    assert api.delete(f"/api/proposals/{sent['id']}").status == 204
    tenant.run_jobs()
    assert host.mails == []
    assert [job["state"] for job in mail_jobs(tenant)] == ["done"]


def test_a_signature_that_waited_while_its_link_was_replaced_comes_too_late(
    app: Flask, api: Api, tenant: Tenant, host: MailHost
) -> None:
    sent = api.send_proposal()
    with ThreadPoolExecutor(1) as pool, owner_connection(tenant) as resender:
        resender.execute("SELECT set_config('app.organization_id', %s, false)", (str(tenant.id),))
        resender.execute("SELECT FROM proposals WHERE id = %s FOR UPDATE", (sent["id"],))
        form = form_for(sent)
        signing = pool.submit(lambda: app.test_client().post(f"/sign/{sent['token']}", data=form))
        eventually(
            lambda: tenant.rows(
                "SELECT FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'"
            )
        )
        resender.execute(
            "UPDATE signing_links SET revoked_at = now() WHERE proposal_id = %s", (sent["id"],)
        )
        resender.commit()
        assert signing.result(10).status_code == 303
    assert tenant.count("signatures") == 0
    assert app.test_client().get(f"/sign/{sent['token']}").status_code == 410


def test_a_mail_server_away_for_longer_than_eight_tries_kills_no_mail(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    host.greeting = "421 not now"
    sent = api.send_proposal()
    for _ in range(MAX_ATTEMPTS + 2):
        try_again(tenant)
    [job] = mail_jobs(tenant)
    assert (job["state"], job["excused"]) == ("ready", job["attempts"])
    assert job["attempts"] > MAX_ATTEMPTS
    assert delivery(api, sent)["state"] == "pending"
    host.greeting = "220 back"
    try_again(tenant)
    assert delivery(api, sent)["state"] == "delivered"


def test_a_mail_that_was_given_up_is_shown_and_still_arrives_when_it_is_retried(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    host.greeting = "421 not now"
    sent = api.send_proposal()
    try_again(tenant)
    tenant.rows(
        "UPDATE job_attempts SET started_at = now() - interval '4 days'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    for _ in range(MAX_ATTEMPTS):
        try_again(tenant)
    [job] = mail_jobs(tenant)
    assert job["state"] == "dead"
    shown = delivery(api, sent)
    assert shown["state"] == "undeliverable"
    assert shown["reason"].startswith("Given up after 9 tries.")
    host.greeting = "220 back"
    tenant.run(lambda: operations.retry_job(job["id"]))
    tenant.run_jobs()
    assert delivery(api, sent)["state"] == "delivered"
    assert events(tenant) == ["created", "sent", "undeliverable", "delivered"]


def test_a_mail_that_waits_for_its_server_holds_up_no_other_proposals_mail(
    api: Api, tenant: Tenant, host: MailHost
) -> None:
    waiting = api.send_proposal()
    host.refused[waiting["contact"]["email"]] = "450 4.2.1 Later"
    tenant.run_jobs()
    others = [refused(api, tenant, host), api.send_proposal()]
    tenant.run_jobs()
    assert [delivery(api, proposal)["state"] for proposal in (waiting, *others)] == [
        "pending", "undeliverable", "delivered",
    ]  # fmt: skip


def test_a_hanging_server_costs_each_mail_its_time_and_the_next_one_is_tried(
    api: Api, tenant: Tenant, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.core.smtp.STEP_SECONDS", 0.3)
    host.mute = True
    for _ in range(3):
        api.send_proposal()
    began = time.monotonic()
    tenant.run_jobs("sales.mail_signing_link")
    assert time.monotonic() - began < 4
    assert [job["excused"] for job in mail_jobs(tenant)] == [1, 1, 1]
