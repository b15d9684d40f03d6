"""The table of features names routes and tests that there are (docs/reference/features.md)."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.tenants import Api

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/reference/features.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| Asked for"))
]
ROUTE = re.compile(r"`(GET|POST|PUT|DELETE) (/api/[^`]*)`")


def test_every_route_that_a_feature_names_is_in_the_document(anybody: Api) -> None:
    paths = anybody.get("/api/openapi.json").json["paths"]
    named = [found for _, where, _ in ROWS for found in ROUTE.findall(where)]
    assert len(named) > 30
    assert [(m, p) for m, p in named if m.lower() not in paths.get(p, {})] == []


def test_every_feature_that_is_built_names_tests_that_there_are() -> None:
    for asked, where, tests in ROWS:
        files = re.findall(r"`(tests/[^`]*)`", tests)
        assert bool(files) != ("not built yet" in where), asked
        assert [file for file in files if not (ROOT / file).exists()] == [], asked
