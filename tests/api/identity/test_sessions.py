"""Sessions over REST: one's own for everybody, everybody's for administrators."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.logins import PASSWORD, client_at, is_admitted, log_in, secret_of, token_in
from tests.support.tenants import Api, Tenant, eventually
from webapp.core import key_uses
from webapp.services.identity.accounts import create_user

LogIn = Callable[..., FlaskClient]


@pytest.fixture
def new_email(tenant: Tenant) -> Callable[[str], str]:
    def make(role: str) -> str:
        email = f"{secrets.token_hex(6)}@example.com"
        tenant.run(lambda: create_user(email, "Kim", PASSWORD, role=role))
        return email

    return make


@pytest.fixture
def browser(app: Flask) -> LogIn:
    """A browser in which somebody has logged in."""

    def make(email: str, address: str | None = None) -> FlaskClient:
        client = client_at(app, address)
        assert log_in(client, email, headers={"User-Agent": "Firefox"}).status_code == 303
        return client

    return make


def sessions(client: FlaskClient) -> list[dict[str, Any]]:
    answer = client.get("/api/sessions")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["data"]
    return found


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def token(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRF-Token": token_in(client.get("/console"))}


def test_a_viewer_sees_their_own_sessions_alone(
    new_email: Callable[[str], str], browser: LogIn
) -> None:
    mine, others = new_email("viewer"), new_email("member")
    browser(others)
    first = browser(mine, "203.0.113.7")
    browser(mine)
    rows = sessions(first)
    assert [row["user"]["email"] for row in rows] == [mine, mine]
    assert [row["is_current"] for row in rows] == [False, True]
    assert (rows[1]["ip"], rows[1]["user_agent"]) == ("203.0.113.7", "Firefox")


def test_asking_for_another_users_sessions_shows_a_viewer_none(
    api: Api, new_email: Callable[[str], str], browser: LogIn
) -> None:
    browser(new_email("member"))
    [other] = api.get("/api/sessions").json["data"]
    client = browser(new_email("viewer"))
    answer = client.get(f"/api/sessions?user_id={other['user']['id']}")
    assert answer.get_json()["data"] == []


def test_an_administrator_sees_and_ends_everybodys(
    app: Flask, api: Api, new_email: Callable[[str], str], browser: LogIn
) -> None:
    first, second = browser(new_email("viewer")), browser(new_email("owner"))
    rows = api.get("/api/sessions").json["data"]
    assert len(rows) == 2
    assert ids(sessions(second)) == ids(rows)
    theirs = rows[1]["user"]["id"]
    assert ids(api.get(f"/api/sessions?user_id={theirs}").json["data"]) == [rows[1]["id"]]
    assert api.delete(f"/api/sessions/{rows[1]['id']}").status == 204
    assert not is_admitted(app, secret_of(first))
    assert is_admitted(app, secret_of(second))
    assert api.delete(f"/api/sessions/{rows[1]['id']}").status == 404
    assert ids(api.get("/api/sessions").json["data"]) == [rows[0]["id"]]
    [event] = api.get("/api/audit-log?kind=session_revoked").json["data"]
    assert event["entity_id"] == rows[1]["id"]


def test_others_sessions_are_not_found_by_a_viewer(
    app: Flask, api: Api, new_email: Callable[[str], str], browser: LogIn
) -> None:
    owner, viewer = browser(new_email("owner")), browser(new_email("viewer"))
    [own, other] = api.get("/api/sessions").json["data"]
    headers = token(viewer)
    assert viewer.delete(f"/api/sessions/{other['id']}", headers=headers).status_code == 404
    body = {"user_id": other["user"]["id"]}
    assert viewer.post("/api/sessions/revoke", json=body, headers=headers).status_code == 403
    assert is_admitted(app, secret_of(owner))
    assert viewer.delete(f"/api/sessions/{own['id']}", headers=headers).status_code == 204
    assert not is_admitted(app, secret_of(viewer))


def test_all_other_sessions_end_and_this_one_stays(
    app: Flask, new_email: Callable[[str], str], browser: LogIn
) -> None:
    email = new_email("member")
    here, there, bystander = browser(email), browser(email), browser(new_email("member"))
    answer = here.post("/api/sessions/revoke", headers=token(here))
    assert answer.get_json() == {"revoked": 1}
    assert is_admitted(app, secret_of(here))
    assert not is_admitted(app, secret_of(there))
    assert is_admitted(app, secret_of(bystander))


def test_an_administrators_key_ends_all_of_a_user(
    app: Flask, api: Api, new_email: Callable[[str], str], browser: LogIn
) -> None:
    email = new_email("member")
    clients = [browser(email), browser(email)]
    user_id = api.get("/api/sessions").json["data"][0]["user"]["id"]
    assert api.post("/api/sessions/revoke", {"user_id": user_id}).json == {"revoked": 2}
    assert not any(is_admitted(app, secret_of(client)) for client in clients)
    assert api.post("/api/sessions/revoke").json == {"revoked": 0}


def test_a_key_without_the_right_sees_none(
    api: Api, tenant: Tenant, new_email: Callable[[str], str], browser: LogIn
) -> None:
    browser(new_email("owner"))
    viewer = Api(app=api.app, api_key=tenant.key("viewer"))
    assert viewer.get("/api/sessions").json["data"] == []
    assert viewer.get("/api/sessions?include=total").json["meta"]["total"] == 0


def test_a_cookie_alone_ends_nothing(
    app: Flask, new_email: Callable[[str], str], browser: LogIn
) -> None:
    client = browser(new_email("viewer"))
    [own] = sessions(client)
    assert client.delete(f"/api/sessions/{own['id']}").status_code == 403
    wrong = {"X-CSRF-Token": "0" * 64}
    assert client.post("/api/sessions/revoke", headers=wrong).status_code == 403
    assert is_admitted(app, secret_of(client))
    assert app.test_client().get("/api/sessions").status_code == 401


def test_a_session_says_when_it_was_last_used(
    api: Api,
    new_email: Callable[[str], str],
    browser: LogIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_uses, "COLLECT_SECONDS", 0.05)
    client = browser(new_email("viewer"))
    assert client.get("/console").status_code == 200
    assert eventually(lambda: api.get("/api/sessions").json["data"][0]["last_used_at"])
