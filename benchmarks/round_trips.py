"""Where the time goes: one GET and one signature, by round trip to the database and by layer."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import structlog
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.dataset import MARK
from benchmarks.firm import Firm, Sent
from benchmarks.layers import DATABASE, Layers
from benchmarks.report import Section, Table
from benchmarks.stage import Stage, forget_connections
from benchmarks.wiretap import RoundTrip, WireTap
from tasks.runtime.jobs import run_job
from webapp import create_app
from webapp.config import Settings
from webapp.core.logs import configure_logs

CALLS = 100  # of each kind, a second time through the wiretap
WARM_UP = 20
WHOLE = "whole"
SHORT = 96  # characters of a statement that are shown

TEXT = f"""
Each call is made {CALLS} times in one process, by turns timed and counted, through the
application's WSGI function, or for a
job through the function that the worker calls, on the real database and with the log line written
to a file; medians. The web server and the broker's way to the worker are not in it.

**Time by layer** counts each layer without those below it. "The driver waits" is all the time in
which the driver has handed its bytes over and waits for the answer: PostgreSQL's own time and the
loopback's. **Round trips** are counted between driver and server, where the client falls silent
and the server answers; what goes in one piece is one. Their microseconds are measured there, in
calls of their own, so that the counting is in none of the figures by layer.

A signature is two calls: the client's request with `respond-async`, and the job that carries it
out. A client who waits adds a look at the job (one round trip each time) and reads the result.
"""


@dataclass(frozen=True, slots=True)
class _Call:
    """A kind of call: its name, and a function that makes it once more in an application."""

    name: str
    make: Callable[[Flask], Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class _Profile:
    """What was found call by call: seconds by layer, and round trips."""

    layers: Sequence[Mapping[str, float]]
    trips: Sequence[Sequence[RoundTrip]]


def measure(stage: Stage, _repeats: int) -> Section:
    """Profile the calls one after the other."""
    database = stage.database()
    with Firm(stage, database) as firm, WireTap(stage.postgres.port) as tap:
        proposals = iter(firm.send_proposals(2 * (CALLS + WARM_UP)))
        calls = _calls(firm, proposals)
        tapped = database.url.replace(f":{stage.postgres.port}/", f":{tap.port}/")
        app = create_app(Settings.from_environment({**database.env, "DATABASE_URL": tapped}))
        with _logged(stage):
            profiles = [_profile(call, database.app, app, tap) for call in calls]
        forget_connections(app)
    layers = [_median_layers(profile.layers) for profile in profiles]
    trips = [_common_trips(profile.trips) for profile in profiles]
    stage.say("round trips: " + ", ".join(str(len(made)) for made in trips))
    names = [call.name for call in calls]
    return Section(
        "Where the time goes",
        TEXT,
        [
            _summary(names, layers, trips),
            _layer_table(names, layers),
            *(_trip_table(*pair) for pair in zip(names, trips, strict=True)),
        ],
    )


def _calls(firm: Firm, proposals: Iterator[Sent]) -> list[_Call]:
    """GET, the client's signature, its job, and the look at the result; in this order."""
    with firm.database.connect() as connection:
        found = connection.execute(
            "SELECT id FROM engagements WHERE organization_id = %s AND description = %s LIMIT 500",
            [firm.database.organization_id, MARK],
        ).fetchall()
    ids = cycle([row["id"] for row in found])
    signed: list[Sent] = []
    looked = cycle(signed)

    def get(app: Flask) -> Callable[[], Any]:
        return _request(app, "GET", f"/api/engagements/{next(ids)}", key=firm.database.api_key)

    def sign(app: Flask) -> Callable[[], Any]:
        proposal = next(proposals)
        signed.append(proposal)
        head, _, body = proposal.request("respond-async").partition(b"\r\n\r\n")
        return _request(app, "POST", head.split()[1].decode(), body)

    def fulfil(app: Flask) -> Callable[[], Any]:
        job_id = firm.one(
            "SELECT id FROM jobs WHERE organization_id = %(organization_id)s AND state = 'ready'"
            " AND kind = 'sales.fulfil_signature' ORDER BY seq LIMIT 1"
        )

        def call() -> None:
            with app.app_context():
                run_job("sales.fulfil_signature", firm.id, job_id)

        return call

    def look(app: Flask) -> Callable[[], Any]:
        return _request(app, "GET", f"/api/public/proposals/{next(looked).token}/result")

    return [
        _Call("GET /api/engagements/{id}", get),
        _Call("POST …/sign", sign),
        _Call("its job", fulfil),
        _Call("GET …/result", look),
    ]


