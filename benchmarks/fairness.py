"""One organization's single mail, while another one has thousands waiting."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.firm import Firm
from benchmarks.report import Repeated, Section, Table
from benchmarks.stage import Stage
from benchmarks.targets import Target

WAITING = 10_000  # mails of the noisy organization
LINKS = 500  # to so many of its clients, again and again
SINGLE = 10  # mails of the quiet one, one after the other, on each side
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.01
BOUND_SECONDS = 3.0

TEXT = """
The application runs as `make run` starts it, without a mail server: mails are written to a folder.
One organization asks for {waiting:,} mails at once. Meanwhile another one sends {single} proposals,
one after the other; counted from the commit that asks for the mail until the mail is written.
**Alone** is the same while nobody else asks for anything.
"""

_ASK = """
    INSERT INTO jobs (organization_id, id, kind, lane, dedupe_key, payload, max_attempts)
    SELECT l.organization_id, gen_random_uuid(), 'sales.mail_signing_link', 'outside',
           'benchmark:' || l.id || ':' || n, jsonb_build_object('v', 1, 'link_id', l.id), 8
    FROM signing_links l, generate_series(1, %(times)s) n
    WHERE l.organization_id = %(organization_id)s"""
_TOOK = """
    SELECT extract(epoch FROM finished_at - created_at)::float8 AS seconds FROM jobs
    WHERE organization_id = %(organization_id)s AND kind = 'sales.mail_signing_link'
      AND state = 'done' ORDER BY seq DESC LIMIT 1"""
_LEFT = """
    SELECT count(*) FROM jobs WHERE organization_id = %(organization_id)s
      AND kind = 'sales.mail_signing_link' AND state IN ('ready', 'running')"""


def measure(stage: Stage, repeats: int) -> Section:
    """The quiet organization's mails alone and beside the noisy one's, `repeats` times."""
    database = stage.database()
    with Firm(stage, database) as noisy, Firm(stage, database) as quiet:
        noisy.send_proposals(LINKS)
        quiet.start()
        _mails(quiet, SINGLE)
        alone, beside, left = [], [], []
        for repeat in range(repeats):
            quiet.wait_until_idle()
            alone.append(_mails(quiet, SINGLE))
            noisy.rows(_ASK, times=WAITING // LINKS)
            beside.append(_mails(quiet, SINGLE))
            left.append(int(noisy.one(_LEFT)))
            noisy.rows("DELETE FROM jobs WHERE organization_id = %(organization_id)s")
            stage.say(
                f"fairness {repeat + 1}/{repeats}: alone {_ms(alone[-1])} ms, beside"
                f" {WAITING:,} {_ms(beside[-1])} ms, {left[-1]:,} of them left"
            )
    worst = max(max(seconds) for seconds in beside)
    return Section(
        "Fairness",
        TEXT.format(waiting=WAITING, single=SINGLE),
        [
            Table(
                ["A single mail", "median ms", "worst ms"],
                [["alone", *_cells(alone)], ["beside the other's", *_cells(beside)]],
            ),
            Table(
                ["", "mails"],
                [["of the noisy organization still waiting then", Repeated(left).cell(0)]],
            ),
        ],
        [
            Target(
                "a single mail beside 10,000 of another organization, worst",
                worst,
                BOUND_SECONDS,
                at_least=False,
                unit="s",
            )
        ],
    )


def _mails(firm: Firm, count: int) -> list[float]:
    """Seconds of each of `count` mails, asked for one after the other."""
    return [_mail(firm) for _ in range(count)]


def _mail(firm: Firm) -> float:
    before = _done(firm)
    firm.ask_for_a_mail()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _done(firm) == before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"a mail was not sent within {PATIENCE_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)
    [row] = firm.rows(_TOOK)
    return float(row["seconds"])


def _done(firm: Firm) -> Any:
    return firm.one(
        "SELECT count(*) FROM jobs WHERE organization_id = %(organization_id)s"
        " AND kind = 'sales.mail_signing_link' AND state = 'done'"
    )


def _cells(repeats: list[list[float]]) -> list[str]:
    """Median and worst in milliseconds, each with its spread over the repeats."""
    medians = [statistics.median(seconds) * 1000 for seconds in repeats]
    return [Repeated(medians).cell(0), Repeated([max(s) * 1000 for s in repeats]).cell(0)]


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f}"
