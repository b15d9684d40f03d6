"""Reading records: one by id, and lists by keyset, each in one statement.

A `RecordQuery` says what differs between resources: the columns, the filters, what may be expanded.
The cost of a page does not grow with its depth (api.md, *Lists*).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    any_,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from models.db.base import SoftDeletable, TenantRecord
from models.db.inserts import insert_checked, insert_read
from models.db.queries import CompiledQuery, Row, bound
from webapp.services.common.cursors import Cursor, read_cursor, way_back
from webapp.services.common.custom_fields import (
    Part,
    asked_for,
    condition,
    part_of_list,
    read_parts,
    sort_by,
    sorted_key,
    types_of,
)
from webapp.services.common.exceptions import NotFound

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
_NO_DAY = "'9999-12-31'::date"
# The value of what a list is sorted by, in the rows of a list not sorted by its own order.
_SORTED_BY = "sorted_by"

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `next` and `prev` are cursors, `total` is there when asked for."""

    rows: list[Row]
    limit: int
    next: str | None
    prev: str | None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of which rows: filter values by name, sort, cursor, limit, whether to count.

    `deleted` asks for the soft-deleted rows instead of the living.
    """

    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: str = "-created_at"
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT
    total: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """A list's filter: the condition it makes of a bound value."""

    condition: Callable[[Any], ColumnElement[bool]]
    type: Any


def equals(column: Any) -> Filter:
    """Rows whose `column` is the value."""
    return Filter(lambda value: column == value, column.type)


def among(column: Any) -> Filter:
    """Rows whose `column` is one of the values; the value is a list."""
    return Filter(lambda values: column == any_(values), ARRAY(column.type))


def from_on(column: Any) -> Filter:
    """Rows whose `column` is the value or later, or more."""
    return Filter(lambda value: column >= value, column.type)


def up_to(column: Any) -> Filter:
    """Rows whose `column` is the value or earlier, or less."""
    return Filter(lambda value: column <= value, column.type)


def before(column: Any) -> Filter:
    """Rows whose `column` is earlier than the value, or less."""
    return Filter(lambda value: column < value, column.type)


def days_last(column: Any) -> ColumnElement[Any]:
    """A day to sort by, with the rows that have none at the end of the ascending list.

    Its index is `day_index` (models/db/constraints.py).
    """
    return func.coalesce(column, literal_column(_NO_DAY, Date()))


def brief(model: Any, key: Any, *, living: bool = False, **columns: Any) -> ColumnElement[Any]:
    """A related record in short, as JSON: its id and the columns given; null where none is set.

    With `living` it is null for a deleted one as well.
    """
    pairs = _pairs({"id": model.id, **columns})
    found = select(func.json_build_object(*pairs)).where(
        model.organization_id == key.class_.organization_id, model.id == key
    )
    if living:
        found = found.where(model.deleted_at.is_(None))
    return found.correlate(key.class_).scalar_subquery()


def _pairs(columns: Mapping[str, Any]) -> list[Any]:
    """Names and columns by turns, as json_build_object takes them.

    The names are our own, so they stand in the text: as parameters they would be sent with every
    run of the query.
    """
    pairs: list[Any] = []
    for name, column in columns.items():
        assert name.isidentifier()
        pairs += [literal_column(f"'{name}'"), column]
    return pairs


def aggregate(source: Select[Any], order_by: Any, **columns: Any) -> ColumnElement[Any]:
    """Related records in short, as a JSON list (empty, never null)."""
    pairs = _pairs(columns)
    order = order_by if isinstance(order_by, tuple) else (order_by,)
    listed = func.json_agg(aggregate_order_by(func.json_build_object(*pairs), *order))
    return source.with_only_columns(
        func.coalesce(listed, func.json_build_array())
    ).scalar_subquery()


