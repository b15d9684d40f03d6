"""GET by id, list of 20 and POST of engagements: the application, the floor, and the peers."""

from __future__ import annotations

import itertools
import json
import secrets
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import dataset, peers
from benchmarks.load import Load, Request, WrongAnswer, alternate, run
from benchmarks.report import Repeated, Section, Table
from benchmarks.stage import WEB_THREADS, Database, Server, Stage
from benchmarks.targets import Target
from models.db.queries import CompiledQuery, bound
from models.engagements import Engagement
from webapp.devstack.processes import HOST, free_port
from webapp.services.engagements.queries import ENGAGEMENTS

SECONDS = 4.0
WORKERS = 2
OURS, FLOOR, FASTAPI, DRF, TUNED = "ours", "floor", "FastAPI", "DRF", "FastAPI, tuned"
PEERS = (FASTAPI, DRF)
NAMES = (OURS, FLOOR, *PEERS, TUNED)

TEXT = """
Answers per second with 16 connections that are kept open, median of the repeats (lowest and
highest). *Ours* is the whole application: API key checked, row-level security forced, schemas, a
log line for each request. The others have no authentication, no row-level security and no log.
Every side has two processes, and those with threads {threads} of them in each. GET goes over 2,000
engagements with three projects and three conversations each, in an organization of {own:,}
engagements among {rows:,}; the list is the newest 20 of them. Each POST of ours carries an
Idempotency-Key of its own; it writes the record, the job of its activity and the answer that is
kept, and sends a wake-up to Valkey. No worker runs meanwhile.

*FastAPI* and *DRF* are the peers, written after their documentation: ORM objects, loaded with
joins or prefetched, and turned into answers by response models or serializers. The targets are set
against the faster of the two. *FastAPI, tuned* is our own read path rewritten for FastAPI: one
statement with JSON subqueries, built once, in autocommit, with no ORM object made to read. It
shows how far FastAPI can be brought. It is no yardstick of the targets, because it is our design
and not what FastAPI's documentation shows, and Django REST framework has no such side. Who would
write FastAPI so should read the last column of the shares: below 1, it is faster than we are.
`README.md` tells more of this choice, and what speaks against it.
"""


