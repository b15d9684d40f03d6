"""Who waited for another to finish acts on what that one left, not on what was there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from flask import Flask

from tests.support.tenants import Answer, Api, Tenant, eventually


@contextmanager
def another(app: Flask, tenant: Tenant) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of somebody else in the same organization."""
    url = app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        yield connection


def answer_after(
    other: psycopg.Connection[Any], tenant: Tenant, request: Callable[[], Answer]
) -> Answer:
    """The answer to a request that had to wait until `other` committed."""

    def waits() -> bool:
        [row] = tenant.rows(
            "SELECT count(*) AS n FROM pg_locks WHERE NOT granted"
            " AND %(pid)s = ANY(pg_blocking_pids(pid))",
            pid=other.info.backend_pid,
        )
        return bool(row["n"])

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request)
        eventually(waits, 5, pause=0.02)
        other.commit()
        return answer.result(10)


def test_a_change_that_waited_does_not_overwrite_what_it_has_not_seen(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    made = api.post("/api/engagements", {"name": "As it was"})
    path, tag = f"/api/engagements/{made.json['id']}", made.headers["ETag"]
    with another(app, tenant) as other:
        other.execute(
            "UPDATE engagements SET name = 'By another', row_version = row_version + 1"
            " WHERE id = %s",
            (made.json["id"],),
        )
        answer = answer_after(other, tenant, lambda: api.put(path, {"name": "x"}, If_Match=tag))
    assert answer.status == 412
    assert api.get(path).json["name"] == "By another"


def test_a_request_whose_key_was_taken_meanwhile_leaves_no_effect(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    with another(app, tenant) as other:
        other.execute(
            "INSERT INTO idempotency_keys (organization_id, id, actor, key, route, request_hash,"
            " status, body) SELECT organization_id, id, id::text, 'k', 'r', '', 201, '{}'"
            " FROM api_keys WHERE organization_id = %s",
            (tenant.id,),
        )
        body = {"name": "x"}
        answer = answer_after(
            other, tenant, lambda: api.post("/api/engagements", body, Idempotency_Key="k")
        )
    assert answer.status == 422, "the key belongs to another request now"
    assert tenant.count("engagements") == tenant.count("jobs") == 0
