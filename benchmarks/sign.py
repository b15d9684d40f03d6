"""Sign → fulfilled: how long one takes when nothing else runs, and how many a second at most."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from benchmarks.firm import Firm, Sent
from benchmarks.recording import Script, Statement, recorded
from benchmarks.report import Repeated, Section, Table
from benchmarks.sender import Sender
from benchmarks.stage import Stage
from benchmarks.targets import Target
from tasks.runtime.jobs import run_job
from webapp.devstack.postgres import binary

IDLE = 50  # signings in a row, on each side
BURST = 320  # signings as fast as they go, on each side
CLIENTS = 8
WARM_UP = 40

TEXT = """
Proposals of three items wait to be signed. The application runs as `make run` starts it: two web
processes, worker (8 processes), dispatcher, beat.

**The floor** is made from the application: two signings are recorded, and the statements of their
two transactions (signature; fulfilment), with their parameters, are run again with ids of their
own, {statements} statements in one transaction on one connection, as a superuser, whom no
row-level security binds. Left out are authentication, the tenant's binding, the claim of the job,
and asking whether it is done. What the application writes for others (jobs of the timeline, the
mails and the PDF) is in it.

**Idle**: one client, one connection; `POST …/sign` with `Prefer: wait=5` until the answer 200,
which names the engagement. The next one begins when all jobs of the last have ended, mails and
PDF too. **Saturated**: {clients} connections sign {burst} proposals as fast as they are answered
(`respond-async`); counted from the first request until the last engagement exists. The timeline's
jobs, two mails and one PDF for each signature stand in the same queue and take their share of the
same processors; "all done" counts until those have ended too. **pgbench** runs the floor's
statements as a script with {clients} clients and prepared statements; one statement more reads
the ids that were made for it. Both sides take their contract and order numbers from series that
stay locked until the commit; pgbench holds them longer, because it commits once, not twice.
"""


# When a worker took up the last signature, and when it had carried it out.
_TIMES = """
    SELECT extract(epoch FROM a.started_at)::float8 AS began,
           extract(epoch FROM j.finished_at)::float8 AS ended
    FROM jobs j JOIN job_attempts a ON a.organization_id = j.organization_id AND a.job_id = j.id
    WHERE j.organization_id = %(organization_id)s AND j.kind = 'sales.fulfil_signature'
    ORDER BY j.seq DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class _Signing:
    """Seconds of one signing as its client sees it, and of its three parts."""

    whole: float
    until_claimed: float
    carried_out: float
    until_answered: float


def measure(stage: Stage, repeats: int) -> Section:
    """Both figures against their floors, `repeats` times."""
    with Firm(stage, stage.database()) as firm:
        script = Script.of(lambda: _record(firm))
        stage.say(f"making {repeats * 2 * (IDLE + BURST) + 3 * WARM_UP:,} proposals")
        ours = firm.send_proposals(repeats * (IDLE + BURST) + 2 * WARM_UP)
        theirs = firm.send_proposals(repeats * (IDLE + BURST) + WARM_UP)
        floor = Floor(stage, firm, script)
        floor.keep(theirs[repeats * IDLE + WARM_UP :])
        firm.start()
        try:
            _saturated(firm, _take(ours, WARM_UP))
            _idle(firm, _take(ours, WARM_UP))
            floor.run(_take(theirs, WARM_UP))
            return _repeat(stage, firm, script, floor, ours, theirs, repeats)
        finally:
            floor.close()


