"""Invitations: who may ask whom, what the link lets one do, and when it is worth nothing."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask import Flask

from tests.support.logins import PASSWORD, client_at, log_in
from tests.support.mails import mails, token_in
from tests.support.tenants import Api, Tenant
from webapp.services.identity import members
from webapp.services.identity.accounts import create_user


def new_email() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def invite(api: Api, email: str | None = None, role: str = "member") -> dict[str, Any]:
    made: dict[str, Any] = api.made(
        "/api/invitations", {"email": email or new_email(), "role": role}
    )
    return made


def link(tenant: Tenant, invitation: dict[str, Any]) -> str:
    return f"/api/public/invitations/{token_in(mails(tenant, invitation['id'])[-1], 'invitations')}"


def accept(tenant: Tenant, path: str, **body: str) -> Any:
    body = {"name": "Kim", "password": PASSWORD} | body
    return Api(app=tenant.app).post(f"{path}/accept", body)


def test_whoever_is_invited_joins_with_a_name_and_a_password(
    api: Api, tenant: Tenant, app: Flask
) -> None:
    invitation = invite(api)
    assert (invitation["state"], invitation["invited_by"]) == ("open", "Tests")
    [mail] = mails(tenant, invitation["id"])
    assert mail["To"] == invitation["email"]
    path = link(tenant, invitation)
    read = Api(app=app).get(path).json
    assert (read["email"], read["role"], read["has_account"]) == (
        invitation["email"],
        "member",
        False,
    )
    assert accept(tenant, path).status == 200
    assert log_in(client_at(app), invitation["email"]).status_code == 303
    [member] = api.get("/api/members").json["data"]
    assert (member["user"]["name"], member["role"]) == ("Kim", "member")
    done = api.get(f"/api/invitations/{invitation['id']}").json
    assert (done["state"], done["member_id"]) == ("accepted", member["id"])
    [event] = api.get("/api/audit-log?kind=invitation_accepted").json["data"]
    assert event["actor"]["name"] == "Kim"
    assert event["entity_id"] == member["id"]


def test_the_link_is_stored_nowhere_and_goes_to_its_address_alone(api: Api, tenant: Tenant) -> None:
    invitation = invite(api)
    token = link(tenant, invitation).rsplit("/", 1)[1]
    for table in ("invitations", "jobs", "credentials", "audit_events", "activity_events"):
        assert tenant.count(f"{table} t", "t::text LIKE %(token)s", token=f"%{token}%") == 0
    everything = api.get("/api/invitations").text + api.get("/api/audit-log").text
    assert token not in everything


def test_a_link_works_once(api: Api, tenant: Tenant) -> None:
    path = link(tenant, invite(api))
    assert accept(tenant, path).status == 200
    assert accept(tenant, path).status == 404
    assert Api(app=tenant.app).get(path).status == 404


def test_a_withdrawn_or_expired_link_is_worth_nothing(api: Api, tenant: Tenant) -> None:
    withdrawn, expired = invite(api), invite(api)
    paths = [link(tenant, withdrawn), link(tenant, expired)]
    for table in ("invitations", "credentials t"):
        week = "expires_at BETWEEN now() + interval '6 days' AND now() + interval '7 days'"
        ids = f"id IN ('{withdrawn['id']}', '{expired['id']}')"
        assert tenant.count(table, f"{week} AND {ids}") == 2
    assert api.delete(f"/api/invitations/{withdrawn['id']}").status == 204
    for table in ("invitations", "credentials"):
        tenant.rows(
            f"UPDATE {table} SET expires_at = now() WHERE id = %(id)s RETURNING id",
            id=expired["id"],
        )
    for path in paths:
        assert Api(app=tenant.app).get(path).status == 404
        assert accept(tenant, path).status == 404
    assert api.get("/api/members").json["data"] == []
    states = {one["id"]: one["state"] for one in api.get("/api/invitations").json["data"]}
    assert states == {withdrawn["id"]: "withdrawn", expired["id"]: "expired"}
    [listed] = api.get("/api/invitations?state=expired").json["data"]
    assert listed["id"] == expired["id"]
    assert api.delete(f"/api/invitations/{withdrawn['id']}").status == 409


def test_an_invitation_that_is_sent_again_lives_on(api: Api, tenant: Tenant) -> None:
    invitation = invite(api)
    path = link(tenant, invitation)
    tenant.rows(
        "UPDATE credentials SET expires_at = now() WHERE id = %(id)s RETURNING id",
        id=invitation["id"],
    )
    assert Api(app=tenant.app).get(path).status == 404
    assert api.post(f"/api/invitations/{invitation['id']}/resend").status == 200
    assert len(mails(tenant, invitation["id"])) == 2
    assert link(tenant, invitation) == path
    assert accept(tenant, path).status == 200
    assert api.post(f"/api/invitations/{invitation['id']}/resend").status == 409


def test_a_mailing_that_still_waits_when_it_is_sent_again_is_dropped(
    api: Api, tenant: Tenant
) -> None:
    invitation = invite(api)
    api.post(f"/api/invitations/{invitation['id']}/resend")
    assert len(mails(tenant, invitation["id"])) == 1


def test_nobody_invites_to_rights_that_they_lack(api: Api, tenant: Tenant) -> None:
    admin = Api(app=api.app, api_key=tenant.key("admin"))
    body = {"email": new_email(), "role": "owner"}
    assert admin.post("/api/invitations", body).status == 403
    invitation = invite(api, role="owner")
    assert admin.post(f"/api/invitations/{invitation['id']}/resend").status == 403
    assert invite(admin, role="admin")["role"] == "admin"
    narrowed = Api(app=api.app, api_key=tenant.key("owner", ("identity:write",)))
    assert narrowed.post("/api/invitations", body | {"role": "viewer"}).status == 403


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_administrators_invite(api: Api, tenant: Tenant, role: str) -> None:
    caller = Api(app=api.app, api_key=tenant.key(role))
    assert caller.get("/api/invitations").status == 403
    body = {"email": new_email(), "role": "viewer"}
    assert caller.post("/api/invitations", body).status == 403


def test_nobody_is_invited_twice_nor_as_a_member(api: Api, tenant: Tenant) -> None:
    invitation = invite(api)
    again = api.post("/api/invitations", {"email": invitation["email"].upper(), "role": "viewer"})
    assert again.status == 409
    assert "email" in again.json["errors"]
    accept(tenant, link(tenant, invitation))
    member = api.post("/api/invitations", {"email": invitation["email"], "role": "viewer"})
    assert member.status == 409


def test_whoever_has_an_account_joins_with_its_password(
    api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    email = new_email()
    other_tenant.run(lambda: create_user(email, "Lee", PASSWORD, role="owner"))
    path = link(tenant, invite(api, email.upper()))
    assert Api(app=tenant.app).get(path).json["has_account"] is True
    wrong = accept(tenant, path, password="not the password")
    assert wrong.status == 422
    assert "password" in wrong.json["errors"]
    assert accept(tenant, path).status == 200
    [member] = api.get("/api/members").json["data"]
    assert member["user"] == {"id": member["user"]["id"], "name": "Lee", "email": email}


def test_whoever_works_for_several_organizations_says_which_one_they_log_in_to(
    app: Flask, api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    email = new_email()
    other_tenant.run(lambda: create_user(email, "Lee", PASSWORD, role="owner"))
    page = f"/invitations/{link(tenant, invite(api, email)).rsplit('/', 1)[1]}"
    joined = client_at(app).post(page, data={"password": PASSWORD})
    assert joined.headers["Location"] == f"/console/login?organization={tenant.slug}"

    def lands_in(query: str) -> str:
        client = client_at(app)
        path = f"/console/login{query}"
        return client.get("/console").text if log_in(client, email, path=path).location else ""

    assert "Test firm" in lands_in(f"?organization={tenant.slug}")
    assert "Other firm" in lands_in(f"?organization={other_tenant.slug}")
    assert "Other firm" in lands_in("")
    assert lands_in("?organization=elsewhere") == ""
    [member] = api.get("/api/members").json["data"]
    api.post(f"/api/members/{member['id']}/disable")
    assert lands_in(f"?organization={tenant.slug}") == ""
    assert "Other firm" in lands_in("")


def test_whoever_was_removed_comes_back_with_the_role_of_the_invitation(
    api: Api, tenant: Tenant
) -> None:
    email = new_email()
    tenant.run(lambda: create_user(email, "Lee", PASSWORD, role="admin"))
    [before] = api.get("/api/members").json["data"]
    tenant.run(lambda: members.remove_member(email))
    assert accept(tenant, link(tenant, invite(api, email, "viewer"))).status == 200
    [after] = api.get("/api/members").json["data"]
    assert (after["id"], after["role"]) == (before["id"], "viewer")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"password": "short"}, "password"), ({"name": " "}, "name"), ({"role": "owner"}, "role")],
)
def test_what_is_wrong_is_named_and_the_link_stays(
    api: Api, tenant: Tenant, body: dict[str, str], field: str
) -> None:
    path = link(tenant, invite(api))
    refused = accept(tenant, path, **body)
    assert refused.status == 422
    assert field in refused.json["errors"]
    unnamed = Api(app=tenant.app).post(f"{path}/accept", {"password": PASSWORD})
    assert "name" in unnamed.json["errors"]
    assert accept(tenant, path).status == 200


def test_no_other_link_or_key_opens_an_invitation(api: Api, tenant: Tenant) -> None:
    token = api.send_proposal()["token"]
    for wrong in (token, "x" * 43, "short", tenant.api_key):
        assert Api(app=tenant.app).get(f"/api/public/invitations/{wrong}").status == 404
    path = link(tenant, invite(api))
    own = path.rsplit("/", 1)[1]
    assert Api(app=tenant.app).get(f"/api/public/proposals/{own}").status == 404
    assert Api(app=tenant.app, api_key=own).get("/api/members").status == 401


def test_the_page_of_the_link_lets_one_join(api: Api, tenant: Tenant, app: Flask) -> None:
    invitation = invite(api)
    page = f"/invitations/{link(tenant, invitation).rsplit('/', 1)[1]}"
    client = client_at(app)
    assert "Test firm" in client.get(page).text
    refused = client.post(page, data={"name": "Kim", "password": "short"})
    assert refused.status_code == 422
    assert "Use 10 to 256 characters." in refused.text
    assert client.post(page, data={"name": "Kim", "password": PASSWORD}).status_code == 303
    assert log_in(client_at(app), invitation["email"]).status_code == 303
    assert client.get(page).status_code == 404
