"""Logging in to the console as a browser does."""

from __future__ import annotations

import re
import secrets

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery"


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


def new_address() -> str:
    """An address of the test's own, since the servers are shared."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def client_at(app: Flask, address: str | None = None) -> FlaskClient:
    """A browser at this address; at one of its own by default."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address or new_address()
    return client


def secret_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("sx_session")
    assert cookie is not None
    return cookie.value


def is_admitted(app: Flask, secret: str) -> bool:
    client = app.test_client()
    client.set_cookie("sx_session", secret)
    return client.get("/console").status_code == 200