def _repeat(
    stage: Stage,
    firm: Firm,
    script: Script,
    floor: Floor,
    ours: list[Sent],
    theirs: list[Sent],
    repeats: int,
) -> Section:
    signings: list[list[_Signing]] = []
    floors: list[list[float]] = []
    rates, drained, benches = [], [], []
    for repeat in range(repeats):
        for side in ("ours", "floor") if repeat % 2 else ("floor", "ours"):
            firm.wait_until_idle()
            if side == "ours":
                signings.append(_idle(firm, _take(ours, IDLE)))
                rate, all_done = _saturated(firm, _take(ours, BURST))
                rates.append(rate)
                drained.append(all_done)
            else:
                floors.append(floor.run(_take(theirs, IDLE)))
                benches.append(floor.pgbench(BURST))
        idle = [[signing.whole for signing in repeated] for repeated in signings]
        stage.say(
            f"sign {repeat + 1}/{repeats}: idle {_ms(idle[-1])} ms, floor {_ms(floors[-1])} ms;"
            f" {rates[-1]:.0f}/s, pgbench {benches[-1]:.0f}/s"
        )
    latency = Repeated.ratio(map(statistics.median, idle), map(statistics.median, floors))
    throughput = Repeated.ratio(rates, benches)
    count = sum(len(statement.rows) for statement in script.statements)
    return Section(
        "Sign → fulfilled",
        TEXT.format(statements=count, clients=CLIENTS, burst=BURST),
        [
            Table(
                ["Idle, one client", "median ms", "p99 ms"],
                [
                    ["application", *_latencies(idle)],
                    ["floor: one transaction", *_latencies(floors)],
                    ["application / floor", latency.cell(), ""],
                ],
            ),
            _parts(signings),
            Table(
                ["Saturated", "signatures per second"],
                [
                    ["application, until the last engagement", Repeated(rates).cell(0)],
                    ["application, all done", Repeated(drained).cell(0)],
                    ["pgbench, the same statements", Repeated(benches).cell(0)],
                    ["application / pgbench", throughput.cell()],
                ],
            ),
        ],
        [
            Target(
                "sign → fulfilled, idle, times the floor",
                latency.median,
                2.0,
                at_least=False,
                note=latency.spread(),
            ),
            Target(
                "sign → fulfilled, saturated, share of pgbench",
                throughput.median,
                0.6,
                note=throughput.spread(),
            ),
            Target(
                "sign → all done, saturated",
                statistics.median(drained),
                40,
                unit="/s",
                note=Repeated(drained).spread(),
            ),
        ],
    )


def _record(firm: Firm) -> tuple[dict[str, str], list[Statement]]:
    """Sign one proposal in this process and carry it out; what was known, and what was sent."""
    [sent] = firm.send_proposals(1)
    head, _, body = sent.request("respond-async").partition(b"\r\n\r\n")
    path = head.split()[1].decode()
    with recorded() as statements:
        answer = firm.database.app.test_client().post(
            path, data=body, content_type="application/json", headers={"Prefer": "respond-async"}
        )
        if answer.status_code != 202 or answer.json is None:
            raise ValueError(f"signing was answered {answer.status_code}: {answer.text}")
        with firm.database.app.app_context():
            job_id = firm.one(
                "SELECT id FROM jobs WHERE organization_id = %(organization_id)s"
                " AND kind = 'sales.fulfil_signature' AND state = 'ready'"
            )
            run_job("sales.fulfil_signature", firm.id, job_id)
    return dict(sent.known), statements


def _idle(firm: Firm, proposals: Sequence[Sent]) -> list[_Signing]:
    """Sign the proposals, one after the other."""
    signings = []
    wall = time.time() - time.perf_counter()
    with Sender(firm.port, 1) as sender:
        for proposal in proposals:
            firm.wait_until_idle()
            [answer] = sender.send([proposal.request("wait=5")], expect=[200])
            if not answer.json["engagement"]:
                raise ValueError("signed, but no engagement in the answer")
            [job] = firm.rows(_TIMES)
            sent, received = wall + answer.sent, wall + answer.received
            signings.append(
                _Signing(
                    received - sent, job["began"] - sent, job["ended"] - job["began"],
                    received - job["ended"],
                )
            )  # fmt: skip
    firm.wait_until_idle()
    return signings


def _saturated(firm: Firm, proposals: Sequence[Sent]) -> tuple[float, float]:
    """Signatures per second until the last engagement exists, and until all jobs are done."""
    requests = [proposal.request("respond-async") for proposal in proposals]
    ids = [proposal.known["proposal_id"] for proposal in proposals]
    with Sender(firm.port, CLIENTS) as sender:
        begin = time.perf_counter()
        sender.send(requests, expect=[202])
        while firm.one(
            "SELECT EXISTS (SELECT FROM proposals WHERE organization_id = %(organization_id)s"
            " AND id = ANY(%(ids)s::uuid[]) AND converted_engagement_id IS NULL)",
            ids=ids,
        ):
            time.sleep(0.01)
        fulfilled = time.perf_counter() - begin
    firm.wait_until_idle(0.05)
    return len(ids) / fulfilled, len(ids) / (time.perf_counter() - begin)


