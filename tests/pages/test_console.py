"""Logging in to the console: sessions, forms from elsewhere, guessing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Servers
from tests.support.tenants import Api, Tenant
from webapp import create_app
from webapp.config import Settings
from webapp.services.identity.accounts import create_user

PASSWORD = "correct horse battery"
MakeUser = Callable[[], str]


@pytest.fixture
def new_user(tenant: Tenant) -> MakeUser:
    """Makes a viewer of the organization; returns their email."""

    def make() -> str:
        email = f"{secrets.token_hex(6)}@example.com"
        tenant.run(lambda: create_user(email, "Kim", PASSWORD, role="viewer"))
        return email

    return make


def token_in(answer: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', answer.text)
    assert found is not None
    return found.group(1)


def log_in(
    client: FlaskClient,
    email: str,
    password: str = PASSWORD,
    path: str = "/console/login",
    headers: dict[str, str] | None = None,
) -> TestResponse:
    token = token_in(client.get(path))
    form = {"csrf_token": token, "email": email, "password": password}
    return client.post(path, data=form, headers=headers)


def secret_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("sx_session")
    assert cookie is not None
    return cookie.value


def is_admitted(app: Flask, secret: str) -> bool:
    client = app.test_client()
    client.set_cookie("sx_session", secret)
    return client.get("/console").status_code == 200


def test_the_session_is_new_at_every_login_and_ends_with_the_logout(
    app: Flask, new_user: MakeUser
) -> None:
    client = app.test_client()
    email = new_user()
    answer = log_in(client, email.upper())
    assert answer.headers["Location"] == "/console"
    [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("sx_session")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    first = secret_of(client)
    log_in(client, email)
    second = secret_of(client)
    assert first != second
    assert not is_admitted(app, first)
    assert is_admitted(app, second)
    token = token_in(client.get("/console"))
    answer = client.post("/console/logout", data={"csrf_token": token})
    assert answer.headers["Location"] == "/console/login"
    assert client.get_cookie("sx_session") is None
    assert not is_admitted(app, second)


def test_a_session_ends_with_the_membership(app: Flask, tenant: Tenant, new_user: MakeUser) -> None:
    client = app.test_client()
    log_in(client, new_user())
    assert client.get("/console").status_code == 200
    tenant.rows(
        "UPDATE memberships SET deleted_at = now(), deletion_batch_id = id"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    assert client.get("/console").status_code == 303


def test_only_our_own_forms_are_accepted(app: Flask, new_user: MakeUser) -> None:
    client = app.test_client()
    email = new_user()
    for headers in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        assert log_in(client, email, headers=headers).status_code == 403
    form = {"csrf_token": "0" * 64, "email": email, "password": PASSWORD}
    assert client.post("/console/login", data=form).status_code == 403
    ours = token_in(client.get("/console/login"))
    stranger = app.test_client()
    assert stranger.post("/console/login", data={**form, "csrf_token": ours}).status_code == 403

    assert log_in(client, email, headers={"Origin": "http://127.0.0.1:8000"}).status_code == 303
    assert log_in(client, email, headers={"Origin": "http://localhost"}).status_code == 303
    token = token_in(client.get("/console"))
    for sent, headers in (
        ({}, {}),
        ({"csrf_token": ours}, {}),
        ({"csrf_token": token}, {"Origin": "https://elsewhere.example"}),
    ):
        answer = client.post("/console/logout", data=sent, headers=headers)
        assert answer.status_code == 403
    assert client.get("/console").status_code == 200


def test_guessing_locks_the_account_and_tells_nothing(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user()
    client = app.test_client()

    def said(answer: TestResponse) -> str:
        assert answer.status_code == 422
        [line] = re.findall(r"<li>(.*?)</li>", answer.text)
        return str(line)

    wrong = {said(log_in(client, email, "not the password")) for _ in range(5)}
    locked = said(log_in(client, email))
    unknown = said(log_in(client, "nobody@example.com"))
    strange = said(log_in(client, "no\0body@example.com", "x" * 1000))
    assert {*wrong, locked, unknown, strange} == {locked}
    [user] = tenant.rows(
        "SELECT failed_logins, locked_until > now() AS locked FROM users WHERE email = %(email)s",
        email=email,
    )
    assert user == {"failed_logins": 5, "locked": True}
    tenant.rows("UPDATE users SET locked_until = now() WHERE email = %(e)s RETURNING id", e=email)
    assert log_in(client, email).status_code == 303
    [user] = tenant.rows("SELECT failed_logins FROM users WHERE email = %(email)s", email=email)
    assert user == {"failed_logins": 0}


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/console?page=2", "/console?page=2"),
        ("//elsewhere.example", "/console"),
        ("https://elsewhere.example/console", "/console"),
        ("/console/../sign", "/console"),
        ("/console\\@elsewhere.example", "/console"),
        ("/consoles", "/console"),
    ],
)
def test_a_login_leads_only_to_the_console(
    app: Flask, new_user: MakeUser, wanted: str, leads_to: str
) -> None:
    client = app.test_client()
    answer = log_in(client, new_user(), path=f"/console/login?next={quote(wanted)}")
    assert answer.headers["Location"] == leads_to


def test_asking_for_a_page_leads_through_the_login_and_back(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/").headers["Location"] == "/console"
    assert client.get("/console").headers["Location"] == "/console/login"
    assert "next=/console?a%3D1" in client.get("/console?a=1").headers["Location"]


def test_api_keys_open_no_page_and_sessions_no_api(
    app: Flask, api: Api, new_user: MakeUser
) -> None:
    assert api.get("/console").status == 303
    client = app.test_client()
    log_in(client, new_user())
    assert client.get("/api/proposals").status_code == 401


def test_under_https_the_cookie_belongs_to_the_host_alone(
    servers: Servers, app: Flask, new_user: MakeUser
) -> None:
    secure = create_app(
        Settings.from_environment({**servers.env, "BASE_URL": "https://sx.example"})
    )
    client = secure.test_client()
    client.get("/console/login", base_url="https://sx.example")
    cookie = client.get("/console/login", base_url="https://sx.example").headers["Set-Cookie"]
    assert cookie.startswith("__Host-sx_login=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


def test_errors_are_pages_for_browsers_and_problems_for_programs(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/no/such/page", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert page.headers["X-Request-ID"] in page.text
    for path, accept in (("/no/such/page", "application/json"), ("/api/nothing", "text/html")):
        problem = client.get(path, headers={"Accept": accept})
        assert (problem.status_code, problem.mimetype) == (404, "application/problem+json")
    assert client.post("/console", headers={"Accept": "text/html"}).headers["Allow"]
