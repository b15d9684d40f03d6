"""`python -m tests.chaos --minutes N [--seed N] [--report FILE]`: what `make chaos` runs."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import tasks
from tests.chaos.plan import Plan
from tests.chaos.report import document, summary, table, waits_table
from tests.chaos.run import Run
from webapp.devstack.processes import StartError
from webapp.devstack.supervisor import StopRequested

assert tasks  # registers every kind of job

KEPT = Path(__file__).resolve().parents[2] / "benchmarks" / "CHAOS.md"
KEPT_MINUTES = 20.0  # from here on the report of a run that passed is kept


def main() -> int:
    """Run once; 0 when nothing was lost, doubled or late, 1 otherwise, 2 if it cannot run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Break the running stack every few seconds, and count what was lost or doubled."
        f" A run of {KEPT_MINUTES:g} minutes or more that passes is kept in benchmarks/CHAOS.md.",
    )
    parser.add_argument(
        "--minutes", type=float, default=KEPT_MINUTES, help=f"{KEPT_MINUTES:g} unless told"
    )
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier run")
    parser.add_argument(
        "--report", type=Path, help="write the report here as Markdown, whatever came out"
    )
    parser.add_argument("--folder", type=Path, default=Path("var/chaos"), help="data and logs")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"chaos for {options.minutes:g} minutes, seed {seed}, logs in {options.folder}/run")
    begin = time.monotonic()
    try:
        result = Run(options.folder, Plan(options.minutes, seed)).go()
    except (StartError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    except StopRequested:
        print("stopped", file=sys.stderr)
        return 2
    print(f"\n{table(result)}\n\n{waits_table(result)}\n\n{summary(result)}")
    print(f"- {'passed' if result.passed else 'FAILED'} in {time.monotonic() - begin:.0f} s")
    report = options.report
    if report is None and result.passed and options.minutes >= KEPT_MINUTES:
        report = KEPT
    if report is not None:
        report.write_text(document(result))
        print(f"written: {report}")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