class Floor:
    """The same statements without the application: in one transaction, and by pgbench."""

    def __init__(self, stage: Stage, firm: Firm, script: Script) -> None:
        self._script, self._url = script, firm.database.url
        self._file: Path = stage.folder / "sign.pgbench.sql"
        self._connection = psycopg.connect(self._url)
        self._number = 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def keep(self, proposals: Sequence[Sent]) -> None:
        """Keep the slots of pgbench's transactions in a table, and write its script."""
        variables = self._script.variables
        names = [sql.Identifier(name) for name in variables.values()]
        columns = sql.SQL(", ").join(names)
        typed = sql.SQL(", ").join(sql.SQL("{} text").format(name) for name in names)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("CREATE SEQUENCE benchmark_turn")
            cursor.execute(
                sql.SQL("CREATE TABLE benchmark_slots (turn bigint PRIMARY KEY, {})").format(typed)
            )
            into = sql.SQL("COPY benchmark_slots (turn, {}) FROM STDIN").format(columns)
            with cursor.copy(into) as copy:
                for turn, proposal in enumerate(proposals, 1):
                    slots = self._slots(proposal)
                    copy.write_row([turn, *(value.text_of(slots) for value in variables)])
        pick = f"SELECT {', '.join(variables.values())} FROM benchmark_slots"
        pick += " WHERE turn = (SELECT nextval('benchmark_turn'))"
        self._file.write_text(self._script.pgbench(pick))

    def run(self, proposals: Sequence[Sent]) -> list[float]:
        """Seconds of each proposal's transaction, on one connection."""
        seconds = []
        for proposal in proposals:
            statements = self._script.filled(self._slots(proposal))
            begin = time.perf_counter()
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for statement in statements:
                    _execute(cursor, statement)
            seconds.append(time.perf_counter() - begin)
        return seconds

    def pgbench(self, transactions: int) -> float:
        """Transactions per second. Raises ValueError when pgbench fails or one was aborted."""
        url = urlsplit(self._url)
        command: list[str | Path] = [binary("pgbench"), "--no-vacuum", f"--file={self._file}"]
        command += [f"--client={CLIENTS}", "--jobs=2", "--protocol=prepared"]
        command += [f"--transactions={transactions // CLIENTS}", f"--host={url.hostname}"]
        command += [f"--port={url.port}", f"--username={url.username}", url.path[1:]]
        env = {**os.environ, "PGPASSWORD": unquote(url.password or "")}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or found is None:
            raise ValueError(f"pgbench: {done.stderr[-2000:]}")
        return float(found[1])

    def _slots(self, proposal: Sent) -> dict[str, str]:
        self._number += 1
        return self._script.slots(proposal.known, self._number)


def _execute(cursor: psycopg.Cursor[Any], statement: Statement) -> None:
    if statement.many:
        cursor.executemany(statement.sql.encode(), statement.rows)
    else:
        cursor.execute(statement.sql.encode(), statement.rows[0])
    if cursor.description:
        cursor.fetchall()


def _take(proposals: list[Sent], count: int) -> list[Sent]:
    taken = proposals[:count]
    del proposals[:count]
    return taken


def _parts(signings: Sequence[Sequence[_Signing]]) -> Table:
    """The three parts of an idle signing, in milliseconds."""
    parts = {
        "sent until a worker claims the job": "until_claimed",
        "claimed until carried out, before its commit": "carried_out",
        "carried out until the answer with the engagement": "until_answered",
    }
    rows = []
    for title, name in parts.items():
        medians = [
            statistics.median(getattr(signing, name) for signing in repeated) * 1000
            for repeated in signings
        ]
        rows.append([title, Repeated(medians).cell(1)])
    return Table(["Idle, the application's parts", "median ms"], rows)


def _ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f}"


def _latencies(repeats: Sequence[Sequence[float]]) -> list[str]:
    """Median and 99th percentile in milliseconds, each with its spread over the repeats."""
    medians = [statistics.median(seconds) * 1000 for seconds in repeats]
    last = [statistics.quantiles(seconds, n=100)[98] * 1000 for seconds in repeats]
    return [Repeated(medians).cell(1), Repeated(last).cell(1)]
