"""Logging in to the console: sessions, forms from elsewhere, guessing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import Servers
from tests.support.logins import (
    PASSWORD,
    client_at,
    is_admitted,
    log_in,
    new_address,
    secret_of,
    token_in,
)
from tests.support.tenants import Api, Tenant
from webapp import create_app
from webapp.config import Settings
from webapp.services.identity.accounts import create_user
from webapp.services.jobs.operations import prune

MakeUser = Callable[[], str]


@pytest.fixture
def new_user(tenant: Tenant) -> MakeUser:
    """Makes a viewer of the organization; returns their email."""

    def make() -> str:
        email = f"{secrets.token_hex(6)}@example.com"
        tenant.run(lambda: create_user(email, "Kim", PASSWORD, role="viewer"))
        return email

    return make


def failures(tenant: Tenant, email: str) -> int:
    """How many failed attempts at this account are known."""
    [row] = tenant.rows(
        "SELECT count(*) AS n FROM login_failures"
        " WHERE account = sha256(convert_to(%(email)s, 'UTF8'))",
        email=email,
    )
    return int(row["n"])


def pass_time(tenant: Tenant, email: str, *, minutes: int) -> None:
    """As if the failed attempts at this account had been so much earlier."""
    tenant.rows(
        "UPDATE login_failures SET failed_at = failed_at - make_interval(mins => %(minutes)s)"
        " WHERE account = sha256(convert_to(%(email)s, 'UTF8')) RETURNING id",
        email=email,
        minutes=minutes,
    )


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


def said(answer: TestResponse) -> str:
    """The one line with which the page refuses."""
    assert answer.status_code == 422
    [line] = re.findall(r"<li>(.*?)</li>", answer.text)
    return str(line)


def test_guessing_locks_the_account_and_tells_nothing(app: Flask, new_user: MakeUser) -> None:
    email = new_user()
    client = client_at(app)
    wrong = {said(log_in(client, email, "not the password")) for _ in range(5)}
    locked = said(log_in(client, email))
    elsewhere = client_at(app)
    unknown = said(log_in(elsewhere, "nobody@example.com"))
    strange = said(log_in(elsewhere, "no\0body@example.com", "x" * 1000))
    assert {*wrong, locked, unknown, strange} == {locked}


def test_unknown_accounts_are_counted_and_locked_as_known_ones_are(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    for email in (new_user(), f"{secrets.token_hex(6)}@example.com"):
        client = client_at(app)
        for _ in range(8):
            said(log_in(client, email, "not the password"))
        assert failures(tenant, email) == 5


def test_the_owner_gets_in_from_another_address_while_somebody_guesses(
    app: Flask, new_user: MakeUser
) -> None:
    email = new_user()
    guesser = client_at(app)
    for _ in range(6):
        said(log_in(guesser, email, "not the password"))
    assert log_in(client_at(app), email).status_code == 303
    said(log_in(guesser, email))


def test_a_failure_an_hour_locks_nobody_out(app: Flask, tenant: Tenant, new_user: MakeUser) -> None:
    email = new_user()
    client = client_at(app)
    for _ in range(13):  # as many would lock for an hour
        said(log_in(client, email, "not the password"))
        pass_time(tenant, email, minutes=59)
    assert log_in(client, email).status_code == 303


def test_a_lock_ends_by_itself_and_a_success_forgets_what_failed_there(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user()
    client = client_at(app)
    for _ in range(5):
        said(log_in(client, email, "not the password"))
    said(log_in(client, email))
    pass_time(tenant, email, minutes=1)
    assert log_in(client, email).status_code == 303
    assert failures(tenant, email) == 0


def test_an_address_that_guesses_at_many_accounts_is_locked_for_all(
    app: Flask, new_user: MakeUser
) -> None:
    email = new_user()
    guesser = client_at(app)
    assert log_in(guesser, email).status_code == 303
    for _ in range(20):
        said(log_in(guesser, f"{secrets.token_hex(6)}@example.com"))
    said(log_in(guesser, email))
    assert log_in(client_at(app), email).status_code == 303


def test_an_account_that_many_addresses_guess_at_is_locked(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user()
    tenant.rows(
        "INSERT INTO login_failures (id, account, address) SELECT gen_random_uuid(),"
        " sha256(convert_to(%(email)s, 'UTF8')), '198.51.100.' || n"
        " FROM generate_series(1, 100) n RETURNING id",
        email=email,
    )
    said(log_in(client_at(app), email))


def test_guesses_at_the_same_time_are_all_counted(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user()
    address = new_address()
    with ThreadPoolExecutor(8) as pool:
        for status in pool.map(
            lambda _: log_in(client_at(app, address), email, "not the password").status_code,
            range(16),
        ):
            assert status == 422
    assert failures(tenant, email) == 5


def test_an_attempt_waits_for_the_one_before_it_and_counts_it(
    app: Flask, new_user: MakeUser
) -> None:
    email, address = new_user(), new_address()
    for _ in range(4):
        said(log_in(client_at(app, address), email, "not the password"))
    url = app.config["SETTINGS"].app_url.set(drivername="postgresql")
    dsn = url.render_as_string(hide_password=False)
    begin = "SELECT count(*) FROM begin_login(%s, %s)"
    with (
        psycopg.connect(dsn) as fifth,
        psycopg.connect(dsn) as sixth,
        ThreadPoolExecutor(1) as pool,
    ):
        assert fifth.execute(begin, (email, address)).fetchone() == (1,)
        later = pool.submit(lambda: sixth.execute(begin, (email, address)).fetchone())
        with pytest.raises(TimeoutError):
            later.result(0.3)
        fifth.commit()
        assert later.result(5) == (0,), "the account is locked for this address by now"


def test_an_ipv6_customer_counts_as_one_address(app: Flask, new_user: MakeUser) -> None:
    email = new_user()
    for n in range(5):
        said(log_in(client_at(app, f"2001:db8:1:2::{n}"), email, "not the password"))
    said(log_in(client_at(app, "2001:db8:1:2:ffff::1"), email))
    assert log_in(client_at(app, "2001:db8:1:3::1"), email).status_code == 303


def test_failures_are_forgotten_with_their_addresses_after_an_hour(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user()
    said(log_in(client_at(app), email, "not the password"))
    assert (tenant.run(prune).get("login_failures"), failures(tenant, email)) == (None, 1)
    pass_time(tenant, email, minutes=61)
    assert (tenant.run(prune)["login_failures"], failures(tenant, email)) == (1, 0)


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
