"""`python -m benchmarks`: what `make bench` runs; README.md says what the figures mean."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import time
from pathlib import Path

import psycopg

from benchmarks import report
from benchmarks.dataset import ROWS
from benchmarks.report import RESULTS, ROOT, Section, Table
from benchmarks.stage import Stage
from webapp.devstack.processes import StartError

# In the order of RESULTS.md; each is a module with `measure(stage, repeats) -> Section`.
PARTS = ("requests", "pages", "sign", "fairness", "activity", "startup", "memory", "round_trips")
REPEATS = 5
BUSY = 0.5  # load average; what a machine has that does nothing else is below


def main() -> int:
    """Run the parts; 0 when every target is reached, 1 when one is missed, 2 if it cannot run."""
    options = arguments()
    parts = [part for part in PARTS if part in options.only]
    whole = parts == list(PARTS)
    # A whole run's sections are kept, so that one part of it can be measured again.
    full_size = options.rows >= ROWS and options.repeats >= REPEATS
    kept = options.folder / ("sections" if full_size else "sections-small")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    begin = time.monotonic()
    sections, made_from, load = [], report.commit(), os.getloadavg()[0]
    try:
        with Stage(options.folder, options.rows, options.minutes) as stage:
            with psycopg.connect(stage.postgres.url("postgres")) as connection:
                server = connection.info.parameter_status("server_version") or ""
            if load > BUSY:
                stage.say(f"this machine is busy (load average {load:.1f}): the figures won't hold")
            for part in parts:
                stage.say(f"== {part}")
                section = importlib.import_module(f"benchmarks.{part}").measure(
                    stage, options.repeats
                )
                section.made_from = made_from
                section.save(kept / f"{part}.json")
                sections.append(section)
                print(f"\n{section.markdown()}\n", flush=True)
                stage.reset()
    except (StartError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 2
    if (whole and full_size) or options.write:
        write(kept, report.machine(server, load), options)
    print(f"in {time.monotonic() - begin:.0f} s")
    targets = [target for section in sections for target in section.targets]
    for target in targets:
        print(target.line)
    return 0 if all(target.reached for target in targets) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}, with commas"
    )
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--rows", type=int, default=ROWS, help="engagements in the database")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long memory is watched")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md after a partial or small run too"
    )
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def write(kept: Path, machine: Table, options: argparse.Namespace) -> None:
    """Write RESULTS.md from the last run of each part; parts never run are left out."""
    sections = [Section.load(path) for part in PARTS if (path := kept / f"{part}.json").exists()]
    size = f"{options.rows:,} engagements, {options.repeats} repeats"
    RESULTS.write_text(report.document(sections, machine, size))
    print(f"written: {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
