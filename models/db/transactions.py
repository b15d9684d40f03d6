"""How a transaction is opened: its first statement binds the tenant.

For a request that statement checks the credential, and looks for the answer kept under its
Idempotency-Key; for a job it names the organization and asks for the time.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.db.tenancy import OpenTransaction, TenantContext

PRINCIPAL = """
    q.organization_id AS principal_organization_id, q.credential_id AS principal_credential_id,
    q.subject_id AS principal_subject_id, q.role AS principal_role, q.scopes AS principal_scopes,
    q.label AS principal_label"""
BEGIN_REQUEST = (
    "begin_request(%(credential_kind)s::text, %(credential_digest)s::bytea,"
    " %(credential_address)s::inet) q"
)
# How long the answer to a request is kept for its retries.
ANSWER_LIFETIME = "interval '24 hours'"

_RESOLVE = f"SELECT {PRINCIPAL}, now() AS now FROM {BEGIN_REQUEST}"  # noqa: S608 - our own text
# The age is written so that only the key's own index fits: while the table was small, the one on
# created_at looked as good, and the plan was kept when there were thousands of keys a day.
_RESOLVE_WITH_KEY = f"""
    SELECT {PRINCIPAL}, now() AS now, k.route, k.request_hash, k.status, k.body
    FROM {BEGIN_REQUEST}
    LEFT JOIN LATERAL (
        SELECT i.route, i.request_hash, i.status, i.body FROM idempotency_keys i
        WHERE q.organization_id IS NOT NULL AND i.organization_id = q.organization_id
          AND i.actor = q.credential_id::text AND i.key = %(idempotency_key)s::text
          AND i.created_at + {ANSWER_LIFETIME} > now()
        OFFSET 0
    ) k ON true"""  # noqa: S608 - our own text
_BIND = "SELECT now() AS now, set_config('app.organization_id', %(organization_id)s::text, true)"


def begin(session: Session, context: TenantContext) -> None:
    """Open the session's transaction, bound to the context's tenant.

    A connection that died in the pool is noticed by this first statement, so that no round trip
    is spent on asking whether it lives; another one is taken, once. Raises DBAPIError, and what
    the credential's `admit` raises.
    """
    for last_try in (False, True):
        connection = session.connection()
        driver = driver_of(connection)
        try:
            row = _first_statement(driver, context)
            break
        except psycopg.OperationalError as error:
            if last_try or not driver.closed:
                raise wrapped(error) from error
            connection.invalidate()
            connection.engine.dispose()  # the others in the pool were opened before it
            session.rollback()
        except psycopg.Error as error:
            raise wrapped(error) from error
        except BaseException:
            connection.invalidate()  # interrupted: nobody knows what it would answer next
            raise
    if context.principal is None:
        context.resolve(row)
    assert row is not None
    context.transaction = OpenTransaction(driver, row["now"])
    if context.idempotency is not None and row["status"] is not None:
        context.idempotency.kept = row


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's connection below SQLAlchemy's."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def wrapped(error: psycopg.Error) -> Exception:
    """A driver's error as SQLAlchemy's, without the statement and its values."""
    return cast(Exception, DBAPIError.instance(None, None, error, psycopg.Error))


def credential_values(context: TenantContext) -> dict[str, Any]:
    """The parameters of `begin_request()`."""
    assert context.credential is not None
    return {
        "credential_kind": context.credential.kind,
        "credential_digest": context.credential.digest,
        "credential_address": context.credential.address,
    }


def _first_statement(
    driver: psycopg.Connection[Any], context: TenantContext
) -> dict[str, Any] | None:
    """Run the statement that binds the transaction's tenant; its row."""
    if context.principal is not None:
        sql = _BIND
        values = {"organization_id": str(context.principal.organization_id)}
    elif context.idempotency is None:
        sql, values = _RESOLVE, credential_values(context)
    else:
        sql = _RESOLVE_WITH_KEY
        values = {**credential_values(context), "idempotency_key": context.idempotency.key}
    return driver.cursor(row_factory=dict_row).execute(sql, values).fetchone()
