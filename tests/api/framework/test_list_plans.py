"""Every list is read through an index, whatever it is filtered and sorted by.

The application's role reads under row-level security, where PostgreSQL keeps what is not leakproof
away from an index. That an index could serve shows in a plan for which all else is forbidden: the
tables are small here, and by itself the planner would read them whole.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, UniqueConstraint

import webapp.api
from models.db.queries import CompiledQuery, execute
from tests.support.tenants import Tenant
from webapp.api.framework.resource import Resource
from webapp.services.common.reads import PageShape, RecordQuery, page_query

pytestmark = pytest.mark.long

VALUES = {
    str: "x", int: 1, bool: True, UUID: UUID(int=1), Decimal: Decimal(1),
    dt.date: dt.date(2026, 1, 1), dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dict: {},
}  # fmt: skip


# `lower()` is not leakproof, so e-mail addresses have a column of their own to be found by.
LOOKED_UP_BY = {("contacts", "email"): "email_key"}


def resources() -> list[Resource]:
    found: dict[str, Resource] = {}
    for module in pkgutil.walk_packages(webapp.api.__path__, "webapp.api."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Resource):
                found[value.blueprint.name] = value
    return list(found.values())


RESOURCES = resources()


def orders() -> Iterator[Any]:
    """Each list in each of its orders."""
    for resource in RESOURCES:
        for name in (resource.records.order, *resource.records.sorts):
            for sort in (name, f"-{name}"):
                yield pytest.param(resource.records, sort, id=f"{resource.blueprint.name} {sort}")


def filters() -> Iterator[Any]:
    """Each filter of each list that is a column's, with the columns of the table's indexes."""
    for resource in RESOURCES:
        table: Any = resource.records.model.__table__
        keys = [*table.indexes, table.primary_key]
        keys += [c for c in table.constraints if isinstance(c, UniqueConstraint)]
        columns = [[column.name for column in key.columns] for key in keys]
        if resource.records.within:
            continue  # a parent's rows are few, and read through the parent's index
        for name in resource.records.filters:
            name = LOOKED_UP_BY.get((table.name, name), name)
            if name in table.columns:
                yield pytest.param(columns, name, id=f"{resource.blueprint.name} by {name}")


def value_of(type_: Any) -> Any:
    if isinstance(type_, ARRAY):
        return [value_of(type_.item_type)]
    return VALUES[type_.python_type]


def plan(query: CompiledQuery, **values: Any) -> list[dict[str, Any]]:
    """The nodes of the plan that is made where an index is the only choice."""
    execute(
        "SELECT set_config(name, 'off', true) FROM pg_settings WHERE name IN"
        " ('enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_incremental_sort')",
        {},
    )
    [row] = execute(f"EXPLAIN (FORMAT JSON) {query.plain}", {**query.defaults, **values})
    waiting = [row["QUERY PLAN"][0]["Plan"]]
    nodes = []
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


@pytest.mark.parametrize("with_cursor", [False, True], ids=["first page", "later page"])
@pytest.mark.parametrize(("records", "sort"), list(orders()))
def test_a_page_of_a_list_is_read_in_its_order_from_an_index(
    tenant: Tenant, records: RecordQuery, sort: str, with_cursor: bool
) -> None:
    descending, sort = sort.startswith("-"), sort.removeprefix("-")
    shape = PageShape((), sort, descending, with_cursor, deleted=False)
    values = {name: value_of(parent.type) for name, parent in records.within.items()}
    values["page_limit"] = 21
    if with_cursor:
        key = records.sort_key(sort)
        values |= {"after_value": value_of(key.type), "after_id": UUID(int=1)}
    nodes = tenant.run(lambda: plan(page_query(records, shape), **values))
    reads = [node for node in nodes if node.get("Relation Name") == records.model.__tablename__]
    assert reads
    for node in reads:
        assert node["Node Type"] in ("Index Scan", "Index Only Scan"), node
        assert "organization_id" in node["Index Cond"], node
        if with_cursor and not records.branches:
            assert "ROW(" in node["Index Cond"] or "id" in node["Index Cond"], node
    assert not [node for node in nodes if "Sort" in node["Node Type"]], nodes


@pytest.mark.parametrize(("indexes", "column"), list(filters()))
def test_what_a_list_is_filtered_by_leads_an_index(indexes: list[list[str]], column: str) -> None:
    assert any(index[:2] == ["organization_id", column] for index in indexes), indexes


def test_the_lists_are_those_of_the_resources() -> None:
    assert {"engagements", "projects", "proposals"} <= {r.blueprint.name for r in RESOURCES}
