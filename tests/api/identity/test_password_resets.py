"""Another password by mail: for whoever has the account, once, within the hour."""

from __future__ import annotations

import secrets

import pytest
from flask import Flask

from tests.support.logins import PASSWORD, client_at, is_admitted, log_in, secret_of
from tests.support.mails import mails, token_in
from tests.support.tenants import Api, Tenant
from webapp.services.identity import members
from webapp.services.identity.accounts import create_user
from webapp.services.identity.password_resets import prune_password_resets

NEW = "staple battery horse"


@pytest.fixture
def email(tenant: Tenant) -> str:
    address = f"{secrets.token_hex(6)}@example.com"
    tenant.run(lambda: create_user(address, "Kim", PASSWORD, role="owner"))
    return address


@pytest.fixture
def anybody(app: Flask) -> Api:
    return Api(app=app)


def ask(anybody: Api, email: str) -> None:
    answer = anybody.post("/api/password-resets", {"email": email})
    assert (answer.status, answer.content) == (202, b"")


def tokens(tenant: Tenant, email: str) -> list[str]:
    """The tokens that were mailed to this address, the oldest first."""
    found = [
        mail
        for mail in mails(tenant, "password_reset.")
        if mail["To"].addresses[0].addr_spec == email
    ]
    return [token_in(mail, "password-reset") for mail in found]


def confirm(anybody: Api, token: str, password: str = NEW) -> int:
    body = {"token": token, "password": password}
    return anybody.post("/api/password-resets/confirm", body).status


def test_the_link_changes_the_password_ends_all_sessions_and_is_told(
    app: Flask, api: Api, tenant: Tenant, anybody: Api, email: str
) -> None:
    client = client_at(app)
    log_in(client, email)
    session = secret_of(client)
    ask(anybody, email.upper())
    [token] = tokens(tenant, email)
    assert is_admitted(app, session)
    assert confirm(anybody, token) == 204
    assert not is_admitted(app, session)
    assert log_in(client_at(app), email).status_code == 422
    assert log_in(client_at(app), email, NEW).status_code == 303
    told = [mail for mail in mails(tenant, "password_changed.") if email in mail["To"]]
    assert len(told) == 1
    kinds = [event["kind"] for event in api.get("/api/audit-log").json["data"]]
    assert kinds.count("password_reset_asked") == kinds.count("password_reset") == 1
    [event] = api.get("/api/audit-log?kind=password_reset").json["data"]
    assert (event["metadata"], event["ip"]) == ({"email": email}, "127.0.0.1")


def test_a_link_works_once_and_takes_the_others_along(
    tenant: Tenant, anybody: Api, email: str
) -> None:
    ask(anybody, email)
    ask(anybody, email)
    first, second = tokens(tenant, email)
    assert confirm(anybody, second) == 204
    assert confirm(anybody, second, "yet another password") == 404
    assert confirm(anybody, first, "yet another password") == 404


def test_a_link_works_for_an_hour(tenant: Tenant, anybody: Api, email: str) -> None:
    ask(anybody, email)
    [token] = tokens(tenant, email)
    [row] = tenant.rows(
        "SELECT max(expires_at - created_at) = interval '1 hour' AS an_hour FROM password_resets"
        " WHERE organization_id = %(organization_id)s"
    )
    assert row["an_hour"]
    tenant.rows(
        "UPDATE password_resets SET expires_at = now()"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    assert confirm(anybody, token) == 404


def test_the_answer_is_the_same_for_an_email_that_nobody_has(tenant: Tenant, anybody: Api) -> None:
    ask(anybody, "nobody@example.com")
    assert tokens(tenant, "nobody@example.com") == []
    wrong = anybody.post("/api/password-resets", {"email": "nobody"})
    assert wrong.status == 422


def test_whoever_is_disabled_gets_no_link_and_a_link_from_before_is_worth_nothing(
    tenant: Tenant, anybody: Api, email: str
) -> None:
    other = f"{secrets.token_hex(6)}@example.com"
    tenant.run(lambda: create_user(other, "Lee", PASSWORD, role="owner"))
    ask(anybody, email)
    [token] = tokens(tenant, email)
    tenant.run(lambda: members.disable_member(email))
    assert confirm(anybody, token) == 404
    ask(anybody, email)
    assert len(tokens(tenant, email)) == 1


def test_three_mails_an_hour_are_enough(tenant: Tenant, anybody: Api, email: str) -> None:
    for _ in range(5):
        ask(anybody, email)
    assert len(tokens(tenant, email)) == 3


def test_a_password_that_is_too_short_leaves_the_link_as_it_is(
    tenant: Tenant, anybody: Api, email: str
) -> None:
    ask(anybody, email)
    [token] = tokens(tenant, email)
    answer = anybody.post("/api/password-resets/confirm", {"token": token, "password": "short"})
    assert answer.status == 422
    assert "password" in answer.json["errors"]
    assert confirm(anybody, token) == 204


@pytest.mark.parametrize("token", ["x" * 43, "short", "x" * 128])
def test_what_is_no_link_is_not_found(anybody: Api, token: str) -> None:
    assert confirm(anybody, token) == 404


def test_the_token_is_stored_nowhere(tenant: Tenant, anybody: Api, email: str) -> None:
    ask(anybody, email)
    [token] = tokens(tenant, email)
    for table in ("password_resets", "jobs", "audit_events"):
        assert tenant.count(f"{table} t", "t::text LIKE %(token)s", token=f"%{token}%") == 0


def test_a_lockout_ends_with_the_new_password(
    app: Flask, tenant: Tenant, anybody: Api, email: str
) -> None:
    for _ in range(6):
        log_in(client_at(app, "203.0.113.5"), email, "wrong password")
    ask(anybody, email)
    [token] = tokens(tenant, email)
    assert confirm(anybody, token) == 204
    assert log_in(client_at(app, "203.0.113.5"), email, NEW).status_code == 303


def test_old_links_are_forgotten(tenant: Tenant, anybody: Api, email: str) -> None:
    ask(anybody, email)
    tenant.rows(
        "UPDATE password_resets SET created_at = now() - interval '25 hours'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    ask(anybody, email)
    assert tenant.run(lambda: prune_password_resets(1000)) >= 1
    assert tenant.count("password_resets") == 1


def test_the_pages_do_the_same(app: Flask, tenant: Tenant, email: str) -> None:
    client = client_at(app)
    assert "/password-reset" in client.get("/console/login").text
    assert client.get("/password-reset").status_code == 200
    assert client.post("/password-reset", data={"email": "nobody"}).status_code == 422
    known = client.post("/password-reset", data={"email": email})
    unknown = client.post("/password-reset", data={"email": "nobody@example.com"})
    assert (known.status_code, known.text) == (200, unknown.text)
    [token] = tokens(tenant, email)
    page = f"/password-reset/{token}"
    assert client.get(page).status_code == 200
    assert client.post(page, data={"password": "short"}).status_code == 422
    assert client.post(page, data={"password": NEW}).status_code == 303
    assert client.post(page, data={"password": NEW}).status_code == 404
    assert log_in(client, email, NEW).status_code == 303
