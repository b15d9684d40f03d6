"""The audit log: what it tells, who reads it, and that nobody rewrites it."""

from __future__ import annotations

import csv
import io
import secrets
from typing import Any

import psycopg
import pytest
from flask import Flask

from tests.support.logins import PASSWORD, client_at, log_in, token_in
from tests.support.tenants import Api, Tenant
from webapp.core.roles import APP_ROLE
from webapp.services.identity.accounts import create_user


@pytest.fixture
def email(tenant: Tenant) -> str:
    """An owner's, who may log in."""
    address = f"owner.{secrets.token_hex(4)}@example.com"
    tenant.run(lambda: create_user(address, "Robin Ray", PASSWORD, role="owner"))
    return address


def events(api: Api, **filters: Any) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    found: list[dict[str, Any]] = api.get(f"/api/audit-log?limit=100&{query}").json["data"]
    return found


def kinds(api: Api) -> list[str]:
    """The kinds of the events, oldest first."""
    return [event["kind"] for event in reversed(events(api))]


def test_sign_ins_and_sign_outs_are_told_with_address_and_agent(
    api: Api, app: Flask, email: str
) -> None:
    client = client_at(app, "203.0.113.77")
    agent = {"User-Agent": "Firefox"}
    assert log_in(client, email, "not the password", headers=agent).status_code == 422
    assert log_in(client, email, headers=agent).status_code == 303
    token = token_in(client.get("/console"))
    client.post("/console/logout", data={"csrf_token": token}, headers=agent)
    out, in_, failed = events(api)[:3]
    assert [failed["kind"], in_["kind"], out["kind"]] == ["sign_in_failed", "sign_in", "sign_out"]
    for event in (failed, in_, out):
        assert (event["ip"], event["user_agent"]) == ("203.0.113.77", "Firefox")
    assert failed["metadata"] == {"email": email}
    assert failed["actor"]["kind"] == "anybody"
    assert in_["actor"] == out["actor"]
    assert in_["actor"]["name"] == "Robin Ray"
    assert failed["entity_id"] == in_["actor"]["id"]


def test_a_failed_log_in_at_an_email_that_nobody_has_is_told_to_nobody(
    api: Api, app: Flask, tenant: Tenant
) -> None:
    before = tenant.rows("SELECT count(*) AS n FROM audit_events")
    assert log_in(client_at(app), "nobody@example.com").status_code == 422
    assert tenant.rows("SELECT count(*) AS n FROM audit_events") == before


def test_keys_and_settings_are_told_without_secrets_and_values(api: Api) -> None:
    made = api.made("/api/api-keys", {"name": "Website", "role": "member"})
    rotated = api.made(f"/api/api-keys/{made['id']}/rotate", {"overlap_hours": 1})
    api.delete(f"/api/api-keys/{made['id']}")
    iban = "DE89 3704 0044 0532 0130 00"
    assert api.put("/api/organization", {"bank": {"holder": "Firm", "iban": iban}}).status == 200
    assert kinds(api)[-4:] == ["key_created", "key_rotated", "key_revoked", "settings_changed"]
    text = api.get("/api/audit-log").text + api.get("/api/audit-log/export.csv").text
    for secret in (made["key"], rotated["key"], iban):
        assert secret not in text
    [about] = events(api, kind="key_rotated")
    assert about["metadata"]["new_key_id"] == rotated["id"]
    assert about["entity_id"] == made["id"]
    assert about["actor"]["name"] == "Tests"
    [settings] = events(api, kind="settings_changed")
    assert settings["metadata"] == {"fields": ["bank"]}


def test_a_change_that_is_refused_is_not_told(api: Api) -> None:
    before = kinds(api)
    assert api.post("/api/api-keys", {"name": " ", "role": "member"}).status == 422
    assert api.put("/api/organization", {"timezone": "Nowhere"}).status == 422
    assert kinds(api) == before


def test_the_log_is_filtered_by_kind_actor_record_and_time(api: Api, tenant: Tenant) -> None:
    admin = Api(app=api.app, api_key=tenant.key("admin"))
    own = admin.made("/api/api-keys", {"name": "Own", "role": "member"})
    api.made("/api/api-keys", {"name": "Other", "role": "member"})
    [event] = events(api, entity_id=own["id"])
    assert event["kind"] == "key_created"
    assert events(api, actor_id=event["actor"]["id"]) == [event]
    at = event["occurred_at"]
    assert event in events(api, occurred_from=at)
    assert event not in events(api, occurred_before=at)
    assert all(one["occurred_at"] < at for one in events(api, occurred_before=at))
    assert api.get("/api/audit-log?kind=unheard_of").status == 422
    assert api.get(f"/api/audit-log/{event['id']}").json == event


def test_pages_of_the_log_are_whole(api: Api) -> None:
    for n in range(5):
        api.made("/api/api-keys", {"name": f"{n}", "role": "viewer"})
    seen, path = [], "/api/audit-log?limit=2&kind=key_created"
    while path:
        page = api.get(path).json
        seen += [event["metadata"]["name"] for event in page["data"]]
        path = page["links"]["next"]
    assert seen[:5] == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("member", 403), ("admin", 200)])
def test_only_administrators_read_it(api: Api, tenant: Tenant, role: str, status: int) -> None:
    caller = Api(app=api.app, api_key=tenant.key(role))
    assert caller.get("/api/audit-log").status == status
    assert caller.get("/api/audit-log/export.csv").status == status


def test_the_export_is_a_table_and_is_told_itself(api: Api) -> None:
    api.made("/api/api-keys", {"name": "Website", "role": "viewer"})
    answer = api.get("/api/audit-log/export.csv?kind=key_created")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["kind"] for row in rows} == {"key_created"}
    assert '"name": "Website"' in rows[0]["metadata"]
    [told] = events(api, kind="exported")
    assert told["metadata"]["rows"] == len(rows)
    assert told["metadata"]["filters"] == {"kind": "key_created"}


def test_a_browser_that_calls_itself_a_formula_is_harmless_in_the_export(
    api: Api, app: Flask, email: str
) -> None:
    log_in(client_at(app), email, headers={"User-Agent": "=HYPERLINK(1)"})
    rows = list(csv.DictReader(io.StringIO(api.get("/api/audit-log/export.csv").text)))
    assert [row["user_agent"] for row in rows if row["kind"] == "sign_in"] == ["'=HYPERLINK(1)"]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET kind = 'sign_in'", "DELETE FROM audit_events"]
)
def test_the_database_lets_the_application_neither_change_nor_delete_it(
    app: Flask, tenant: Tenant, statement: str
) -> None:
    url = app.config["SETTINGS"].app_url.set(drivername="postgresql")
    assert url.username == APP_ROLE
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
