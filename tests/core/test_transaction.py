"""Transactions: repeated after a deadlock, and gone from the connection when they end."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, text

from models.db.base import db
from tests.support.tenants import Api, Tenant
from tests.support.threads import key_uses_are_written


def test_of_two_transactions_in_each_others_way_both_succeed(tenant: Tenant, api: Api) -> None:
    """The database ends one of a deadlock's two; it is run again and finds its way free."""
    ids = [UUID(api.made("/api/companies", {"name": "x"})["id"]) for _ in range(2)]
    both = Barrier(2)
    tries: list[str] = []

    def rename(order: list[UUID], name: str) -> None:
        def work() -> None:
            tries.append(name)
            for company_id in order:
                db.session.execute(
                    text("UPDATE client_companies SET name = :name WHERE id = :id"),
                    {"name": name, "id": company_id},
                )
                if tries.count(name) == 1 and company_id == order[0]:
                    both.wait(5)  # each holds its first row now, and wants the other's

        tenant.run(work)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(rename, ids, "a"), pool.submit(rename, ids[::-1], "b")]:
            future.result(20)
    assert set(tries) == {"a", "b"}
    assert 3 <= len(tries) <= 5, "one of the two was repeated, more than once at a busy moment"
    [row] = tenant.rows(
        "SELECT count(DISTINCT name) AS n FROM client_companies"
        " WHERE organization_id = %(organization_id)s"
    )
    assert row["n"] == 1


@pytest.mark.parametrize("pool", [None, "read"], ids=["writing", "reading"])
def test_a_pooled_connection_remembers_no_tenant(
    app: Flask, tenant: Tenant, api: Api, pool: str | None
) -> None:
    """Whoever gets the connection next must not find itself in the last caller's tenant."""
    for _ in range(3):
        api.made("/api/engagements", {"name": "x"})
        assert api.get("/api/engagements").status == 200
        tenant.run_jobs()
    with app.app_context():
        engine = db.engines[pool]
        connections = [engine.raw_connection() for _ in range(2)]
        try:
            for connection in connections:
                cursor = connection.cursor()
                cursor.execute("SELECT nullif(current_setting('app.organization_id', true), '')")
                assert cursor.fetchone() == (None,)
                cursor.execute("SELECT count(*) FROM engagements")
                assert cursor.fetchone() == (0,)
        finally:
            for connection in connections:
                connection.close()


def test_connections_that_died_in_the_pool_cost_nobody_an_error(tenant: Tenant, api: Api) -> None:
    """PostgreSQL was restarted, say: the next to use a pooled connection gets another one."""
    path = "/api/companies"
    uses = (
        lambda: api.post(path, {"name": "x"}).status == 201,
        lambda: api.get(path).status == 200,
        lambda: tenant.run_jobs() == 1,
    )
    api.made(path, {"name": "x"})
    assert api.get(path).status == 200 and tenant.run_jobs() == 1
    for use in uses:
        ended = tenant.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename LIKE 'sx\\_app%%'"
        )
        assert ended
        assert use()
    # Each pool has found out, so that no statement of a later test is sent twice.
    for use in uses:
        assert use()


@pytest.mark.parametrize("pool", [None, "read"], ids=["writing", "reading"])
def test_a_connection_that_dies_twice_is_told_as_unavailable(
    app: Flask, tenant: Tenant, api: Api, pool: str | None
) -> None:
    """The database comes and goes: 503 says that the request may be sent again."""

    def end(connection: psycopg.Connection, _record: object) -> None:
        tenant.rows("SELECT pg_terminate_backend(%(pid)s, 5000)", pid=connection.info.backend_pid)

    with app.app_context():
        engine = db.engines[pool]
        key_uses_are_written()  # a connection out of the pool meanwhile would never come back to it
        engine.dispose()
    event.listen(engine, "connect", end)
    try:
        path = "/api/companies"
        answer = api.get(path) if pool else api.post(path, {"name": "x"})
    finally:
        event.remove(engine, "connect", end)
        key_uses_are_written()
        engine.dispose()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert tenant.count("client_companies") == 0
    api.made("/api/companies", {"name": "x"})


def test_a_transaction_interrupted_while_it_opens_leaves_no_connection_behind(
    tenant: Tenant, api: Api
) -> None:
    """A worker's time limit interrupts it so, wherever it is."""

    def interrupt(*_: object) -> None:
        raise TimeoutError

    api.made("/api/companies", {"name": "before"})
    url = api.app.config["SETTINGS"].owner_url.set(drivername="postgresql")  # type: ignore[union-attr]
    with psycopg.connect(url.render_as_string(hide_password=False)) as other:
        other.execute("LOCK TABLE credentials")
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            assert api.post("/api/companies", {"name": "interrupted"}).status == 500
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    for name in ("after", "and again"):
        api.made("/api/companies", {"name": name})
    assert tenant.count("client_companies") == 3
