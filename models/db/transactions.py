"""How a transaction is opened: BEGIN and its first statement go to the server together.

The first statement resolves the transaction's scope. The driver would send BEGIN by itself and
wait for it, which costs more than such a statement takes, so both are put into one pipeline here,
with libpq's own calls. Everything after them is the driver's and the session's.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import (
    DuplicatePreparedStatement,
    InvalidSqlStatementName,
    error_from_result,
)
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from models.db.base import db
from models.db.tenancy import TenantContext, current_context

PRINCIPAL = """
    q.organization_id AS principal_organization_id, q.credential_id AS principal_credential_id,
    q.subject_id AS principal_subject_id, q.role AS principal_role, q.scopes AS principal_scopes,
    q.label AS principal_label"""
_RESOLVE = f"SELECT {PRINCIPAL}, now() AS now FROM begin_request($1::text, $2::bytea) q"  # noqa: S608 - our own text
# The age is written so that only the key's own index fits: while the table was small, the one on
# created_at looked as good, and the plan was kept when there were thousands of keys a day.
_RESOLVE_WITH_KEY = f"""
    SELECT {PRINCIPAL}, now() AS now, k.route, k.request_hash, k.status, k.body
    FROM begin_request($1::text, $2::bytea) q
    LEFT JOIN LATERAL (
        SELECT i.route, i.request_hash, i.status, i.body FROM idempotency_keys i
        WHERE q.organization_id IS NOT NULL AND i.organization_id = q.organization_id
          AND i.actor = q.credential_id::text AND i.key = $3::text
          AND i.created_at + interval '24 hours' > now()
        OFFSET 0
    ) k ON true"""  # noqa: S608 - our own text
_BIND = "SELECT now() AS now, set_config('app.organization_id', $1::text, true)"
# Prepared once in each connection, under these names.
_PREPARED = {_RESOLVE: b"sx_resolve", _RESOLVE_WITH_KEY: b"sx_resolve_with_key", _BIND: b"sx_bind"}


class StaleConnection(Exception):
    """The pool's connection had died before the transaction's first statement: take another."""


class BoundSession:
    """Listens on the session: no statement runs before its transaction knows its tenant."""

    @staticmethod
    def after_begin(
        _session: Session, transaction: SessionTransaction, connection: Connection
    ) -> None:
        if transaction.nested:
            return
        context = current_context()
        context.driver = driver_of(connection)
        principal = context.principal
        if principal is not None:
            context.now = _first(connection, _BIND, [str(principal.organization_id).encode()]).now
            return
        row = _resolve(connection, context)
        context.resolve(row)
        context.now = row.now
        if context.idempotency_key is not None and row.status is not None:
            context.idempotent_answer = row


def watch_sessions() -> None:
    """Bind every session's transaction to its scope; called once, when the application is made."""
    if not event.contains(db.session, "after_begin", BoundSession.after_begin):
        event.listen(db.session, "after_begin", BoundSession.after_begin)


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's connection below SQLAlchemy's."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def wrapped(error: psycopg.Error) -> Exception:
    """A driver's error as SQLAlchemy's, without the statement and its values."""
    return cast(Exception, DBAPIError.instance(None, None, error, psycopg.Error))


def _resolve(connection: Connection, context: TenantContext) -> Any:
    kind, digest = context.credential_kind, context.credential_digest
    values = [
        kind.encode() if kind is not None else None,
        b"\\x" + digest.hex().encode() if digest is not None else None,
    ]
    if context.idempotency_key is None:
        return _first(connection, _RESOLVE, values)
    return _first(connection, _RESOLVE_WITH_KEY, [*values, context.idempotency_key.encode()])


def _first(connection: Connection, sql: str, values: Sequence[bytes | None]) -> Any:
    """Open the transaction with this statement; its row, or None, with columns as attributes.

    `values` are in PostgreSQL's text form. Raises StaleConnection when the server heard nothing,
    because the pooled connection had died: so no round trip is spent on asking whether it lives.
    """
    driver, prepared = driver_of(connection), connection.info.setdefault("prepared", set())
    try:
        try:
            result = _open(driver.pgconn, sql, values, prepared)
        except (InvalidSqlStatementName, DuplicatePreparedStatement):
            # It is not as we thought: the driver deallocates everything when it rolls back, and
            # behind a pooler the connection may be another's. Of the other statements it says
            # nothing: they may have been prepared since. And here nothing is to be deallocated.
            prepared ^= {sql}
            driver.pgconn.exec_(b"ROLLBACK")
            result = _open(driver.pgconn, sql, values, prepared)
    except psycopg.OperationalError as error:
        if not driver.closed:
            raise wrapped(error) from error
        connection.invalidate()
        connection.engine.dispose()  # the others in the pool were opened before it
        raise StaleConnection from error
    except psycopg.Error as error:
        raise wrapped(error) from error
    except BaseException:
        connection.invalidate()  # interrupted: nobody knows what it would answer next
        raise
    if result.ntuples == 0:
        return None
    reader = Transformer(driver)
    reader.set_pgresult(result)
    names = [cast(bytes, result.fname(i)).decode() for i in range(result.nfields)]
    return SimpleNamespace(**dict(zip(names, reader.load_row(0, tuple), strict=True)))


def _open(pgconn: PGconn, sql: str, values: Sequence[bytes | None], prepared: set[str]) -> PGresult:
    """BEGIN and the statement in one round trip, and before its first time what prepares it.

    `prepared` are the statements that the connection knows. Raises psycopg.Error; the connection
    is in a failed transaction then, as after any other statement.
    """
    name = _PREPARED[sql]
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(b"BEGIN", None)
    if sql not in prepared:
        pgconn.send_prepare(name, sql.encode())
    pgconn.send_query_prepared(name, values)
    pgconn.pipeline_sync()
    results = _results(pgconn)
    pgconn.exit_pipeline_mode()
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        if result is not results[0]:  # what follows BEGIN is there only once it is prepared
            prepared.add(sql)
    return results[-1]


def _results(pgconn: PGconn) -> list[PGresult]:
    """The results of a pipeline up to its sync; libpq's own way of waiting for them."""
    poll = select.poll()
    while pgconn.flush():
        poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
        poll.poll()
        pgconn.consume_input()
    poll.register(pgconn.socket, select.POLLIN)
    found: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            poll.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:  # the end of one statement's results
            if pgconn.status == ConnStatus.BAD:
                raise psycopg.OperationalError("the connection was lost")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return found
        else:
            found.append(result)
