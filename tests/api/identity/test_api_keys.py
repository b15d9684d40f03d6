"""API keys over REST: shown once, limited in rights, place and time, rotated, revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from flask import Flask

from tests.support.tenants import Api, Tenant, eventually

OFFICE = "203.0.113.0/24"


def make(api: Api, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.made(
        "/api/api-keys", {"name": "Website", "role": "member"} | changes
    )
    return made


def status(api: Api, key: str, path: str = "/api/companies") -> int:
    return api.get(path, Authorization=f"Bearer {key}").status


def status_at(app: Flask, key: str, address: str) -> int:
    """What a caller with this key gets whose connection comes from this address."""
    answer = app.test_client().get(
        "/api/companies",
        headers={"Authorization": f"Bearer {key}"},
        environ_base={"REMOTE_ADDR": address},
    )
    return answer.status_code


def test_a_key_is_shown_once_and_never_again(api: Api, tenant: Tenant) -> None:
    made = make(api)
    assert made["key"].startswith(made["prefix"])
    assert status(api, made["key"]) == 200
    read = api.get(f"/api/api-keys/{made['id']}")
    listed = api.get("/api/api-keys")
    assert (read.status, listed.status) == (200, 200)
    assert made["key"] not in read.text + listed.text
    assert "key" not in read.json
    assert read.json["state"] == "active"
    assert tenant.rows("SELECT count(*) AS n FROM audit_events a WHERE a::text LIKE %(key)s",
                       key=f"%{made['key'][45:]}%")[0]["n"] == 0  # fmt: skip


def test_a_retry_gets_the_same_key_without_the_secret_which_is_stored_nowhere(
    api: Api, tenant: Tenant
) -> None:
    body = {"name": "Website", "role": "member"}
    first = api.made("/api/api-keys", body, Idempotency_Key="once")
    again = api.post("/api/api-keys", body, Idempotency_Key="once")
    assert again.status == 201
    assert again.json == first | {"key": None}
    [kept] = tenant.rows(
        "SELECT body::text AS body FROM idempotency_keys"
        " WHERE organization_id = %(organization_id)s"
    )
    assert first["key"] not in kept["body"]


def test_nobody_grants_rights_that_they_lack(api: Api, tenant: Tenant) -> None:
    admin = Api(app=api.app, api_key=tenant.key("admin"))
    refused = admin.post("/api/api-keys", {"name": "x", "role": "owner"})
    assert refused.status == 403
    assert "organization:write" in refused.json["detail"]
    assert make(admin, role="admin")["role"] == "admin"
    narrowed = Api(app=api.app, api_key=tenant.key("admin", ("identity:write", "crm:read")))
    assert narrowed.post("/api/api-keys", {"name": "x", "role": "viewer"}).status == 403
    assert make(narrowed, role="member", scopes=["crm:read"])["scopes"] == ["crm:read"]
    owners = make(api, role="owner")
    rotated = admin.post(f"/api/api-keys/{owners['id']}/rotate")
    assert rotated.status == 403
    assert status(api, owners["key"]) == 200


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_administrators_see_and_make_keys(api: Api, tenant: Tenant, role: str) -> None:
    made = make(api)
    caller = Api(app=api.app, api_key=tenant.key(role))
    assert caller.get("/api/api-keys").status == 403
    assert caller.get(f"/api/api-keys/{made['id']}").status == 403
    assert caller.post("/api/api-keys", {"name": "x", "role": "viewer"}).status == 403
    assert caller.delete(f"/api/api-keys/{made['id']}").status == 403


def test_a_scope_that_the_role_does_not_have_is_refused_by_name(api: Api) -> None:
    for scopes in (["identity:write"], ["no:such"], []):
        answer = api.post("/api/api-keys", {"name": "x", "role": "member", "scopes": scopes})
        assert answer.status == 422
        assert "scopes" in answer.json["errors"]


def test_a_key_limited_to_networks_is_unknown_elsewhere(api: Api, app: Flask) -> None:
    key = make(api, allowed_ips=[OFFICE, "2001:db8::/32"])["key"]
    assert status_at(app, key, "203.0.113.9") == 200
    assert status_at(app, key, "::ffff:203.0.113.9") == 200
    assert status_at(app, key, "2001:db8::1") == 200
    for elsewhere in ("203.0.114.9", "2001:db9::1", ""):
        assert status_at(app, key, elsewhere) == 401, elsewhere


def test_the_networks_of_a_key_can_be_changed_and_taken_away(api: Api, app: Flask) -> None:
    made = make(api, allowed_ips=["198.51.100.7"])
    path = f"/api/api-keys/{made['id']}"
    assert made["allowed_ips"] == ["198.51.100.7/32"]
    assert status_at(app, made["key"], "203.0.113.9") == 401
    changed = api.put(path, {"allowed_ips": [OFFICE]}).json
    assert changed["allowed_ips"] == [OFFICE]
    assert status_at(app, made["key"], "203.0.113.9") == 200
    same = api.put(path, {"allowed_ips": [OFFICE]})
    assert same.headers["ETag"] == api.get(path).headers["ETag"]
    assert api.put(path, {"allowed_ips": None, "name": "Anywhere"}).json["allowed_ips"] is None
    assert status_at(app, made["key"], "10.0.0.1") == 200


@pytest.mark.parametrize(
    "network", ["203.0.113.9/24", "somewhere", "300.1.1.1", "fe80::1%eth0", 7, "10.0.0.0/33", ""]
)
def test_what_is_no_network_is_refused(api: Api, network: Any) -> None:
    answer = api.post(
        "/api/api-keys", {"name": "x", "role": "member", "allowed_ips": [OFFICE, network]}
    )
    assert answer.status == 422
    assert "allowed_ips.1" in answer.json["errors"]


def test_a_rotated_key_goes_on_working_for_the_overlap(api: Api, tenant: Tenant) -> None:
    old = make(api, scopes=["crm:read"], allowed_ips=["127.0.0.0/8"])
    new = api.made(f"/api/api-keys/{old['id']}/rotate", {"overlap_hours": 2})
    assert (new["scopes"], new["allowed_ips"]) == (["crm:read"], ["127.0.0.0/8"])
    assert status(api, old["key"]) == status(api, new["key"]) == 200
    ends = dt.datetime.fromisoformat(api.get(f"/api/api-keys/{old['id']}").json["expires_at"])
    assert abs(ends - dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)) < dt.timedelta(minutes=1)
    tenant.rows(
        "UPDATE credentials SET expires_at = now() WHERE id = %(id)s RETURNING id", id=old["id"]
    )
    assert status(api, old["key"]) == 401
    assert status(api, new["key"]) == 200
    assert api.post(f"/api/api-keys/{old['id']}/rotate", {"overlap_hours": 169}).status == 422


def test_without_an_overlap_the_old_key_is_refused_at_once(api: Api) -> None:
    old = make(api)
    new = api.made(f"/api/api-keys/{old['id']}/rotate")
    assert status(api, old["key"]) == 401
    assert status(api, new["key"]) == 200
    assert api.get(f"/api/api-keys/{old['id']}").json["state"] == "revoked"


def test_a_revoked_key_is_refused_at_once_and_stays_on_the_list(api: Api) -> None:
    made = make(api)
    assert api.delete(f"/api/api-keys/{made['id']}").status == 204
    assert status(api, made["key"]) == 401
    assert api.delete(f"/api/api-keys/{made['id']}").status == 409
    listed = {key["id"]: key["state"] for key in api.get("/api/api-keys").json["data"]}
    assert listed[made["id"]] == "revoked"


def test_a_key_says_when_it_was_last_used_and_expires(api: Api) -> None:
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    made = make(api, expires_at=soon)
    assert made["last_used_at"] is None
    assert status(api, made["key"]) == 200
    path = f"/api/api-keys/{made['id']}"
    assert eventually(lambda: api.get(path).json["last_used_at"])
    passed = api.post(
        "/api/api-keys", {"name": "x", "role": "member", "expires_at": "2020-01-01T00:00:00Z"}
    )
    assert passed.status == 422
    assert "expires_at" in passed.json["errors"]
