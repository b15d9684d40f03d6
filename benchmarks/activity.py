"""Activity events from status change to timeline row, and messages with `last_message_at`."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from benchmarks.firm import Firm
from benchmarks.report import Repeated, Section, Table
from benchmarks.sender import Answer, Sender, http
from benchmarks.stage import Server, Stage
from benchmarks.targets import Target
from models.projects import Project
from models.states import PROJECT
from webapp.services.common.writes import lock, move

PROJECTS = 200  # each with one conversation
CONNECTIONS = 16
SECONDS = 10.0
MOVES = 100  # status changes of each project that wait to be told on the timeline; an even number
AT_ONCE = 2  # of each project in one transaction; an even number
LIVE_RATE = 120.0  # status changes per second over HTTP
MESSAGE_RATE = 500.0  # what has to be sustained
PACE = 510.0  # at which messages are due, so that the wait for the last answer is no shortfall
MOST = 2_500  # a second; more were never answered
RIGHT_WITHIN = 1.0  # second
LOOK_SECONDS = 0.05

TEXT = f"""
The application runs as `make run` starts it: two web processes, worker (8 processes), dispatcher,
beat.

**Pipeline**: {PROJECTS * MOVES:,} status changes ({MOVES} of each of {PROJECTS} projects) are made
by the functions that the API's service calls, while the worker is held (SIGSTOP); from the moment
it goes on until every change has its timeline row. It is the rate from job row to timeline row,
which is what the target is held against. **Changes over HTTP**:
`PUT /api/projects/…` on {CONNECTIONS} connections as fast as they are answered, from the first
request until the last timeline row: here the requests are the limit. **At a steady rate**:
{LIVE_RATE:.0f} changes a second for {SECONDS:.0f} s; the delay is from the beginning of the
change's transaction until its timeline row is written (both by the database's clock).

**Messages**: `POST …/messages`, each due at its own time, for {SECONDS:.0f} s over
{CONNECTIONS} connections and {PROJECTS} conversations, {PACE:.0f} a second; the rate is
what was answered, until the last answer. Meanwhile the database is asked every
{LOOK_SECONDS * 1000:.0f} ms which conversations have a message newer than their
`last_message_at`, and for how long that message has been there: the lag is the longest time found.
**As fast as they go** sends without a rate, for the same time.
"""

_EVENTS = """
    SELECT count(*) FROM activity_events
    WHERE organization_id = %(organization_id)s AND type = 'status_changed'"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_LAST_EVENT = """
    SELECT extract(epoch FROM max(finished_at))::float8 FROM jobs
    WHERE organization_id = %(organization_id)s AND kind = 'activity.record'"""
_DELAYS = """
    SELECT extract(epoch FROM finished_at - created_at)::float8 * 1000 AS ms FROM jobs
    WHERE organization_id = %(organization_id)s AND kind = 'activity.record'"""
# How long ago the oldest message came that its conversation does not know of yet.
_LAG = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - late.created_at)), 0)::float8 AS lag
    FROM conversations c
    CROSS JOIN LATERAL (
        SELECT m.created_at FROM messages m
        WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id
          AND m.deleted_at IS NULL
          AND m.created_at > coalesce(c.last_message_at, '-infinity')
        ORDER BY m.created_at LIMIT 1) late
    WHERE c.organization_id = %(organization_id)s"""
_WRONG = """
    SELECT count(*) FROM conversations c
    WHERE c.organization_id = %(organization_id)s AND c.last_message_at IS DISTINCT FROM (
        SELECT max(m.created_at) FROM messages m
        WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id)"""


def measure(stage: Stage, repeats: int) -> Section:
    """Events and messages per second, `repeats` times."""
    database = stage.database()
    with Firm(stage, database) as firm:
        worker = firm.start()["worker"]
        talks = firm.open_projects(PROJECTS)
        projects = [UUID(project_id) for project_id, _ in talks]
        _messages(firm, talks, None, 2.0)  # warms every process up
        database.analyze()
        drains, http_rates = [], []
        delays: list[list[float]] = []
        paced: list[Posted] = []
        fastest: list[Posted] = []
        for repeat in range(repeats):
            drains.append(_drain(firm, worker, projects))
            http_rates.append(_changes(firm, projects, int(LIVE_RATE * SECONDS), None)[0])
            delays.append(_changes(firm, projects, int(LIVE_RATE * SECONDS), LIVE_RATE)[1])
            paced.append(_messages(firm, talks, PACE))
            fastest.append(_messages(firm, talks, None))
            stage.say(
                f"activity {repeat + 1}/{repeats}: {drains[-1]:,.0f} events/s;"
                f" {paced[-1].rate:.0f} messages/s, lag {paced[-1].lag:.2f} s"
            )
    return _section(drains, http_rates, delays, paced, fastest)


