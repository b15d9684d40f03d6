"""The memory of every process over minutes of mixed load: is it flat?"""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from uuid import uuid4

from benchmarks.firm import Firm, Sent
from benchmarks.report import Section, Table
from benchmarks.sender import Sender, http
from benchmarks.stage import Server, Stage
from benchmarks.targets import Target

CONNECTIONS = 8
SAMPLE_SECONDS = 5.0
FLAT = 1.05
MIB = 1024.0  # KiB
# Of the run's length; over ten minutes these are minutes 1, 4, 7 and 10.
SHOWN = (0.1, 0.4, 0.7, 1.0)
PROJECTS = 50
BUFFERS = "PostgreSQL, shared buffers"
# Requests a second, together at a rate that leaves the processors idle half of the time.
PER_SECOND = {"read": 20, "list": 5, "create": 4, "message": 5, "status": 4, "sign": 1}

TEXT = """
The application runs as `make run` starts it. For {minutes:g} minutes one client sends, each at its
own time, {mix} a second; signing is answered when the engagement is there. Every {pause:.0f} s the
memory of each process is read from `/proc/PID/smaps_rollup`: its proportional share (Pss), so
that pages which processes share are counted once. PostgreSQL's shared buffers fill up to their
setting (128 MB) with whatever was read; they stand in a line of their own and are not judged.
**Flat** means that the median of the last third is at most {flat:g} times that of the middle
third, for each kind of process.
"""


def measure(stage: Stage, _repeats: int) -> Section:
    """Watch the processes for `stage.minutes`."""
    seconds = stage.minutes * 60
    with Firm(stage, stage.database()) as firm:
        proposals = firm.send_proposals(PER_SECOND["sign"] * (int(seconds) + 1))
        servers = firm.start()
        requests = _requests(firm, proposals, int(seconds) + 1)
        watch = _Watch(_roots(stage, servers))
        stage.say(f"memory: {stage.minutes:g} minutes of mixed load")
        with watch.running(), Sender(firm.port, CONNECTIONS) as sender:
            rate = sum(PER_SECOND.values())
            answers = sender.send(requests, rate=rate, seconds=seconds, expect=(200, 201))
        firm.wait_until_idle()
    late = statistics.quantiles([answer.received - answer.due for answer in answers], n=100)[98]
    stage.say(f"memory: {len(answers)} requests, p99 {late * 1000:.0f} ms")
    return _section(stage.minutes, watch.samples)


def _section(minutes: float, samples: Mapping[str, Sequence[float]]) -> Section:
    rows, growth = [], {}
    for name, figures in samples.items():
        third = len(figures) // 3
        middle, last = figures[third : 2 * third], figures[2 * third :]
        ratio = statistics.median(last) / statistics.median(middle)
        if name != BUFFERS:
            growth[name] = ratio
        shown = [figures[max(0, round(share * len(figures)) - 1)] for share in SHOWN]
        rows.append([name, *(f"{figure / MIB:,.1f}" for figure in shown), f"{ratio:.3f}"])
    worst = max(growth, key=growth.__getitem__)
    mix = ", ".join(f"{count} × {name}" for name, count in PER_SECOND.items())
    return Section(
        "Memory",
        TEXT.format(minutes=minutes, mix=mix, pause=SAMPLE_SECONDS, flat=FLAT),
        [
            Table(
                [
                    "Pss, MiB, at minute",
                    *(f"{share * minutes:g}" for share in SHOWN),
                    "last / middle third",
                ],
                rows,
            )
        ],
        [
            Target(
                "memory, last third to middle third, worst kind of process",
                growth[worst],
                FLAT,
                at_least=False,
                note=worst,
            )
        ],
    )


def _requests(firm: Firm, proposals: Sequence[Sent], seconds: int) -> list[bytes]:
    """What the client sends: for each second the same mix, in the same order."""
    with firm.database.connect() as connection:
        found = connection.execute(
            "SELECT id FROM engagements WHERE organization_id = %s ORDER BY id DESC LIMIT 2000",
            [firm.database.organization_id],
        ).fetchall()
    reader = firm.database.api_key  # whose organization holds the many engagements
    reads = cycle(http("GET", f"/api/engagements/{row['id']}", key=reader) for row in found)
    lists = cycle(
        http("GET", f"/api/{what}?limit=20", key=reader) for what in ("engagements", "projects")
    )
    opened = firm.open_projects(PROJECTS)
    talks = cycle(opened)
    moves = cycle((state, project) for state in ("Paused", "Active") for project, _ in opened)
    signings = iter([proposal.request("wait=5") for proposal in proposals])

    def request(kind: str, number: int) -> bytes:
        if kind == "create":
            body = {"name": f"Engagement {number}"}
            return http("POST", "/api/engagements", body, key=firm.key, Idempotency_Key=uuid4().hex)
        if kind == "message":
            project, talk = next(talks)
            path = f"/api/projects/{project}/conversations/{talk}/messages"
            return http("POST", path, {"content": f"Message {number}"}, key=firm.key)
        if kind == "status":
            state, project = next(moves)
            return http("PUT", f"/api/projects/{project}", {"status": state}, key=firm.key)
        return next({"read": reads, "list": lists, "sign": signings}[kind])

    kinds = [kind for kind, count in PER_SECOND.items() for _ in range(count)]
    random.Random(1).shuffle(kinds)
    return [request(kind, second) for second in range(seconds) for kind in kinds]


class _Watch:
    """Samples the memory of process trees; `samples` are KiB by kind of process."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self.samples: dict[str, list[float]] = {}
        self._roots = roots
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample in a thread while the block runs."""
        thread = threading.Thread(target=self._sample_on)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _sample_on(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for name, kibibytes in self._sample().items():
                self.samples.setdefault(name, []).append(kibibytes)

    def _sample(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, root in self._roots.items():
            children = _descendants(root)
            if name == "PostgreSQL":
                memory = [_memory(pid) for pid in (root, *children)]
                shared = sum(share.get("Pss_Shmem", 0.0) for share in memory)
                found[f"{name}, all processes"] = sum(m.get("Pss", 0.0) for m in memory) - shared
                found[BUFFERS] = shared
                continue
            found[name if not children else f"{name}, parent"] = _memory(root).get("Pss", 0.0)
            if children:
                sizes = [_memory(pid).get("Pss", 0.0) for pid in children]
                found[f"{name}, {len(children)} children together"] = sum(sizes)
        return found


def _roots(stage: Stage, servers: Mapping[str, Server]) -> dict[str, int]:
    """The first process of each kind, by its name."""
    own = {name: servers[name].process.pid for name in ("web", "worker", "dispatcher", "beat")}
    if stage.postgres.pid is None or stage.valkey.pid is None:
        raise ValueError("the stage's servers do not run")
    return {**own, "PostgreSQL": stage.postgres.pid, "Valkey": stage.valkey.pid}


def _descendants(root: int) -> list[int]:
    """The ids of all processes below `root` (proc(5), `task/*/children`)."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        for file in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with suppress(OSError):
                children = [int(pid) for pid in file.read_text().split()]
                found += children
                waiting += children
    return found


def _memory(pid: int) -> dict[str, float]:
    """KiB by name, such as Pss; empty when the process has just ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        return {name: float(rest.split()[0]) for name, rest in (li.split(":", 1) for li in lines)}
    return {}