@dataclass(frozen=True)
class RecordQuery:
    """How one kind of record is read.

    `domain` names the permission that reading it takes, `noun` what people call it.
    `within` holds a condition for each parent that a nested path names; the ids are checked
    together. `children` are the lists of what lies below a record, as JSON: shown where one is
    retrieved, and empty for a new one. `branches` are conditions that exclude each other and
    together make the list: each is read through its own index and cut to the page before they are
    merged. `time_ordered_ids` pages by the id alone (UUIDv7), where a table has no index on its
    order. `sorts` names what else the list can be sorted by: columns or expressions that are never
    null, each with an index on it and the id.
    """

    model: type[TenantRecord]
    domain: str
    noun: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    children: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    expandable: Mapping[str, tuple[str, RecordQuery]] = field(default_factory=dict)
    within: Mapping[str, Filter] = field(default_factory=dict)
    branches: tuple[ColumnElement[bool], ...] = ()
    deferred: tuple[str, ...] = ()  # columns that no answer carries
    condition: ColumnElement[bool] | None = None
    keep_deleted: bool = False
    # The kind of record its custom fields are defined for, by which lists can be filtered.
    custom_fields: str | None = None
    order: str = "created_at"
    sorts: Mapping[str, Column] = field(default_factory=dict)
    time_ordered_ids: bool = False

    def __hash__(self) -> int:
        return id(self)

    def get(self, record_id: UUID, **within: UUID) -> Row:
        """The record, or raises NotFound — also for another organization's id."""
        row = self._one.one(id=record_id, **within)
        if row is None:
            raise NotFound(f"There is no {self.noun} with this id.")
        return row

    def page(self, wanted: PageRequest, **within: UUID) -> Page:
        """One page of the list. Raises Invalid naming `cursor` when it is not one of ours."""
        descending, sort = wanted.sort.startswith("-"), wanted.sort.removeprefix("-")
        key, custom = sorted_key(sort), wanted.filters.get("custom_fields", {})
        types = types_of(self.custom_fields) if custom or key is not None else {}
        by = None if key is None else sort_by(key, types)
        type_ = self.sort_key(sort).type if by is None else by.type
        cursor = None
        if wanted.cursor:
            cursor = read_cursor(wanted.cursor, sort, type_, nullable=by is not None)
        backwards = cursor is not None and cursor.backwards
        names, filters = _named(wanted, types)
        values = {**filters, **within, "page_limit": wanted.limit + 1}
        if cursor is not None:
            values |= {"after_value": cursor.value, "after_id": cursor.id}
        falling = descending != backwards
        if by is None:
            shape = PageShape(names, sort, falling, cursor is not None, wanted.deleted)
            rows = page_query(self, shape).all(**values)
        else:
            query = functools.partial(
                part_query, self, names, wanted.deleted, by.as_number, falling
            )
            rows = read_parts(query, cursor, {**values, "sort_key": by.key})
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        if backwards:
            rows.reverse()
        has_next = more if not backwards else True
        has_prev = more if backwards else cursor is not None
        total = None
        if wanted.total:
            counted = _count_query(self, names, wanted.deleted).one(**filters, **within)
            total = counted["total"] if counted else 0
        if rows:
            following = self._cursor(rows[-1], sort, False) if has_next else None
            preceding = self._cursor(rows[0], sort, True) if has_prev else None
        else:
            following, preceding = way_back(cursor, descending)
        return Page(rows, wanted.limit, following, preceding, total)

    def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Row]:
        """The records with these ids, in one statement: what `expand=` puts into an answer.

        The trashed ones too: what names them goes on naming them, in short and whole.
        """
        return {row["id"]: row for row in self._several.all(ids=list(ids))} if ids else {}

    def insert(self, record: TenantRecord) -> Row:
        """Insert a new record; it as `get` would read it, without asking again."""
        return insert_read(record, self._inserted) | self._no_children

    def insert_checked(
        self, record: TenantRecord, check: CompiledQuery, passes: str, **asked: Any
    ) -> tuple[Row, bool]:
        """As `insert`, where the row of `check` passes (models/db/inserts.py)."""
        row, inserted = insert_checked(record, self._inserted, check, passes, **asked)
        return row | self._no_children, inserted

    @property
    def _no_children(self) -> dict[str, list[Any]]:
        return {name: [] for name in self.children}

    def select(
        self, *, retrieve: bool = False, deleted: bool = False, inserted: bool = False
    ) -> Select[Any]:
        table = self.model.__table__
        columns = [column for column in table.columns if column.key not in self.deferred]
        extra = {**self.extra, **(self.children if retrieve else {})}
        statement = select(*columns, *(value.label(name) for name, value in extra.items()))
        if inserted:
            return statement
        if self.condition is not None:
            statement = statement.where(self.condition)
        if issubclass(self.model, SoftDeletable) and not self.keep_deleted:
            mark = self.model.deleted_at
            statement = statement.where(mark.is_not(None) if deleted else mark.is_(None))
        for name, parent in self.within.items():
            statement = statement.where(parent.condition(bound(name, parent.type)))
        return statement

    @functools.cached_property
    def _one(self) -> CompiledQuery:
        identity = self.model.id
        return CompiledQuery.of(
            self.select(retrieve=True).where(identity == bound("id", identity.type))
        )

    @functools.cached_property
    def _inserted(self) -> CompiledQuery:
        return CompiledQuery.of(self.select(inserted=True))

    @functools.cached_property
    def _several(self) -> CompiledQuery:
        identity = self.model.id
        named = identity == any_(bound("ids", ARRAY(identity.type)))
        return CompiledQuery.of(replace(self, keep_deleted=True).select().where(named))

    def sort_key(self, sort: str) -> Column:
        """What the list is sorted by under this name."""
        return self.sorts[sort] if sort in self.sorts else getattr(self.model, self.order)

    def _cursor(self, row: Row, sort: str, backwards: bool) -> str:
        own_order = sort not in self.sorts and sorted_key(sort) is None
        value = row[self.order] if own_order else row[_SORTED_BY]
        return Cursor(sort, value, row["id"], backwards).text()


