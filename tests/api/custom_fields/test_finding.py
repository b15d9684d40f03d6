"""Lists by custom fields: found by ranges, sorted with what has no value last, through indexes."""

from __future__ import annotations

from typing import Any

import pytest

from models.db.queries import execute
from tests.support.tenants import Api, Tenant
from webapp.services.common.custom_fields import Part, types_of
from webapp.services.common.reads import PageShape, page_query, part_query
from webapp.services.engagements.queries import ENGAGEMENTS

pytestmark = pytest.mark.long

FIELDS = "/api/custom-fields"
PATH = "/api/engagements"


def define(api: Api, key: str, type_: str, **more: Any) -> None:
    body = {"entity_type": "engagement", "key": key, "label": key, "type": type_, **more}
    api.made(FIELDS, body)


def engagement(api: Api, name: str, **values: Any) -> None:
    api.made(PATH, {"name": name, "custom_fields": values})


def names(api: Api, query: str) -> list[str]:
    answer = api.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.text
    return [row["name"] for row in answer.json["data"]]


@pytest.fixture
def some(api: Api) -> None:
    define(api, "seats", "number")
    define(api, "budget", "money")
    define(api, "live", "date")
    define(api, "tier", "text")
    engagement(api, "none")
    engagement(api, "nine", seats=9, budget="900.00", live="2026-12-31", tier="b")
    engagement(api, "ten", seats=10.5, budget="10000.50", live="2027-01-01", tier="a")
    engagement(api, "below", seats=-3, budget="0.00", live="2026-01-09", tier="c")
    engagement(api, "same", seats=9)


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("custom_fields[seats][gte]=9", ["nine", "ten", "same"]),
        ("custom_fields[seats][lte]=9", ["nine", "below", "same"]),
        ("custom_fields[seats][gte]=9.5&custom_fields[seats][lte]=11", ["ten"]),
        ("custom_fields[seats][lte]=-3.0", ["below"]),
        ("custom_fields[budget][gte]=900", ["nine", "ten"]),
        ("custom_fields[budget][lte]=10000.49", ["nine", "below"]),
        ("custom_fields[live][gte]=2026-12-31", ["nine", "ten"]),
        ("custom_fields[live][lte]=2026-12-30", ["below"]),
        ("custom_fields[live][gte]=2026-01-09&custom_fields[live][lte]=2026-12-31"
         "&custom_fields[tier]=b", ["nine"]),
        ("custom_fields[seats][gte]=9&status=Closed", []),
    ],
)  # fmt: skip
def test_lists_are_filtered_by_ranges(api: Api, query: str, found: list[str]) -> None:
    assert sorted(names(api, query)) == sorted(found)
    counted = api.get(f"{PATH}?{query}&include=total&limit=1").json["meta"]["total"]
    assert counted == len(found)


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("custom_fields[tier][gte]=a", "custom_fields[tier][gte]"),
        ("custom_fields[seats][gte]=many", "custom_fields[seats][gte]"),
        ("custom_fields[seats][lte]=1e400", "custom_fields[seats][lte]"),
        ("custom_fields[budget][lte]=-1", "custom_fields[budget][lte]"),
        ("custom_fields[live][gte]=2026-02-30", "custom_fields[live][gte]"),
        ("custom_fields[live][gt]=2026-02-03", "custom_fields[live][gt]"),
        ("custom_fields[gone][gte]=1", "custom_fields[gone][gte]"),
        ("sort=custom_fields[gone]", "sort"),
        ("sort=custom_fields[]", "sort"),
        ("sort=custom_fields[seats]&cursor=eA", "cursor"),
    ],
)
def test_what_has_no_range_or_order_is_refused_by_name(api: Api, query: str, field: str) -> None:
    answer = api.get(f"{PATH}?{query}")
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_a_field_of_several_choices_is_no_order(api: Api) -> None:
    define(api, "regions", "choices", options=["north", "south"])
    answer = api.get(f"{PATH}?sort=-custom_fields[regions]")
    assert (answer.status, list(answer.json["errors"])) == (422, ["sort"])


