"""Tenants and callers: every test gets an organization of its own, so that none needs cleaning."""

from __future__ import annotations

import json
import secrets as random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import requests
from flask import Flask
from psycopg.rows import dict_row
from requests.structures import CaseInsensitiveDict
from werkzeug.test import TestResponse

from models.db.base import db, uuid7
from models.db.tenancy import as_system
from tasks.runtime.jobs import TASKS, run_job
from webapp.core.transaction import in_transaction
from webapp.services.identity.accounts import create_organization
from webapp.services.identity.keys import create_api_key

T = TypeVar("T")

ITEMS = [
    {"name": "Discovery", "price": "1000.00"},
    {"name": "Website build", "price": "4800.50", "quantity": 2},
    {"name": "Care plan", "description": "A year of updates", "price": "99.99"},
]


def a_proposal(**changes: Any) -> dict[str, Any]:
    """The body of a complete proposal of three items; `changes` replace fields."""
    unique = random.token_hex(6)
    return {
        "name": "Website relaunch",
        "currency": "EUR",
        "client_company": {"name": f"Acme {unique}"},
        "contact": {
            "first_name": "Robin",
            "last_name": "Ray",
            "email": f"robin.{unique}@example.com",
        },
        "items": ITEMS,
        **changes,
    }


def a_signature(content_sha256: str, /, **changes: Any) -> dict[str, Any]:
    """The body with which a client signs."""
    return {
        "signer_name": "Robin Ray",
        "signer_email": "robin@example.com",
        "consent": True,
        "signature": {"method": "typed", "data": "Robin Ray"},
        "content_sha256": content_sha256,
        **changes,
    }


@dataclass
class Tenant:
    """An organization with an owner's API key."""

    app: Flask
    id: UUID
    slug: str
    api_key: str

    @classmethod
    def create(cls, app: Flask, name: str = "Test firm") -> Tenant:
        slug = f"firm-{random.token_hex(8)}"
        with app.app_context():
            organization_id = uuid7()

            def make() -> str:
                create_organization(name, slug=slug)
                return create_api_key("Tests", role="owner")[1]

            key = in_transaction(as_system(organization_id), make)
        return cls(app, organization_id, slug, key)

    def run(self, work: Callable[[], T]) -> T:
        """Run `work` in one committed transaction of this organization."""
        with self.app.app_context():
            return in_transaction(as_system(self.id), work)

    def key(self, role: str, scopes: tuple[str, ...] = ()) -> str:
        """Another API key, with this role."""
        return self.run(lambda: create_api_key(role, role=role, scopes=scopes)[1])

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of this organization, read as the owner of the tables would with RLS off."""
        url = self.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
        with psycopg.connect(
            url.render_as_string(hide_password=False), row_factory=dict_row, autocommit=True
        ) as connection:
            found: list[dict[str, Any]] = connection.execute(
                sql, {"organization_id": self.id, **values}
            ).fetchall()  # type: ignore[assignment]
            return found

    def execute(self, sql: str) -> None:
        """Run a statement without rows as the owner of the tables."""
        url = self.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
        with psycopg.connect(
            url.render_as_string(hide_password=False), autocommit=True
        ) as connection:
            connection.execute(sql)

    def count(self, table: str, condition: str = "true", **values: Any) -> int:
        [row] = self.rows(
            f"SELECT count(*) AS n FROM {table}"
            f" WHERE organization_id = %(organization_id)s AND {condition}",
            **values,
        )
        return int(row["n"])

    def run_jobs(self, *kinds: str) -> int:
        """Run the ready jobs, as a worker would, until none of the `kinds` (all) is left."""
        ran = 0
        with self.app.app_context():
            while True:
                waiting = [
                    row
                    for row in self.rows(
                        "SELECT id, kind FROM jobs WHERE organization_id = %(organization_id)s"
                        " AND state = 'ready' AND run_at <= now() ORDER BY seq"
                    )
                    if row["kind"] in (kinds or TASKS)
                ]
                if not waiting:
                    return ran
                for row in waiting:
                    run_job(row["kind"], self.id, row["id"])
                    db.session.remove()
                    ran += 1


@dataclass
class Answer:
    """An HTTP answer, the same for the test client and for real HTTP."""

    status: int
    headers: CaseInsensitiveDict[str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


@dataclass
class Api:
    """A caller with an API key: over the test client, or over HTTP to `base_url`."""

    app: Flask | None = None
    base_url: str = ""
    api_key: str | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; `headers` are given as If_Match="…", a body of bytes goes as it is."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.api_key is not None:
            sent.setdefault("Authorization", f"Bearer {self.api_key}")
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if self.app is not None:
            answer: TestResponse = self.app.test_client().open(
                path, method=method, data=data, headers=sent
            )
            content = answer.get_data()
            answer.close()  # as a server does, whatever was read
            return Answer(answer.status_code, CaseInsensitiveDict(answer.headers.items()), content)
        real = self.session.request(
            method, self.base_url + path, data=data, headers=sent, timeout=40,
            allow_redirects=False,
        )  # fmt: skip
        return Answer(real.status_code, CaseInsensitiveDict(real.headers), real.content)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)

    def made(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST that must succeed; returns the JSON."""
        answer = self.post(path, body, **headers)
        assert answer.status in (200, 201, 202), answer.text
        return answer.json

    def send_proposal(self, **changes: Any) -> dict[str, Any]:
        """A proposal that waits to be signed: its JSON, with `signing_url` and `token`."""
        proposal = self.made("/api/proposals", a_proposal(**changes))
        sent: dict[str, Any] = self.made(f"/api/proposals/{proposal['id']}/send")
        return {**sent, "token": sent["signing_url"].rsplit("/", 1)[1]}

    def sign(
        self, proposal: dict[str, Any], *, client: Api | None = None, **headers: str
    ) -> Answer:
        """Sign as the client who holds the link; asks for no wait unless `Prefer` says so."""
        return (client or self).post(
            f"/api/public/proposals/{proposal['token']}/sign",
            a_signature(proposal["content_sha256"]),
            **{"Prefer": "respond-async", **headers},
        )


def eventually(
    check: Callable[[], T], seconds: float = 15.0, pause: float = 0.05, until: Any = None
) -> T:
    """The first true value of `check` (or the one equal to `until`) within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found if until is None else found == until:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {found!r}"
        time.sleep(pause)
