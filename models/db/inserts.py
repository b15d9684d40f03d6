"""Rows written past the session: new records, and the jobs that a transaction asks for.

The unit of work costs more than the rows themselves (benchmarks/RESULTS.md, *Where the time
goes*), so rows that are only inserted go to the database as one JSON value, which the database
itself takes apart.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import Column, Table
from sqlalchemy.orm import Mapper, make_transient_to_detached
from sqlalchemy.sql import ClauseElement

from models.db.base import TenantRecord, db
from models.db.queries import CompiledQuery, Row, execute
from models.db.tenancy import current_context

R = TypeVar("R", bound=TenantRecord)


def insert_records(records: Sequence[R]) -> Sequence[R]:
    """Insert new records of one kind with one statement for each set of columns they fill.

    Afterwards the session holds them as if it had inserted them. Raises IntegrityError.
    """
    by_shape: dict[_Shape, list[tuple[R, Row]]] = {}
    for record in records:
        values = _values(record)
        by_shape.setdefault(_shape(type(record), tuple(values)), []).append((record, values))
    for shape, filled in by_shape.items():
        sql = f"{shape.insert} RETURNING {shape.made}"
        rows = execute(sql, {"rows": _json([values for _, values in filled])})
        made = {row["id"]: row for row in rows}
        for record, values in filled:
            _take_over(record, {**shape.empty, **values, **made[values["id"]]})
    return records


def insert_together(records: Sequence[TenantRecord]) -> None:
    """Insert new records of several kinds in one statement; the session does not hold them.

    They may refer to each other: references are checked when all are there. What the database
    makes for a column is not read back; what the model does is set. Raises IntegrityError.
    """
    by_model: dict[type[TenantRecord], list[Row]] = {}
    for record in records:
        values = _values(record)
        record.__dict__.update(values)
        by_model.setdefault(type(record), []).append(values)
    ctes: dict[str, str] = {}
    parameters: Row = {}
    for model, rows in by_model.items():
        # With a NULL where another of the kind has a value: one statement for each kind.
        given = tuple(name for name, _ in _columns(model) if any(name in row for row in rows))
        assert all(name in row or _may_be_null(model, name) for row in rows for name in given)
        name = model.__tablename__
        insert = _shape(model, given).insert
        ctes[f"new_{name}"] = insert.replace("%(rows)s", f"%({name})s")
        parameters[name] = _json(rows)
    if ctes:
        execute(Statement("SELECT", ctes).together_with(), parameters)


def fill(record: TenantRecord) -> None:
    """Give a new record what its model makes for it, such as its id, before it is inserted."""
    record.__dict__.update(_values(record))


def insert_read(record: TenantRecord, read: CompiledQuery) -> Row:
    """Insert a new record and read it, with the jobs asked for so far, in one statement.

    The session does not hold it. `read` is a SELECT from the record's table; it finds only what is
    inserted, and of other tables what was there before. Raises IntegrityError.
    """
    ctes, values = _insert_of(record)
    [row] = execute_with_jobs(Statement(read.plain, ctes), {**read.defaults, **values})
    return row


def insert_checked(
    record: TenantRecord, read: CompiledQuery, check: CompiledQuery, passes: str, **asked: Any
) -> tuple[Row, bool]:
    """As `insert_read`, if `passes`, a condition on the one row of `check`, is true of it.

    Returns what `check` found, and what was read where the record was inserted; and whether it was.
    """
    where = f" WHERE (SELECT {passes} FROM checked)"  # noqa: S608 - our own text
    ctes, values = _insert_of(record, where)
    statement = Statement(
        "SELECT checked.*, r.* FROM checked LEFT JOIN"  # noqa: S608 - our own text
        f" (SELECT true AS inserted, x.* FROM ({read.plain}) x) r ON true",
        {"checked": check.plain, **ctes},
    )
    values = {**read.defaults, **check.defaults, **values, **asked}
    [row] = execute_with_jobs(statement, values)
    return row, bool(row["inserted"])


def _insert_of(record: TenantRecord, where: str = "") -> tuple[dict[str, str], Row]:
    """The INSERT as a common table expression with the table's name, and its parameter."""
    filled = _values(record)
    record.__dict__.update(filled)
    table = record.__tablename__
    insert = _shape(type(record), tuple(filled)).insert
    return {table: f"{insert}{where} RETURNING {table}.*"}, {"rows": _json([filled])}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in two parts: common table expressions by name, and the query that follows."""

    main: str
    ctes: Mapping[str, str] = field(default_factory=dict)

    def together_with(self, **ctes: str) -> str:
        """The whole as SQL, these expressions before its own."""
        all_of_them = {**ctes, **self.ctes}
        listed = ", ".join(f"{name} AS ({sql})" for name, sql in all_of_them.items())
        return f"WITH {listed} {self.main}" if listed else self.main


def write_jobs() -> None:
    """Insert the jobs that the running transaction has asked for so far."""
    waiting = current_context().jobs.rows
    if waiting:
        execute(_INSERT_JOBS, {"jobs": _take(waiting)})


def execute_with_jobs(statement: Statement, values: Mapping[str, Any]) -> list[Row]:
    """Execute a statement, and `write_jobs` together with it, in one round trip."""
    waiting = current_context().jobs.rows
    if not waiting:
        return execute(statement.together_with(), values)
    whole = statement.together_with(asked=_INSERT_JOBS)
    return execute(whole, {**values, "jobs": _take(waiting)})


# A job that has to wait for earlier ones with its ordering key is not due before they are: those
# who look for the next job would look at it in vain.
_INSERT_JOBS = """
    INSERT INTO jobs (organization_id, id, kind, lane, dedupe_key, ordering_key, payload,
                      max_attempts, run_at)
    SELECT a.organization_id, a.id, a.kind, a.lane, a.dedupe_key, a.ordering_key, a.payload,
           a.max_attempts, greatest(coalesce(a.run_at, now()), (
             SELECT max(e.run_at) FROM jobs e
             WHERE e.organization_id = a.organization_id AND e.ordering_key = a.ordering_key
               AND e.state = 'ready'))
    FROM json_populate_recordset(NULL::jobs, %(jobs)s) a"""


def _take(waiting: list[Row]) -> str:
    text = _json(waiting)
    waiting.clear()
    return text


@dataclass(frozen=True, eq=False, slots=True)
class _Shape:
    """How records of one kind that fill the same columns are inserted."""

    insert: str
    made: str  # the columns that the database makes, and the id
    empty: Mapping[str, None]  # the columns that are then NULL


@functools.lru_cache(maxsize=1024)
def _shape(model: type[TenantRecord], given: tuple[str, ...]) -> _Shape:
    table = cast(Table, model.__table__)
    columns = ", ".join(given)
    made = [c.name for c in table.columns if c.name not in given and _is_made_by_database(c)]
    insert = (
        f"INSERT INTO {table.name} ({columns}) SELECT {columns}"  # noqa: S608 - our own names
        f" FROM json_populate_recordset(NULL::{table.name}, %(rows)s)"
    )
    known = {*given, *made}
    empty = {c.name: None for c in table.columns if c.name not in known}
    return _Shape(insert, ", ".join(["id", *made]), empty)


def _values(record: TenantRecord) -> Row:
    """What goes into the row, by column; what is left out is NULL, or the database's to make."""
    held = record.__dict__
    values = {}
    for name, fallback in _columns(type(record)):
        value = held.get(name)
        if value is None and fallback is not None:
            value = fallback()
        if value is not None:
            assert not isinstance(value, ClauseElement), f"{name}: not a value"
            values[name] = value
    return values


@functools.cache
def _columns(model: type[TenantRecord]) -> list[tuple[str, Any]]:
    """Each column's name (the attribute's too), and what makes its value where none is given."""
    mapper: Mapper[Any] = model.__mapper__
    found = []
    for column in cast(Table, model.__table__).columns:
        assert mapper.get_property_by_column(column).key == column.name
        found.append((column.name, _fallback(column)))
    return found


def _may_be_null(model: type[TenantRecord], name: str) -> bool:
    column = cast(Table, model.__table__).c[name]
    return bool(column.nullable) and not _is_made_by_database(column)


def _fallback(column: Column[Any]) -> Any:
    default: Any = column.default
    if default is None:
        return None
    if default.is_callable:
        return lambda: default.arg(None)
    return lambda: default.arg


def _is_made_by_database(column: Column[Any]) -> bool:
    return column.server_default is not None or column.identity is not None


def _take_over(record: TenantRecord, row: Row) -> None:
    """Let the session hold the record as stored."""
    record.__dict__.update(row)
    make_transient_to_detached(record)
    db.session.add(record)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_as_text).decode()


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} has no form in JSON")
