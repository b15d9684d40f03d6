"""Webhooks over REST and a real receiver: signed, tried again, replayed, in order, for whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.support.forms import uploaded
from tests.support.receiver import Receiver, a_receiver
from tests.support.tenants import Api, Tenant
from webapp.services.identity.accounts import create_user

PATH = "/api/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def loopback(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with WEBHOOKS_ALLOW_LOOPBACK=on."""
    settings = replace(app.config["SETTINGS"], webhooks_allow_loopback=True)
    monkeypatch.setitem(app.config, "SETTINGS", settings)


@pytest.fixture
def webhook(api: Api, receiver: Receiver) -> dict[str, Any]:
    made: dict[str, Any] = api.made(PATH, {"url": receiver.url, "event_types": ["deal.created"]})
    return made


def deal(api: Api, tenant: Tenant, name: str = "x") -> str:
    made: dict[str, Any] = api.made("/api/deals", {"name": name})
    tenant.run_jobs()
    return str(made["id"])


def try_again(tenant: Tenant) -> None:
    """Let the time of the next tries have come."""
    tenant.rows(
        "UPDATE jobs SET run_at = now() WHERE organization_id = %(organization_id)s"
        " AND state = 'ready' AND kind = 'webhooks.deliver' RETURNING id"
    )
    tenant.run_jobs()