def _request(app: Flask, method: str, path: str, body: bytes = b"", *, key: str = "") -> Any:
    """A function that sends the request to the application in this process.

    It raises ValueError for an answer that is an error.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {"Prefer": "respond-async"}
    kind = "application/json" if body else None
    builder = EnvironBuilder(
        path, method=method, headers=headers.items(), data=body, content_type=kind
    )
    environ = builder.get_environ()

    def call() -> None:
        _, status, _ = run_wsgi_app(app.wsgi_app, environ, buffered=True)
        if status[0] != "2":
            raise ValueError(f"{method} {path} was answered {status}")

    return call


def _profile(call: _Call, direct: Flask, tapped: Flask, tap: WireTap) -> _Profile:
    """Make the call by turns directly, timed by layer, and through the wiretap."""
    layers, trips = [], []
    with Layers().counting() as timers:
        for _ in range(WARM_UP + CALLS):
            whole = timers.measure(call.make(direct))
            layers.append({**timers.seconds, WHOLE: whole})
            made = call.make(tapped)
            tap.taken()
            made()
            trips.append(tap.taken())
    return _Profile(layers[WARM_UP:], trips[WARM_UP:])


def _median_layers(calls: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median microseconds by layer, and of the whole."""
    names = dict.fromkeys(name for seconds in calls for name in seconds)
    return {
        name: statistics.median(seconds.get(name, 0.0) for seconds in calls) * 1e6 for name in names
    }


def _common_trips(calls: Sequence[Sequence[RoundTrip]]) -> list[RoundTrip]:
    """The round trips of a call, with their median seconds.

    Of calls that differ (a connection is opened, say), the most common form.
    """
    forms = [tuple(tuple(trip.statements) for trip in call) for call in calls]
    [(common, _)] = Counter(forms).most_common(1)
    alike = [call for call, form in zip(calls, forms, strict=True) if form == common]
    return [
        RoundTrip(0.0, list(statements), statistics.median(call[n].seconds for call in alike))
        for n, statements in enumerate(common)
    ]


@contextmanager
def _logged(stage: Stage) -> Iterator[None]:
    """Write this process's log lines to a file, as those of the web server are."""
    with (stage.logs / "round_trips.log").open("wb") as file:
        configure_logs("INFO")
        structlog.configure(logger_factory=structlog.BytesLoggerFactory(file))
        try:
            yield
        finally:
            configure_logs("WARNING")


def _summary(
    names: Sequence[str],
    layers: Sequence[Mapping[str, float]],
    trips: Sequence[Sequence[RoundTrip]],
) -> Table:
    rows = [
        [
            name,
            f"{found[WHOLE]:,.0f}",
            f"{found.get(DATABASE, 0.0):,.0f}",
            f"{found[WHOLE] - found.get(DATABASE, 0.0):,.0f}",
            str(len(made)),
            str(sum(len(trip.statements) for trip in made)),
        ]
        for name, found, made in zip(names, layers, trips, strict=True)
    ]
    header = ["", "µs", "database µs", "Python µs", "round trips", "statements"]
    return Table(header, rows, "One call:")


def _layer_table(names: Sequence[str], layers: Sequence[Mapping[str, float]]) -> Table:
    found = dict.fromkeys(name for seconds in layers for name in seconds if name != WHOLE)
    rows = [
        [layer, *(f"{seconds[layer]:,.0f}" if layer in seconds else "–" for seconds in layers)]
        for layer in sorted(found, key=lambda name: -sum(s.get(name, 0.0) for s in layers))
    ]
    return Table(["Layer, µs", *names], rows, "Time by layer:")


def _trip_table(name: str, trips: Sequence[RoundTrip]) -> Table:
    rows = [
        [" · ".join(map(_shortened, trip.statements)), f"{trip.seconds * 1e6:,.0f}"]
        for trip in trips
    ]
    whole = sum(trip.seconds for trip in trips)
    title = f"Round trips of {name}: {len(trips)}, together {whole * 1e6:,.0f} µs"
    return Table(["Sent in one piece", "µs"], rows, f"{title}:")


def _shortened(statement: str) -> str:
    """The beginning of a statement, without the list of its columns, fit for a table."""
    text = " ".join(statement.split()).replace("|", "\\|")
    text = re.sub(r"^SELECT (?!\*).{40,}? FROM ", "SELECT … FROM ", text)
    text = re.sub(r"^(INSERT INTO \w+) \([^)]*\)", r"\1", text)
    short = text if len(text) <= SHORT else text[: SHORT - 1] + "…"
    return f"`{short}`"
