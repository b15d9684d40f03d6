"""Whether depth and size cost anything: page 1,000 and page 1, a million rows and 10,000."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

from benchmarks import dataset
from benchmarks.load import Load, alternate, run
from benchmarks.report import Repeated, Section, Table
from benchmarks.stage import Database, Server, Stage
from benchmarks.targets import Target

SECONDS = 3.0
TURNS = 30  # short ones, as latencies are small and what disturbs them is not
PAGE = 20
DEEP = 1_000
WALK = 100  # the longest page there is, to get there sooner
FEW = 10_000

TEXT = """
Median latency in milliseconds with one connection, one request after the other, through the whole
application; median of the repeats (lowest and highest). Page {deep:,} is reached by its keyset
cursor: the rows from number {row:,} on. The second database has {few:,} engagements, {own:,} of
them in the organization that asks; its web runs beside the first one's.
"""


def measure(stage: Stage, repeats: int) -> Section:
    """Compare latencies; nothing else is asked meanwhile."""
    large, small = stage.database(), stage.database(FEW)
    web, web_of_small = stage.web(large), stage.web(small, name="web-of-few-rows")
    deep = min(DEEP, dataset.own(stage.rows) // PAGE)
    stage.say(f"walking to page {deep:,}")
    cursor = cursor_of_page(web, large, deep)
    pages: dict[str, Callable[[float], Load]] = {
        "page 1": listing(web, large),
        f"page {deep:,}": listing(web, large, cursor),
    }
    gets = {
        f"{FEW:,} rows": getting(web_of_small, small),
        f"{stage.rows:,} rows": getting(web, large),
    }
    lists = {
        f"{FEW:,} rows": listing(web_of_small, small),
        f"{stage.rows:,} rows": listing(web, large),
    }
    rows, targets = [], []
    for name, sides, bound in (
        (f"List, page {deep:,} against page 1", pages, 1.1),
        (f"GET by id, {stage.rows:,} rows against {FEW:,}", gets, 1.2),
        (f"List of 20, {stage.rows:,} rows against {FEW:,}", lists, 1.2),
    ):
        stage.say(f"{name}: {repeats} repeats of {SECONDS:.0f} s")
        loads = alternate(sides, repeats, SECONDS, stage.say, turns=TURNS)
        first, second = ([load.median * 1000 for load in loads[side]] for side in sides)
        ratio = Repeated.ratio(second, first)
        rows.append([name, Repeated(first).cell(), Repeated(second).cell(), ratio.cell()])
        targets.append(
            Target(f"{name}, latency", ratio.median, bound, at_least=False, note=ratio.spread())
        )
    text = TEXT.format(deep=deep, row=(deep - 1) * PAGE + 1, few=FEW, own=dataset.own(FEW))
    table = Table(["", "Less, ms", "More, ms", "Ratio"], rows)
    return Section("Depth and size", text, [table], targets)


def getting(web: Server, database: Database) -> Callable[[float], Load]:
    """GET of the sampled engagements, one after the other."""
    ids = dataset.sampled_ids(database.url, database.organization_id)
    cycle = itertools.cycle([ask(web, database, f"/{found}", found) for found in ids])
    return lambda seconds: run(web.port, cycle, seconds, connections=1)


def listing(web: Server, database: Database, cursor: str | None = None) -> Callable[[float], Load]:
    """GET of one page; its first row must be there each time."""
    address = page_address(cursor)
    first = UUID(fetch(web, database, address)["data"][0]["id"])
    same = itertools.repeat(ask(web, database, address, first))
    return lambda seconds: run(web.port, same, seconds, connections=1)


def cursor_of_page(web: Server, database: Database, page: int) -> str | None:
    """The cursor that leads to `page` of 20, found by walking there; None for the first page."""
    skip, cursor = (page - 1) * PAGE, None
    while skip > 0:
        step = min(skip, WALK)
        link = fetch(web, database, page_address(cursor, step))["links"]["next"]
        cursor = parse_qs(urlsplit(link).query)["cursor"][0]
        skip -= step
    return cursor


def page_address(cursor: str | None, limit: int = PAGE) -> str:
    query = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
    return f"?{urlencode(query)}"


def ask(web: Server, database: Database, address: str, must_hold: UUID) -> tuple[bytes, bytes]:
    """A GET below /api/engagements, and the id that its answer has to hold."""
    raw = (
        f"GET /api/engagements{address} HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        f"Authorization: Bearer {database.api_key}\r\n\r\n"
    )
    return raw.encode(), f'"{must_hold}"'.encode()


def fetch(web: Server, database: Database, address: str) -> Any:
    request = urllib.request.Request(
        f"{web.base_url}/api/engagements{address}",
        headers={"Authorization": f"Bearer {database.api_key}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