@dataclass(frozen=True, slots=True)
class PageShape:
    """What makes one page's statement another's, beside its values."""

    filters: tuple[str, ...]
    sort: str
    descending: bool
    with_cursor: bool
    deleted: bool


def _named(wanted: PageRequest, types: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of the filters, and their values. Raises Invalid as `asked_for`."""
    names = sorted(name for name in wanted.filters if name != "custom_fields")
    values = {name: wanted.filters[name] for name in names}
    of_custom, asked = asked_for(wanted.filters.get("custom_fields", {}), types)
    return (*names, *of_custom), {**values, **asked}


def _filtered(records: RecordQuery, statement: Select[Any], names: tuple[str, ...]) -> Select[Any]:
    for name in names:
        custom = condition(records.model, records.custom_fields, name)
        if custom is not None:
            statement = statement.where(custom)
            continue
        chosen = records.filters[name]
        statement = statement.where(chosen.condition(bound(name, chosen.type)))
    return statement


@functools.lru_cache(maxsize=1024)
def part_query(
    records: RecordQuery,
    names: tuple[str, ...],
    deleted: bool,
    as_number: bool,
    descending: bool,
    part: Part,
) -> CompiledQuery:
    """One part of a list sorted by a custom field."""
    statement = _filtered(records, records.select(deleted=deleted), names)
    kind = records.model, records.custom_fields
    return CompiledQuery.of(
        part_of_list(statement, *kind, as_number, part, descending, label=_SORTED_BY)
    )


@functools.lru_cache(maxsize=1024)
def page_query(records: RecordQuery, shape: PageShape) -> CompiledQuery:
    model: Any = records.model
    statement = _filtered(records, records.select(deleted=shape.deleted), shape.filters)
    keys, names, places = [model.id], ["id"], ["after_id"]
    sorted_by: Any = records.sort_key(shape.sort)
    own_order = shape.sort not in records.sorts
    if not own_order:
        statement = statement.add_columns(sorted_by.label(_SORTED_BY))
    if not (own_order and records.time_ordered_ids):
        keys.insert(0, sorted_by)
        names.insert(0, records.order if own_order else _SORTED_BY)
        places.insert(0, "after_value")
    if shape.with_cursor:
        here = tuple_(*keys)
        there = tuple_(*(bound(place, key.type) for place, key in zip(places, keys, strict=True)))
        statement = statement.where(here < there if shape.descending else here > there)
    limit = bound("page_limit")
    if not records.branches:
        return CompiledQuery.of(_ordered(statement, keys, shape).limit(limit))
    parts = [
        _ordered(statement.where(branch), keys, shape).limit(limit) for branch in records.branches
    ]
    merged = union_all(*parts).subquery()
    ordered = _ordered(select(merged), [merged.c[name] for name in names], shape)
    return CompiledQuery.of(ordered.limit(limit))


def _ordered(statement: Select[Any], keys: Sequence[Any], shape: PageShape) -> Select[Any]:
    return statement.order_by(*(key.desc() if shape.descending else key for key in keys))


@functools.lru_cache(maxsize=1024)
def _count_query(records: RecordQuery, names: tuple[str, ...], deleted: bool) -> CompiledQuery:
    statement = _filtered(records, records.select(deleted=deleted), names)
    if records.branches:
        statement = statement.where(or_(*records.branches))
    return CompiledQuery.of(statement.with_only_columns(func.count().label("total")))