def rested(tenant: Tenant) -> None:
    """Let the last failure be a while ago."""
    tenant.rows(
        "UPDATE webhook_endpoints SET last_failed_at = now() - interval '2 minutes'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )


def deliveries(api: Api, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = api.get(f"{PATH}/{webhook['id']}/deliveries{query}").json["data"]
    return listed


def whole(api: Api, delivery: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/webhook-deliveries/{delivery['id']}").json
    return found


def test_an_event_is_sent_signed_as_the_standard_says(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    entity = deal(api, tenant)
    [message] = receiver.received
    assert message.path == "/hooks"
    assert message.is_signed_by(webhook["secret"])
    assert not message.is_signed_by("whsec_" + "A" * 43 + "=")
    assert message.headers["content-type"] == "application/json"
    sent_at = dt.datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), dt.UTC)
    assert abs(dt.datetime.now(dt.UTC) - sent_at) < dt.timedelta(minutes=1)
    assert message.json["type"] == "deal.created"
    data = message.json["data"]
    assert (data["entity_id"], data["actor"]["name"]) == (entity, "Tests")
    [event] = api.get("/api/events?entity_type=deal").json["data"]
    assert message.id == data["id"] == event["id"]
    assert data["position"] == event["position"]
    [delivery] = deliveries(api, webhook)
    assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == (
        "delivered",
        1,
        204,
    )
    assert whole(api, delivery)["payload"] == message.json


def test_the_secret_is_shown_once(api: Api, webhook: dict[str, Any]) -> None:
    assert webhook["secret"].startswith("whsec_")
    shown = api.get(f"{PATH}/{webhook['id']}")
    assert (shown.status, "secret" in shown.json) == (200, False)
    listed = api.get(PATH)
    assert listed.status == 200
    assert webhook["secret"] not in listed.text
    assert webhook["secret"] not in shown.text


def test_only_what_was_asked_for_is_sent_and_without_a_choice_all_is(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    api.made("/api/companies", {"name": "Acme"})
    tenant.run_jobs()
    assert receiver.received == []
    api.put(f"{PATH}/{webhook['id']}", {"event_types": []})
    tenant.run_jobs()
    receiver.received.clear()
    api.made("/api/companies", {"name": "Other"})
    tenant.run_jobs()
    assert [message.json["type"] for message in receiver.received] == ["client_company.created"]


def test_what_was_not_taken_is_tried_again_under_the_same_id(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    receiver.answers, receiver.words = [500, 503], b"Out of order"
    deal(api, tenant)
    [delivery] = deliveries(api, webhook, "?state=pending")
    assert delivery["attempts"] == 1
    assert api.get(f"{PATH}/{webhook['id']}").json["failure_count"] == 1
    [job] = tenant.rows(
        "SELECT lane, excused, run_at > now() + interval '3 seconds' AS waits FROM jobs"
        " WHERE organization_id = %(organization_id)s AND kind = 'webhooks.deliver'"
    )
    assert job == {"lane": "webhook", "excused": 1, "waits": True}
    try_again(tenant)
    try_again(tenant)
    assert len(receiver.received) == 3
    assert len({message.id for message in receiver.received}) == 1
    assert len({message.body for message in receiver.received}) == 1
    found = whole(api, delivery)
    assert found["state"] == "delivered"
    assert [each["response_status"] for each in found["attempts_log"]] == [500, 503, 204]
    assert found["attempts_log"][0]["response_excerpt"] == "Out of order"
    assert api.get(f"{PATH}/{webhook['id']}").json["failing_since"] is None


def test_a_delivery_is_replayed_once_it_has_ended(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    deal(api, tenant)
    [delivery] = deliveries(api, webhook)
    path = f"/api/webhook-deliveries/{delivery['id']}/replay"
    again = api.post(path)
    assert (again.status, again.json["state"], again.json["replays"]) == (202, "pending", 1)
    assert api.post(path).status == 409  # it is on its way
    tenant.run_jobs()
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert whole(api, delivery)["state"] == "delivered"


def test_both_secrets_sign_while_receivers_change_over(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    path = f"{PATH}/{webhook['id']}/rotate-secret"
    rotated = api.made(path, {"overlap_hours": 1})
    assert rotated["secret"] != webhook["secret"]
    deal(api, tenant)
    assert receiver.received[-1].is_signed_by(webhook["secret"])
    assert receiver.received[-1].is_signed_by(rotated["secret"])
    tenant.rows(
        "UPDATE webhook_endpoints SET previous_secret_until = now() - interval '1 second'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    deal(api, tenant)
    assert not receiver.received[-1].is_signed_by(webhook["secret"])
    assert receiver.received[-1].is_signed_by(rotated["secret"])
    last = api.made(path, {"overlap_hours": 0})
    deal(api, tenant)
    assert not receiver.received[-1].is_signed_by(rotated["secret"])
    assert receiver.received[-1].is_signed_by(last["secret"])


def test_what_is_about_one_record_is_sent_in_order_and_holds_up_no_other(
    api: Api, tenant: Tenant, receiver: Receiver
) -> None:
    api.made(PATH, {"url": receiver.url, "event_types": ["deal.created", "deal.updated"]})
    receiver.answers = [500]
    first = deal(api, tenant, "first")
    api.put(f"/api/deals/{first}", {"name": "renamed"})
    other = deal(api, tenant, "other")

    def told() -> list[tuple[str, str]]:
        return [(m.json["data"]["entity_id"], m.json["type"]) for m in receiver.received]

    assert told() == [(first, "deal.created"), (other, "deal.created")]
    try_again(tenant)
    assert told()[2:] == [(first, "deal.created"), (first, "deal.updated")]


def test_a_client_is_told_of_nothing_that_is_internal_or_a_draft(
    api: Api, tenant: Tenant, receiver: Receiver
) -> None:
    api.made(PATH, {"url": receiver.url, "audience": "clients"})
    proposal = api.send_proposal(notes="kanarienvogel")
    api.sign(proposal)
    tenant.run_jobs()
    signed = api.get(f"/api/proposals/{proposal['id']}").json
    engagement = api.get(f"/api/engagements/{signed['converted_engagement_id']}").json
    talk = engagement["conversations"][0]
    messages = f"/api/projects/{talk['project_id']}/conversations/{talk['id']}/messages"
    api.made(messages, {"content": "kanarienvogel", "is_internal": True})
    shown = api.made(messages, {"content": "Hello"})
    uploaded(api, name="kanarienvogel.pdf", engagement_id=engagement["id"])
    file = uploaded(api, engagement_id=engagement["id"], visible_to_client="true")
    api.made("/api/proposals", {"name": "kanarienvogel", "currency": "EUR"})
    api.put(f"/api/projects/{talk['project_id']}", {"description": "kanarienvogel"})
    tenant.run_jobs()
    told = {(m.json["type"], m.json["data"]["entity_id"]) for m in receiver.received}
    names = {name for name, _ in told}
    assert ("proposal.signed", proposal["id"]) in told
    assert {"contract.signed", "proposal.sent", "engagement.created"} <= names
    assert {id_ for name, id_ in told if name == "message.created"} == {shown["id"]}
    assert {id_ for name, id_ in told if name == "file_object.created"} == {file["id"]}
    assert not {"proposal.created", "project.updated", "deal.created"} & names
    for message in receiver.received:
        assert "kanarienvogel" not in message.body.decode()
        assert not {"actor", "metadata", "action"} & set(message.json["data"])


def test_a_receiver_that_is_gone_or_fails_for_days_is_switched_off_and_its_owner_told(
    api: Api, app: Flask, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    address = f"olga@{tenant.slug}.example"
    tenant.run(lambda: create_user(address, "Olga", "a long enough password", role="owner"))
    receiver.answers = [500] * 3
    deal(api, tenant)
    tenant.rows(
        "UPDATE webhook_endpoints SET failing_since = now() - interval '73 hours',"
        " failure_count = 8 WHERE organization_id = %(organization_id)s RETURNING id"
    )
    rested(tenant)
    try_again(tenant)  # the ninth
    assert api.get(f"{PATH}/{webhook['id']}").json["is_active"] is True
    rested(tenant)
    try_again(tenant)
    off = api.get(f"{PATH}/{webhook['id']}").json
    assert (off["is_active"], off["failure_count"]) == (False, 10)
    assert off["disabled_reason"] == "Every delivery has failed for 3 days."
    mails = list((app.config["SETTINGS"].var_dir / "mail").glob(f"*{webhook['id']}*"))
    assert len(mails) == 1
    assert address in mails[0].read_text()
    try_again(tenant)
    [delivery] = deliveries(api, webhook)
    assert (delivery["state"], len(receiver.received)) == ("failed", 3)
    assert api.post(f"/api/webhook-deliveries/{delivery['id']}/replay").status == 409
    assert api.post(f"{PATH}/{webhook['id']}/test").status == 409
    on = api.put(f"{PATH}/{webhook['id']}", {"is_active": True}).json
    assert (on["failure_count"], on["failing_since"], on["disabled_at"]) == (0, None, None)
    api.made(f"/api/webhook-deliveries/{delivery['id']}/replay")
    receiver.answers = [410]
    tenant.run_jobs()
    assert api.get(f"{PATH}/{webhook['id']}").json["is_active"] is False
    assert whole(api, delivery)["state"] == "failed"


def test_a_receiver_that_fails_all_the_time_is_tried_once_a_minute(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    """However much waits for it: each try at one that hangs takes others' time."""
    receiver.answers = [500] * 20
    for n in range(9):
        deal(api, tenant, str(n))
    assert len(receiver.received) == 5
    try_again(tenant)
    assert len(receiver.received) == 5
    rested(tenant)
    try_again(tenant)
    assert len(receiver.received) == 6
    receiver.answers = []
    rested(tenant)
    try_again(tenant)  # the first that is taken lets the others go
    assert len({m.id for m in receiver.received}) == 9
    assert deliveries(api, webhook, "?state=pending") == []


def test_a_webhook_is_tried_out(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    answer = api.post(f"{PATH}/{webhook['id']}/test")
    assert (answer.status, answer.json["state"]) == (202, "pending")
    tenant.run_jobs()
    [message] = receiver.received
    assert message.json["type"] == "webhook.test"
    assert message.is_signed_by(webhook["secret"])
    assert api.get(answer.headers["Location"]).json["state"] == "delivered"


def test_a_deleted_webhook_is_sent_nothing_more(
    api: Api, tenant: Tenant, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    receiver.answers = [500]
    deal(api, tenant)
    assert api.delete(f"{PATH}/{webhook['id']}").status == 204
    try_again(tenant)
    deal(api, tenant)
    assert len(receiver.received) == 1
    assert tenant.count("jobs", "kind = 'webhooks.deliver' AND state = 'done'") == 1
    assert api.get(f"{PATH}/{webhook['id']}").status == 404


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "https://127.0.0.1/", "http://hooks.example/", "https://u:p@x.example/"],
)
def test_an_address_that_is_none_of_a_receiver_is_refused_by_name(api: Api, url: str) -> None:
    refused = api.post(PATH, {"url": url})
    assert (refused.status, list(refused.json["errors"])) == (422, ["url"])


def test_events_of_nothing_that_there_is_are_refused_by_name(api: Api, receiver: Receiver) -> None:
    refused = api.post(PATH, {"url": receiver.url, "event_types": ["proposl.signed"]})
    assert (refused.status, list(refused.json["errors"])) == (422, ["event_types"])


def test_members_read_webhooks_and_admins_make_them(
    api: Api, app: Flask, tenant: Tenant, webhook: dict[str, Any]
) -> None:
    member = Api(app=app, api_key=tenant.key("member"))
    assert member.get(f"{PATH}/{webhook['id']}").status == 200
    assert member.post(PATH, {"url": "https://hooks.example/"}).status == 403
    assert member.post(f"{PATH}/{webhook['id']}/rotate-secret").status == 403
    for _ in range(19):
        api.made(PATH, {"url": "https://hooks.example/"})
    assert api.post(PATH, {"url": "https://hooks.example/"}).status == 409