def _section(
    drains: Sequence[float],
    http_rates: Sequence[float],
    delays: Sequence[Sequence[float]],
    paced: Sequence[Posted],
    fastest: Sequence[Posted],
) -> Section:
    drained = Repeated(drains)
    rate, lag = Repeated([p.rate for p in paced]), Repeated([p.lag for p in paced])
    most, most_lag = Repeated([p.rate for p in fastest]), Repeated([p.lag for p in fastest])
    cells = [[f"{n:,.0f}" for n in (p.milliseconds(50), p.milliseconds(99))] for p in paced]
    return Section(
        "Activity and messages",
        TEXT,
        [
            Table(
                ["Activity events", "per second"],
                [
                    ["pipeline: from job row to timeline row", drained.cell(0)],
                    [
                        "changes over HTTP, until the last timeline row",
                        Repeated(http_rates).cell(0),
                    ],
                ],
            ),
            Table(
                [f"Delay at {LIVE_RATE:.0f} changes a second", "ms"],
                [
                    ["median", Repeated([_percentile(d, 50) for d in delays]).cell(0)],
                    ["p99", Repeated([_percentile(d, 99) for d in delays]).cell(0)],
                ],
            ),
            Table(
                ["Messages", "answered per second", "longest lag of last_message_at, s"],
                [
                    [f"{MESSAGE_RATE:.0f} a second wanted", rate.cell(0), lag.cell()],
                    ["as fast as they go", most.cell(0), most_lag.cell()],
                ],
            ),
            Table(
                ["Messages at the wanted rate: from when due to the answer", "median ms", "p99 ms"],
                [[f"repeat {n}", *cell] for n, cell in enumerate(cells, 1)],
            ),
        ],
        [
            Target(
                "activity events, from job row to timeline row",
                drained.median,
                2_000,
                unit="/s",
                note=drained.spread(0),
            ),
            Target(
                "messages posted",
                rate.median,
                MESSAGE_RATE,
                unit="/s",
                note=f"{rate.spread(0)}; as fast as they go {most.median:.0f}/s",
            ),
            Target(
                "messages: longest lag of last_message_at",
                lag.median,
                RIGHT_WITHIN,
                at_least=False,
                unit="s",
                note=lag.spread(),
            ),
        ],
    )


def _change_each(projects: Sequence[UUID]) -> None:
    locked = [lock(Project, project_id) for project_id in projects]
    for number in range(AT_ONCE):
        for project in locked:
            move(project, PROJECT, "active" if number % 2 else "on_hold")


def _drain(firm: Firm, worker: Server, projects: Sequence[UUID]) -> float:
    """Events per second when many changes wait to be told on the timeline."""
    count = MOVES * len(projects)
    before = firm.one(_EVENTS)
    os.killpg(worker.process.pid, signal.SIGSTOP)
    try:
        for _ in range(MOVES // AT_ONCE):
            firm.run(lambda: _change_each(projects))
        begin = firm.one(_CLOCK)
    finally:
        os.killpg(worker.process.pid, signal.SIGCONT)
    firm.wait_until_idle()
    _check_events(firm, before + count)
    return float(count / (firm.one(_LAST_EVENT) - begin))


def _changes(
    firm: Firm, projects: Sequence[UUID], count: int, rate: float | None
) -> tuple[float, list[float]]:
    """Change states over HTTP; events per second until the last row, and each delay in ms."""
    count -= count % (2 * len(projects))
    count = max(count, 2 * len(projects))
    before = firm.one(_EVENTS)
    firm.rows("DELETE FROM jobs WHERE organization_id = %(organization_id)s AND state = 'done'")
    requests = [
        http(
            "PUT",
            f"/api/projects/{projects[n % len(projects)]}",
            {"status": "Active" if n // len(projects) % 2 else "Paused"},
            key=firm.key,
        )
        for n in range(count)
    ]
    with Sender(firm.port, CONNECTIONS) as sender:
        begin = time.perf_counter()
        sender.send(requests, rate=rate, expect=[200])
        firm.wait_until_idle()
        seconds = time.perf_counter() - begin
    _check_events(firm, before + count)
    return count / seconds, [float(row["ms"]) for row in firm.rows(_DELAYS)]


def _check_events(firm: Firm, wanted: int) -> None:
    found = firm.one(_EVENTS)
    if found != wanted:
        raise ValueError(f"{found} events on the timeline instead of {wanted}")


@dataclass(frozen=True, slots=True)
class Posted:
    """Messages of one run: how many a second, the longest lag in seconds, and the answers."""

    rate: float
    lag: float
    answers: Sequence[Answer]

    def milliseconds(self, percent: int) -> float:
        """A percentile of the time from when a message was due to its answer."""
        times = [(answer.received - answer.due) * 1000 for answer in self.answers]
        return _percentile(times, percent)


class _Lag:
    """Asks again and again how far conversations are behind their messages; keeps the longest."""

    def __init__(self, firm: Firm) -> None:
        self.longest = 0.0
        self._firm, self._stop = firm, threading.Event()

    @contextmanager
    def watched(self) -> Iterator[_Lag]:
        """Ask, in a thread and on a connection of its own, while the block runs."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        with self._firm.database.connect() as connection:
            while not self._stop.wait(LOOK_SECONDS):
                row = connection.execute(
                    _LAG.encode(), {"organization_id": self._firm.id}
                ).fetchone()
                assert row is not None
                self.longest = max(self.longest, row["lag"])


def _messages(
    firm: Firm, talks: Sequence[tuple[str, str]], rate: float | None, seconds: float = SECONDS
) -> Posted:
    """Post messages for `seconds`, at `rate` or as fast as they are answered.

    Raises ValueError when a conversation does not name its newest message in the end.
    """
    requests = [
        http(
            "POST",
            f"/api/projects/{project_id}/conversations/{talk_id}/messages",
            {"content": f"Message {number}: the draft is ready to be looked at."},
            key=firm.key,
        )
        for number in range(int((rate or MOST) * seconds))
        for project_id, talk_id in [talks[number % len(talks)]]
    ]
    with _Lag(firm).watched() as lag:
        with Sender(firm.port, CONNECTIONS) as sender:
            begin = time.perf_counter()
            answers = sender.send(requests, rate=rate, seconds=seconds, expect=[201])
            took = max(answer.received for answer in answers) - begin
        firm.wait_until_idle()
    if wrong := firm.one(_WRONG):
        raise ValueError(f"{wrong} conversations do not name their newest message")
    return Posted(len(answers) / took, lag.longest, answers)


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
