"""What an outage ended does not count, what can never work ends at once (jobs.md, *Patience*)."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.db.base import db
from models.db.queries import execute
from models.jobs import MAX_ATTEMPTS
from tasks.runtime import jobs as base
from tests.conftest import Servers
from tests.support.faults import owner_connection
from tests.support.kinds import a_kind
from tests.support.tenants import Api, Tenant
from webapp import create_app
from webapp.config import Settings
from webapp.core.database import migrate
from webapp.core.outages import Outage, Undeliverable, is_outage
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.services.jobs import operations
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import KINDS

HOUR = dt.timedelta(hours=1)
raised: list[Exception] = []
told: list[tuple[str, str]] = []


def fail(payload: dict[str, Any]) -> str:
    """Raise what the test has put there, once each; the last one for ever."""
    if raised:
        raise raised.pop(0) if len(raised) > 1 else raised[0]
    return str(payload["name"])


base.job(a_kind("test.patient_always", patience=None))(fail)
base.job(a_kind("test.patient_an_hour", patience=HOUR))(fail)
base.job(
    a_kind("test.patient_send", patience=HOUR, lane="outside"),
    effect=lambda _name: None,
    delivered=lambda payload: told.append((payload["name"], "delivered")),
    undeliverable=lambda payload, reason: told.append((payload["name"], reason)),
)(fail)


@pytest.fixture(autouse=True)
def clean(app: Flask) -> Iterator[None]:
    raised.clear()
    told.clear()
    with app.app_context():
        yield


def ask(tenant: Tenant, kind: str, name: str = "one", **options: Any) -> UUID:
    return tenant.run(lambda: enqueue(kind, name, {"name": name}, **options))


def change(tenant: Tenant, what: str, job_id: UUID) -> None:
    tenant.run(
        lambda: db.session.execute(text(f"UPDATE jobs SET {what} WHERE id = :id"), {"id": job_id})
    )


def try_again(tenant: Tenant, kind: str, job_id: UUID, times: int = 1) -> dict[str, Any]:
    for _ in range(times):
        change(tenant, "run_at = now()", job_id)
        base.run_job(kind, tenant.id, job_id)
    return row(tenant, job_id)


def row(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    [found] = tenant.rows("SELECT * FROM jobs WHERE id = %(id)s", id=job_id)
    return found


def outcomes(tenant: Tenant, job_id: UUID) -> list[str]:
    return [
        attempt["outcome"]
        for attempt in tenant.rows(
            "SELECT outcome FROM job_attempts WHERE job_id = %(id)s ORDER BY n", id=job_id
        )
    ]


@pytest.mark.parametrize("kind", ["test.patient_always", "test.patient_an_hour"])
def test_an_outage_longer_than_eight_tries_does_not_kill_a_job(tenant: Tenant, kind: str) -> None:
    raised.append(Outage())
    job_id = ask(tenant, kind)
    job = try_again(tenant, kind, job_id, 3 * MAX_ATTEMPTS)
    assert (job["state"], job["attempts"], job["excused"]) == ("ready", 24, 24)
    assert set(outcomes(tenant, job_id)) == {"excused"}
    raised.clear()
    assert try_again(tenant, kind, job_id)["state"] == "done"


def test_errors_of_its_own_count_and_tries_that_an_outage_ended_do_not(tenant: Tenant) -> None:
    raised.extend([Outage(), RuntimeError(), Outage(), Outage(), RuntimeError()])
    job_id = ask(tenant, "test.patient_always")
    job = try_again(tenant, "test.patient_always", job_id, 3 + MAX_ATTEMPTS - 1)
    assert (job["state"], job["attempts"] - job["excused"]) == ("ready", MAX_ATTEMPTS - 1)
    job = try_again(tenant, "test.patient_always", job_id)
    assert (job["state"], job["attempts"], job["excused"]) == ("dead", 3 + MAX_ATTEMPTS, 3)


def test_a_job_that_kills_its_process_ends_dead_after_an_outage_as_well(tenant: Tenant) -> None:
    raised.append(Outage())
    job_id = ask(tenant, "test.patient_always")
    try_again(tenant, "test.patient_always", job_id, 2)
    for _ in range(MAX_ATTEMPTS):  # each claim is committed; the process dies before the effect
        change(tenant, "run_at = now()", job_id)
        assert base._claim(tenant.id, job_id, None) is not None
        tenant.rows(
            "UPDATE job_attempts SET started_at = started_at - interval '1 second'"
            " WHERE job_id = %(id)s RETURNING id",
            id=job_id,
        )
    job = try_again(tenant, "test.patient_always", job_id)
    assert (job["state"], job["attempts"], job["excused"]) == ("dead", 2 + MAX_ATTEMPTS, 2)


def test_when_its_patience_is_at_an_end_the_tries_of_an_outage_count(tenant: Tenant) -> None:
    raised.append(Outage())
    kind, job_id = "test.patient_send", ask(tenant, "test.patient_send")
    assert try_again(tenant, kind, job_id, 2)["excused"] == 2
    tenant.rows(
        "UPDATE job_attempts SET started_at = now() - interval '61 minutes'"
        " WHERE job_id = %(id)s AND n = 1 RETURNING id",
        id=job_id,
    )
    job = try_again(tenant, kind, job_id, MAX_ATTEMPTS)
    assert (job["state"], job["excused"]) == ("dead", 2)
    assert outcomes(tenant, job_id) == ["excused"] * 2 + ["failed"] * MAX_ATTEMPTS
    [(name, reason)] = told
    assert (name, reason.split(".")[0]) == ("one", "Given up after 10 tries")


def test_patience_begins_with_the_first_try_and_again_when_a_job_is_put_back(
    tenant: Tenant,
) -> None:
    """A job that waited behind others for days has not been tried yet."""
    raised.append(Outage())
    kind, job_id = "test.patient_an_hour", ask(tenant, "test.patient_an_hour")
    change(tenant, "created_at = now() - interval '9 days'", job_id)
    assert try_again(tenant, kind, job_id)["excused"] == 1
    tenant.rows(
        "UPDATE job_attempts SET started_at = now() - interval '9 days'"
        " WHERE job_id = %(id)s RETURNING id",
        id=job_id,
    )
    assert try_again(tenant, kind, job_id, MAX_ATTEMPTS)["state"] == "dead"
    tenant.run(lambda: operations.retry_job(job_id))
    job = try_again(tenant, kind, job_id)
    assert (job["state"], job["attempts"], job["excused"]) == ("ready", 1, 1)


def test_the_pause_between_two_tries_grows_to_five_minutes_at_most(tenant: Tenant) -> None:
    raised.append(Outage())
    job_id = ask(tenant, "test.patient_always")
    pauses = []
    for _ in range(12):
        try_again(tenant, "test.patient_always", job_id)
        [found] = tenant.rows(
            "SELECT extract(epoch FROM run_at - now()) AS pause FROM jobs WHERE id = %(id)s",
            id=job_id,
        )
        pauses.append(float(found["pause"]))
    assert [round(pause) for pause in pauses[:3]] == pytest.approx([2, 4, 8], abs=1)
    assert 290 < pauses[-1] <= 300
    assert KINDS["sales.fulfil_signature"].pause(10_000) == 300


def test_the_kinds_of_the_product_have_the_patience_that_they_need() -> None:
    patience = {name: kind.patience for name, kind in KINDS.items() if "test." not in name}
    assert patience["sales.fulfil_signature"] is None
    assert patience["sales.render_signed_document"] == dt.timedelta(days=1)
    mails = {name for name in patience if name.startswith("sales.mail_")}
    assert len(mails) == 6
    assert {patience[name] for name in mails} == {dt.timedelta(days=3)}


def test_what_can_never_work_ends_at_once_and_the_domain_is_told(tenant: Tenant) -> None:
    raised.append(Undeliverable("No such mailbox."))
    job_id = ask(tenant, "test.patient_send")
    job = try_again(tenant, "test.patient_send", job_id, 2)
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert job["last_error"] == "Undeliverable: No such mailbox."
    assert outcomes(tenant, job_id) == ["undeliverable"]
    assert told == [("one", "No such mailbox.")]


def test_what_was_delivered_is_told_once_and_in_the_transaction_that_ends_the_job(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = ask(tenant, "test.patient_send")

    def told_inside(payload: dict[str, Any]) -> None:
        [job] = execute("SELECT state FROM jobs WHERE id = %(id)s", {"id": job_id})
        told.append((payload["name"], job["state"]))
        if len(told) == 1:
            raise RuntimeError("the domain cannot be told")

    task = base.TASKS["test.patient_send"]
    monkeypatch.setitem(
        base.TASKS, task.kind.name, base.JobTask(task.kind, fail, print, told_inside)
    )
    assert try_again(tenant, task.kind.name, job_id)["state"] == "ready", "the end is undone too"
    assert try_again(tenant, task.kind.name, job_id)["state"] == "done"
    assert told == [("one", "done")] * 2


def test_a_job_that_ended_undeliverable_holds_nothing_up(tenant: Tenant) -> None:
    raised.append(Undeliverable())
    kind, key = "test.patient_send", "about one thing"
    first, second = (ask(tenant, kind, name, ordering_key=key) for name in ("first", "second"))
    try_again(tenant, kind, first)
    raised.clear()
    assert try_again(tenant, kind, second)["state"] == "done"


def test_a_failure_recorded_twice_is_excused_once(tenant: Tenant) -> None:
    """The first commit may have been lost with its connection, or not; so it is repeated."""
    job_id = ask(tenant, "test.patient_always")
    claim = base._claim(tenant.id, job_id, None)
    assert claim is not None
    attempt = base._Attempt(
        base.TASKS["test.patient_always"], tenant.id, job_id, claim.attempt, claim.fence
    )
    for _ in range(2):
        attempt.record_failure(Outage(), claim.payload)
    assert (row(tenant, job_id)["excused"], outcomes(tenant, job_id)) == (1, ["excused"])


def raised_by(work: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as found:  # noqa: PT011 - whatever it is
        work()
    return found.value


def test_a_connection_that_the_database_ends_is_an_outage(tenant: Tenant) -> None:
    def end_myself() -> None:
        with owner_connection(tenant) as owner:
            [mine] = execute("SELECT pg_backend_pid() AS pid", {})
            owner.execute("SELECT pg_terminate_backend(%s, 5000)", (mine["pid"],))
        execute("SELECT 1", {})

    error = raised_by(lambda: tenant.run(end_myself))
    assert isinstance(error, DBAPIError)
    assert is_outage(error)


def test_a_database_that_nobody_answers_for_is_an_outage() -> None:
    error = raised_by(lambda: psycopg.connect("postgresql://nobody@127.0.0.1:1/none"))
    assert is_outage(error)


def test_a_database_without_a_connection_to_spare_is_an_outage(tenant: Tenant) -> None:
    settings = tenant.app.config["SETTINGS"]
    role, password = f"crowd_{tenant.id.hex[-12:]}", "between-us"
    with owner_connection(tenant) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0 PASSWORD '{password}'")
    try:
        url = settings.owner_url.set(drivername="postgresql", username=role, password=password)
        error = raised_by(lambda: psycopg.connect(url.render_as_string(hide_password=False)))
        assert "too many connections" in str(error)
        assert is_outage(error)
    finally:
        with owner_connection(tenant) as owner:
            owner.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 / 0",
        "INSERT INTO organizations (id) VALUES (NULL)",
        "SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(1)",
        "SELECT * FROM there_is_no_such_table",
    ],
)
def test_what_a_statement_does_wrong_is_no_outage(tenant: Tenant, statement: str) -> None:
    def work() -> None:
        for part in statement.split("; "):
            db.session.execute(text(part))

    assert not is_outage(raised_by(lambda: tenant.run(work)))


def test_a_lock_that_was_waited_for_too_long_is_no_outage(tenant: Tenant) -> None:
    job_id = ask(tenant, "test.patient_always")
    with owner_connection(tenant) as holder:
        holder.execute("SELECT set_config('app.organization_id', %s, false)", (str(tenant.id),))
        holder.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (job_id,))

        def wait() -> None:
            db.session.execute(text("SET LOCAL lock_timeout = '20ms'"))
            db.session.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})

        assert not is_outage(raised_by(lambda: tenant.run(wait)))


def test_a_broker_that_nobody_answers_for_is_an_outage() -> None:
    gone = redis.Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.5)
    assert is_outage(raised_by(gone.ping))


def test_fulfilment_through_more_restarts_of_the_database_than_it_has_tries_is_not_dead(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try is at work when the database goes; the worker waits until it can say so."""
    # A server ends with the thread that has started it, so that is one which stays.
    with (
        ThreadPoolExecutor(1) as starter,
        EmbeddedPostgres(tmp_path, durable=False) as postgres,
    ):
        env = servers.env | {"DATABASE_URL": postgres.owner_url, "REDIS_URL": "redis://127.0.0.1:1"}
        settings = Settings.from_environment(env)
        migrate(settings)
        app = create_app(settings)
        tenant = Tenant.create(app)
        api = Api(app=app, api_key=tenant.api_key)
        assert api.sign(api.send_proposal()).status == 202
        [job] = tenant.rows("SELECT id FROM jobs WHERE kind = 'sales.fulfil_signature'")
        task = base.TASKS["sales.fulfil_signature"]
        outages = MAX_ATTEMPTS + 1

        def cut(rows: list[base.JobRow]) -> None:
            task.body(rows)
            postgres.stop()
            starter.submit(start_soon)

        def start_soon() -> None:
            time.sleep(0.3)
            postgres.start()

        try:
            monkeypatch.setitem(
                base.TASKS, task.kind.name, base.JobTask(task.kind, cut, takes_many=True)
            )
            with app.app_context():
                for _ in range(outages):
                    try_again(tenant, task.kind.name, job["id"])
            found = row(tenant, job["id"])
            assert (found["state"], found["attempts"] - found["excused"]) == ("ready", 0)
            assert found["excused"] == outages
            monkeypatch.undo()
            with app.app_context():
                assert try_again(tenant, task.kind.name, job["id"])["state"] == "done"
            assert tenant.count("engagements") == tenant.count("orders") == 1
        finally:
            with app.app_context(), suppress(Exception):
                for engine in db.engines.values():
                    engine.dispose()