ORDERS = {
    "custom_fields[seats]": ["below", "nine", "same", "ten", "none"],
    "-custom_fields[seats]": ["ten", "same", "nine", "below", "none"],
    "custom_fields[budget]": ["below", "nine", "ten", "none", "same"],
    "-custom_fields[live]": ["ten", "nine", "below", "same", "none"],
    "custom_fields[tier]": ["ten", "nine", "below", "none", "same"],
    "-custom_fields[tier]": ["below", "nine", "ten", "same", "none"],
}


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("sort", ORDERS)
def test_lists_are_sorted_by_a_field_and_paged_both_ways_with_missing_values_last(
    api: Api, sort: str, limit: int
) -> None:
    assert names(api, f"sort={sort}") == ORDERS[sort]
    pages, link = [], f"{PATH}?sort={sort}&limit={limit}"
    while link:
        page = api.get(link).json
        pages.append([row["name"] for row in page["data"]])
        last, link = page, page["links"]["next"]
    assert [name for page in pages for name in page] == ORDERS[sort]
    back = [pages[-1]]
    while last["links"]["prev"]:
        last = api.get(last["links"]["prev"]).json
        back.insert(0, [row["name"] for row in last["data"]])
    assert back == pages


@pytest.mark.usefixtures("some")
def test_a_sorted_list_is_filtered_too(api: Api) -> None:
    query = "sort=-custom_fields[seats]&custom_fields[budget][lte]=900.00"
    assert names(api, query) == ["nine", "below"]


def test_a_text_that_looks_like_a_number_is_sorted_as_a_text(api: Api) -> None:
    define(api, "code", "text")
    for code in ("10", "9", "9" * 300, "2026-02-31"):
        engagement(api, code[:10], code=code)
    assert names(api, "sort=custom_fields[code]") == ["10", "2026-02-31", "9", "9999999999"]


def test_ranges_and_orders_go_through_an_index_among_a_hundred_thousand(
    api: Api, tenant: Tenant
) -> None:
    """As the application's role, under row-level security, by plans the database itself chooses."""
    define(api, "seats", "number")
    tenant.execute(
        "INSERT INTO engagements (organization_id, id, name, owner_id, custom_fields, created_at)"
        f" SELECT '{tenant.id}', gen_random_uuid(), 'x', 'x',"
        " jsonb_build_object('seats', n * 7919 % 100000), now() - n * interval '1 minute'"
        " FROM generate_series(1, 100000) n"
    )
    tenant.execute("ANALYZE engagements, custom_field_values")
    index = "'ix_custom_field_values_entity_type_key_number_entity_id'"

    def plan(query: Any, **values: Any) -> str:
        [row] = execute(f"EXPLAIN (FORMAT JSON) {query.plain}", {**query.defaults, **values})
        return str(row["QUERY PLAN"])

    def in_range() -> str:
        name = "custom_field_in_0"
        query = page_query(ENGAGEMENTS, PageShape((name,), "created_at", True, False, False))
        asked = {f"{name}_key": "seats", f"{name}_from": 500.0, f"{name}_to": 520.0}
        return plan(query, **asked, page_limit=21)

    def in_order() -> str:
        query = part_query(ENGAGEMENTS, (), False, True, False, Part(missing=False, after=True))
        at = {"after_value": 50000.0, "after_id": tenant.id}
        return plan(query, **at, sort_key="seats", page_limit=21)

    try:
        assert tenant.run(lambda: types_of("engagement")) == {"seats": "number"}
        found = tenant.run(in_range)
        assert index in found, found
        ordered = tenant.run(in_order)
        assert index in ordered, ordered
        assert "'Sort'" not in ordered, ordered
    finally:
        tenant.execute(f"DELETE FROM engagements WHERE organization_id = '{tenant.id}'")
        tenant.execute("ANALYZE engagements, custom_field_values")