@dataclass
class Side:
    """One of the servers that are compared, and how it is asked."""

    server: Server
    path: str
    headers: Mapping[str, str]

    def get(self, ids: list[UUID]) -> Callable[[float], Load]:
        requests = [
            (self._request("GET", f"{self.path}/{id_}"), f'"{id_}"'.encode()) for id_ in ids
        ]
        cycle = itertools.cycle(requests)
        return lambda seconds: run(self.server.port, cycle, seconds)

    def list(self, newest: UUID) -> Callable[[float], Load]:
        address = f"{self.path or '/'}?limit=20"
        cycle = itertools.repeat((self._request("GET", address), f'"{newest}"'.encode()))
        return lambda seconds: run(self.server.port, cycle, seconds)

    def post(self, body: Mapping[str, object]) -> Callable[[float], Load]:
        requests = self._creations(body)
        return lambda seconds: run(self.server.port, requests, seconds, status=201)

    def fetch(self, address: str) -> Any:
        """The JSON of one GET below this side's path."""
        request = urllib.request.Request(
            f"{self.server.base_url}{self.path}{address}", headers=dict(self.headers)
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _creations(self, body: Mapping[str, object]) -> Iterator[Request]:
        """Bodies of one length, each with a name of its own, which the answer has to hold."""
        blank = "0" * 32
        content = json.dumps({**body, "name": f"Website {blank}"})
        headers = {"Content-Type": "application/json", "Idempotency-Key": blank}
        raw = self._request("POST", self.path or "/", headers, content)
        before, between, after = raw.split(blank.encode())
        while True:
            unique = secrets.token_hex(16).encode()
            yield before + unique + between + unique + after, unique

    def _request(
        self, method: str, address: str, more: Mapping[str, str] | None = None, body: str = ""
    ) -> bytes:
        headers = {"Host": f"{HOST}:{self.server.port}", **self.headers, **(more or {})}
        if body:
            headers["Content-Length"] = str(len(body.encode()))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {address} HTTP/1.1\r\n{lines}\r\n{body}".encode()


def measure(stage: Stage, repeats: int) -> Section:
    """Compare the sides; all of them run, those that are not asked are idle."""
    database = stage.database()
    sides = start(stage, database)
    ids = dataset.sampled_ids(database.url, database.organization_id)
    newest, client = newest_and_client(database)
    check_same_fields(sides, ids[0])
    works: dict[str, Callable[[Side], Callable[[float], Load]]] = {
        "GET by id": lambda side: side.get(ids),
        "List of 20": lambda side: side.list(newest),
        "POST": lambda side: side.post(new_engagement(client)),
    }
    found = {}
    for work, ask in works.items():
        stage.say(f"{work}: {repeats} repeats of {SECONDS:.0f} s for each of {len(sides)} sides")
        runs = {name: ask(side) for name, side in sides.items()}
        if work == "POST":
            runs[OURS](1.0)
            database.analyze()  # the first jobs and kept answers of an empty database
        found[work] = alternate(runs, repeats, SECONDS, stage.say)
    rates = {
        work: {name: [load.rate for load in loads] for name, loads in by_side.items()}
        for work, by_side in found.items()
    }
    text = TEXT.format(own=dataset.own(stage.rows), rows=stage.rows, threads=WEB_THREADS)
    return Section(
        "Requests: against the floor and the peers", text, tables(found, rates), targets(rates)
    )


def start(stage: Stage, database: Database) -> dict[str, Side]:
    """Start the application, the floor and the peers, all on the same database."""
    python = peers.python(stage.folder, stage.say)
    statements = stage.home / "floor.json"
    statements.write_text(json.dumps(floor_statements()))
    env = {
        "DATABASE_URL": database.url,
        "ORGANIZATION_ID": str(database.organization_id),
        "WEB_THREADS": str(WEB_THREADS),
        "FLOOR_SQL": str(statements),
    }

    def granian(name: str, app: str, ready: str) -> Server:
        port = free_port()
        command: list[str | Path] = [python, "-m", "granian", "--interface", "wsgi", "--host", HOST]
        command += ["--port", str(port), "--workers", str(WORKERS)]
        command += ["--blocking-threads", str(WEB_THREADS), "--no-ws", "--no-access-log"]
        command += ["--log-level", "error", app]
        return stage.serve(name, command, env, ready_path=ready, port=port)

    def uvicorn(name: str, app: str, ready: str) -> Server:
        port = free_port()
        command: list[str | Path] = [python, "-m", "uvicorn", "--host", HOST, "--port", str(port)]
        command += ["--workers", str(WORKERS), "--loop", "uvloop", "--http", "httptools"]
        command += ["--no-access-log", "--log-level", "error", app]
        return stage.serve(name, command, env, ready_path=ready, port=port)

    ours = stage.web(database, workers=WORKERS)
    key = {"Authorization": f"Bearer {database.api_key}"}
    drf = granian("drf", "benchmarks.peers.drf.wsgi:app", "/engagements?limit=1")
    fastapi = uvicorn("fastapi", "benchmarks.peers.fastapi_app:app", "/engagements?limit=1")
    tuned = uvicorn("fastapi-tuned", "benchmarks.peers.fastapi_tuned:app", "/engagements?limit=1")
    return {
        OURS: Side(ours, "/api/engagements", key),
        FLOOR: Side(granian("floor", "benchmarks.floor:app", "/"), "", {}),
        FASTAPI: Side(fastapi, "/engagements", {}),
        DRF: Side(drf, "/engagements", {}),
        TUNED: Side(tuned, "/engagements", {}),
    }


def check_same_fields(sides: Mapping[str, Side], engagement_id: UUID) -> None:
    """Raises WrongAnswer unless the peers' answers have the fields that ours have."""
    for address, part in ((f"/{engagement_id}", None), ("?limit=20", "data")):
        answers = {name: sides[name].fetch(address) for name in (OURS, *PEERS, TUNED)}
        shapes = {name: shape(found[part] if part else found) for name, found in answers.items()}
        for name in (*PEERS, TUNED):
            if shapes[name] != shapes[OURS]:
                raise WrongAnswer(f"{name} answers {shapes[name]}, and we {shapes[OURS]}")


def shape(value: Any) -> Any:
    """The names of the fields in a JSON value, all the way down; of lists the first and length."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [len(value), *map(shape, value[:1])]
    return None


def floor_statements() -> dict[str, str]:
    """The application's SELECTs, with the organization named, as no policy adds it."""
    organization = Engagement.organization_id
    mine = organization == bound("organization_id", organization.type)
    identity = Engagement.id
    one = ENGAGEMENTS.select(retrieve=True).where(mine, identity == bound("id", identity.type))
    newest_first = (
        ENGAGEMENTS.select()
        .where(mine)
        .order_by(Engagement.created_at.desc(), identity.desc())
        .limit(bound("page_limit"))
    )
    return {"one": CompiledQuery.of(one).plain, "list": CompiledQuery.of(newest_first).plain}


def newest_and_client(database: Database) -> tuple[UUID, Mapping[str, str]]:
    """The newest engagement's id, and the company and contact that new ones are for."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT id, client_company_id, contact_id FROM engagements WHERE organization_id = %s"
            " ORDER BY created_at DESC, id DESC LIMIT 1",
            [database.organization_id],
        ).fetchone()
    assert row is not None
    client = {name: str(row[name]) for name in ("client_company_id", "contact_id")}
    return row["id"], client


def new_engagement(client: Mapping[str, str]) -> dict[str, object]:
    """The body of a POST, but for its name."""
    return {
        "description": "All of it, from the first sketch to the launch",
        "total_value": "4800.00",
        "currency": "EUR",
        "start_date": "2026-01-01",
        "custom_fields": {},
        **client,
    }


def tables(
    found: Mapping[str, Mapping[str, list[Load]]], rates: Mapping[str, Mapping[str, list[float]]]
) -> list[Table]:
    """Answers per second; the ratios made of them; latencies under that load."""
    per_second = [
        [work, *(Repeated(by_side[name]).cell(0) for name in NAMES)]
        for work, by_side in rates.items()
    ]
    ratios = [
        [work, *(Repeated.ratio(by_side[OURS], by_side[name]).cell() for name in NAMES[1:])]
        for work, by_side in rates.items()
    ]
    latencies = [
        [work, *(_latency(by_side[name]) for name in NAMES)] for work, by_side in found.items()
    ]
    return [
        Table(["Answers per second", *NAMES], per_second),
        Table(["Ours as a share of", *NAMES[1:]], ratios),
        Table(["Milliseconds at that load: median / 99 %", *NAMES], latencies),
    ]


def _latency(loads: list[Load]) -> str:
    median = Repeated([load.median * 1000 for load in loads]).median
    slow = Repeated([load.percentile(0.99) * 1000 for load in loads]).median
    return f"{median:.1f} / {slow:.1f}"


def targets(rates: Mapping[str, Mapping[str, list[float]]]) -> list[Target]:
    """The bounds of the comparison; each ratio is of runs in the same repeat.

    The tuned FastAPI has no bound: README.md says why.
    """

    def target(name: str, work: str, against: list[float], bound_: float) -> Target:
        ratio = Repeated.ratio(rates[work][OURS], against)
        return Target(name, ratio.median, bound_, note=ratio.spread())

    def faster_peer(work: str) -> list[float]:
        return [max(pair) for pair in zip(*(rates[work][name] for name in PEERS), strict=True)]

    get, post, listed = "GET by id", "POST", "List of 20"
    return [
        target("GET by id, share of the floor", get, rates[get][FLOOR], 0.30),
        target("GET by id, times the faster peer", get, faster_peer(get), 1.5),
        target("POST, times the faster peer", post, faster_peer(post), 1.0),
        target("list of 20, times Django REST framework", listed, rates[listed][DRF], 1.5),
    ]
