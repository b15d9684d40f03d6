"""The events of the organization: listed, filtered, and followed without a gap."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from flask import Flask

from models.db.tenancy import as_system
from tests.support.tenants import Api, Tenant
from tests.support.world import populate
from webapp.core.transaction import in_transaction
from webapp.services.activity.events import write_events
from webapp.services.activity.stream import PERMISSIONS

PATH = "/api/events"


def followed(api: Api, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """All events after a position, page by page, as a program follows them."""
    found: list[dict[str, Any]] = []
    path = f"{PATH}?after={after}&limit={limit}"
    while True:
        answer = api.get(path)
        assert answer.status == 200, answer.text
        if not answer.json["data"]:
            return found
        found += answer.json["data"]
        path = answer.json["links"]["next"]


def test_events_are_listed_over_all_engagements_and_filtered(api: Api, tenant: Tenant) -> None:
    one, two = (api.made("/api/engagements", {"name": name}) for name in ("One", "Two"))
    api.put(f"/api/engagements/{one['id']}", {"status": "on_hold"})
    company = api.made("/api/companies", {"name": "Acme"})
    tenant.run_jobs()
    listed = api.get(PATH).json["data"]
    assert len(listed) == 4
    assert [event["occurred_at"] for event in listed] == sorted(
        (event["occurred_at"] for event in listed), reverse=True
    )

    def ids(query: str) -> list[str]:
        return [event["entity_id"] for event in api.get(f"{PATH}?{query}").json["data"]]

    assert ids("type=status_changed") == [one["id"]]
    assert set(ids("type=created")) == {one["id"], two["id"], company["id"]}
    assert ids("entity_type=client_company") == [company["id"]]
    assert ids(f"entity_type=engagement&entity_id={two['id']}") == [two["id"]]
    assert ids(f"engagement_id={one['id']}") == [one["id"], one["id"]]
    middle = quote(listed[1]["occurred_at"])
    assert len(ids(f"since={middle}")) == 2
    assert len(ids(f"until={middle}")) == 2
    assert api.get(f"{PATH}?entity_id={two['id']}").status == 422
    page = api.get(f"{PATH}?limit=3").json
    assert len(page["data"]) == 3
    assert len(api.get(page["links"]["next"]).json["data"]) == 1


def test_who_follows_gets_each_event_once_and_in_order(api: Api, tenant: Tenant) -> None:
    for n in range(5):
        api.made("/api/companies", {"name": f"Firm {n}"})
    tenant.run_jobs()
    first = followed(api, limit=2)
    assert [event["position"] for event in first] == [1, 2, 3, 4, 5]
    nothing = api.get(f"{PATH}?after=5").json
    assert nothing["data"] == []
    assert nothing["links"]["next"] == f"{PATH}?after=5"
    api.made("/api/companies", {"name": "Another"})
    tenant.run_jobs()
    assert [event["position"] for event in followed(api, after=5)] == [6]
    assert followed(api, after=0) == first + followed(api, after=5)
    assert api.get(f"{PATH}?after=1&cursor=x").status == 422


def test_no_event_becomes_visible_after_a_later_one(app: Flask, api: Api, tenant: Tenant) -> None:
    """Many write at once, each in a transaction that lasts; a reader follows meanwhile."""
    for n in range(40):
        api.made("/api/companies", {"name": f"Firm {n}"})
    jobs = [
        row["id"]
        for row in tenant.rows(
            "SELECT id FROM jobs WHERE organization_id = %(organization_id)s ORDER BY random()"
        )
    ]
    writing, seen = threading.Event(), []
    writing.set()

    def write(ids: list[Any]) -> None:
        def work() -> None:
            write_events(ids)
            threading.Event().wait(0.02)

        with app.app_context():
            in_transaction(as_system(tenant.id), work)

    def follow() -> None:
        after = 0
        while True:
            was_writing = writing.is_set()
            found = followed(api, after)
            seen.extend(event["id"] for event in found)
            after = found[-1]["position"] if found else after
            if not was_writing and not found:
                return

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(follow)
        writers = [pool.submit(write, jobs[n : n + 2]) for n in range(0, 40, 2)]
        for writer in writers:
            writer.result()
        writing.clear()
        reader.result()
    assert sorted(seen) == sorted(str(id_) for id_ in jobs)


def test_an_event_is_read_by_those_who_may_read_its_record(
    app: Flask, api: Api, tenant: Tenant
) -> None:
    engagement = api.made("/api/engagements", {"name": "One"})
    invoice = {"engagement_id": engagement["id"], "lines": [{"name": "x", "price": "1.00"}]}
    api.made("/api/invoices", {**invoice, "currency": "EUR"})
    tenant.run_jobs()
    scopes = ("activity:read", "engagements:read")
    narrow = Api(app=app, api_key=tenant.key("admin", scopes))
    for query in ("", "?after=0", "?entity_type=invoice", "?include=total"):
        answer = narrow.get(f"{PATH}{query}")
        kinds = {event["entity_type"] for event in answer.json["data"]}
        assert kinds <= {"engagement"}, query
    assert narrow.get(f"{PATH}?include=total").json["meta"]["total"] == 1
    assert {event["entity_type"] for event in api.get(PATH).json["data"]} == {
        "engagement",
        "invoice",
    }
    without = Api(app=app, api_key=tenant.key("admin", ("crm:read",)))
    assert without.get(PATH).status == 403


def test_another_organizations_events_are_its_own(
    app: Flask, api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    api.made("/api/companies", {"name": "Acme"})
    tenant.run_jobs()
    other = Api(app=app, api_key=other_tenant.api_key)
    assert other.get(PATH).json["data"] == followed(other) == []
    other.made("/api/companies", {"name": "Theirs"})
    other_tenant.run_jobs()
    assert [event["position"] for event in followed(other)] == [1]


def test_every_kind_of_record_that_events_tell_of_has_a_permission(app: Flask) -> None:
    tenant = Tenant.create(app, "Known firm")
    populate(tenant, Api(app=app, api_key=tenant.api_key), "known")
    told = tenant.rows(
        "SELECT DISTINCT entity_type FROM activity_events"
        " WHERE organization_id = %(organization_id)s"
    )
    assert {row["entity_type"] for row in told} <= set(PERMISSIONS)
