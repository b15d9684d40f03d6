"""How rows are reached: statements of the running transaction, and the read in one statement.

Reads outside a transaction are one statement in autocommit: `begin_request()` checks the
credential and binds the tenant, and a LATERAL join reads what was asked for. Were the order of
evaluation ever wrong, the tenant would be unset and no row visible: it fails closed
(architecture.md, *One read*).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy import Select, String, bindparam, make_url
from sqlalchemy.exc import OperationalError

from models.db.base import db
from models.db.tenancy import TenantContext, current_context, current_transaction
from models.db.transactions import BEGIN_REQUEST, PRINCIPAL, credential_values, wrapped

Row = dict[str, Any]

set_json_loads(orjson.loads)
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()
_RESOLVE = f"SELECT {PRINCIPAL} FROM {BEGIN_REQUEST}"  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A SELECT made ready for both ways of running it. Built once, run often."""

    plain: str
    with_credential: str
    defaults: Mapping[str, Any]
    asks_who: bool = False

    @classmethod
    def of(cls, select: Select[*tuple[Any, ...]]) -> CompiledQuery:
        """Compile `select`; its bound parameters without a value are given at each run."""
        compiled = select.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        plain = str(compiled)
        asks_who = f"%({CALLER_KIND.key})s" in plain
        return cls(plain, _with_credential(plain), dict(compiled.params), asks_who)

    @classmethod
    def of_sql(cls, plain: str, **defaults: Any) -> CompiledQuery:
        """A SELECT in SQL of our own; parameters stand in it as `%(name)s`."""
        return cls(plain, _with_credential(plain), defaults)

    def all(self, **parameters: Any) -> list[Row]:
        """The rows the caller may see, as dictionaries; resolves the context on the way."""
        context = current_context()
        values = {**self.defaults, **parameters}
        if self.asks_who:
            values |= _actor(context)
        if context.transaction is not None or context.credential is None:
            return execute(self.plain, values)
        rows = _autocommit(self.with_credential, {**values, **credential_values(context)})
        context.resolve(rows[0] if rows else None)
        return [row for row in rows if row["_found"]]

    def one(self, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self.all(**parameters)
        return rows[0] if rows else None


# Who asks, as the activity log names them: a parameter of a CompiledQuery that nobody gives.
CALLER_KIND = bindparam("caller_kind", type_=String())
CALLER_ID = bindparam("caller_id", type_=String())


def _actor(context: TenantContext) -> Row:
    """Who asks, as far as it is known before the credential is checked."""
    if context.principal is not None:
        return {"caller_kind": context.principal.kind, "caller_id": context.principal.actor["id"]}
    assert context.credential is not None
    return {"caller_kind": context.credential.kind}


def _with_credential(plain: str) -> str:
    # The check of the credential tells whose it is (`Principal.actor`).
    plain = plain.replace("%(caller_id)s", "coalesce(q.subject_id, q.credential_id)::text")
    return (  # our own text, and what SQLAlchemy compiled
        f"SELECT {PRINCIPAL}, r.* FROM {BEGIN_REQUEST} LEFT JOIN LATERAL ("  # noqa: S608
        f"SELECT true AS _found, x.* FROM ({plain}) x"
        " WHERE q.organization_id IS NOT NULL OFFSET 0) r ON true"
    )


def resolve_context() -> None:
    """Check the context's credential by itself, where no other statement has done so."""
    context = current_context()
    if context.principal is None:
        rows = _autocommit(_RESOLVE, credential_values(context))
        context.resolve(rows[0] if rows else None)


def call_function(sql: str, **values: Any) -> list[Row]:
    """Call one of the database's functions that answer without a tenant, such as `begin_login`."""
    return _autocommit(sql, values)


def execute(sql: str, values: Mapping[str, Any]) -> list[Row]:
    """Run a statement in the running transaction, past the session; its rows, if it has any.

    What the session holds goes first. Raises DBAPIError, NoTenantContext without a transaction.
    """
    driver = current_transaction().driver
    db.session().flush()
    return _run(driver, sql, values)


def _autocommit(sql: str, values: Mapping[str, Any]) -> list[Row]:
    """Run one reading statement; once more on a fresh connection if the pooled one was dead."""
    engine = db.engines["read"]
    for last_try in (False, True):
        pooled = engine.raw_connection()
        driver = cast("psycopg.Connection[Any]", pooled.driver_connection)
        try:
            return _run(driver, sql, values)
        except OperationalError:
            if not driver.broken and not driver.closed:
                raise
            pooled.invalidate()
            if last_try:
                raise
            engine.dispose()
        finally:
            pooled.close()
    raise AssertionError("unreachable")


def _run(driver: psycopg.Connection[Any], sql: str, values: Mapping[str, Any]) -> list[Row]:
    """Run a statement; whatever the driver raises, callers see SQLAlchemy's errors alone."""
    cursor = driver.cursor(row_factory=dict_row)
    try:
        cursor.execute(sql, values)
        result = cursor.pgresult
        return cursor.fetchall() if result is not None and result.nfields else []
    except psycopg.Error as error:
        raise wrapped(error) from error


def bound(name: str, type_: Any = None) -> Any:
    """A parameter of a CompiledQuery, given by name at each run."""
    return bindparam(name, type_=type_) if type_ is not None else bindparam(name)
