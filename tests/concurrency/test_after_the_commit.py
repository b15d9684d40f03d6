"""What goes wrong after a signature is recorded cannot make the answer say that it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.tenants import Answer, Api, Tenant, a_signature, eventually


@contextmanager
def held(tenant: Tenant, table: str) -> Iterator[None]:
    """Nobody can read the table meanwhile: whoever asks gives up after `lock_timeout`."""
    url = tenant.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def answer_when_unreadable(tenant: Tenant, table: str, sign: Callable[[], Any]) -> Any:
    """The answer to a signature after which the table cannot be read."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(sign)
        eventually(lambda: tenant.count("signatures"), 5, pause=0.01)
        with held(tenant, table):
            return answer.result(20)


@pytest.mark.parametrize("caller", ["client", "staff"])
def test_a_signature_is_accepted_though_its_job_cannot_be_watched(
    app: Flask, tenant: Tenant, api: Api, caller: str
) -> None:
    proposal = api.send_proposal()
    body = a_signature(proposal["content_sha256"])

    def sign() -> Answer:
        if caller == "client":
            path = f"/api/public/proposals/{proposal['token']}/sign"
            return Api(app=app).post(path, body, Prefer="wait=20")
        return api.post(f"/api/proposals/{proposal['id']}/sign", {}, Prefer="wait=20")

    answer = answer_when_unreadable(tenant, "jobs", sign)
    assert answer.status == 202, answer.text
    assert answer.headers["Location"]
    assert answer.json["job"]["state"] == "ready"
    assert tenant.count("signatures") == 1


def test_a_signature_is_accepted_though_its_result_cannot_be_read(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    """The job is done, but reading again what it made fails."""
    proposal = api.send_proposal()
    path = f"/api/proposals/{proposal['id']}/sign"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: api.post(path, {}, Prefer="wait=20", Idempotency_Key="k"))
        eventually(lambda: tenant.count("signatures"), 5, pause=0.01)
        with held(tenant, "orders, idempotency_keys"):
            tenant.rows(
                "UPDATE jobs SET state = 'done', finished_at = now()"
                " WHERE organization_id = %(organization_id)s"
                " AND kind = 'sales.fulfil_signature' RETURNING id"
            )
            refused = answer.result(20)
    assert refused.status == 202, refused.text
    assert refused.headers["Location"]


def test_the_signing_page_shows_the_signature_though_its_job_cannot_be_watched(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    proposal = api.send_proposal()
    path = f"/sign/{proposal['token']}"
    form = {
        "signer_name": "Robin Ray",
        "signer_email": "robin@example.com",
        "consent": "yes",
        "method": "typed",
        "signature": "Robin Ray",
        "content_sha256": proposal["content_sha256"],
    }

    def sign() -> TestResponse:
        return app.test_client().post(path, data=form)

    answer = answer_when_unreadable(tenant, "jobs", sign)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    shown = app.test_client().get(path)
    assert shown.status_code == 200
    assert "signed" in shown.text.lower()
