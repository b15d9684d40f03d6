"""How much waits in the lanes, whoever's it is: numbers by lane and kind, of no organization."""

from __future__ import annotations

from models.db.queries import Row, call_function
from webapp.services.jobs.kinds import LANES


def lane_ages() -> dict[str, float]:
    """For each lane, how many seconds its oldest due job has been due; 0 where none is."""
    rows = call_function("SELECT * FROM lane_ages()")
    return dict.fromkeys(LANES, 0.0) | {row["lane"]: float(row["seconds"]) for row in rows}


def late_lanes() -> dict[str, float]:
    """The lanes whose oldest due job has waited for longer than is aimed at, with its seconds."""
    return {name: age for name, age in lane_ages().items() if age > LANES[name].aim}


def job_counts() -> list[Row]:
    """How many jobs wait, run or are dead: rows of `kind`, `lane`, `state` and `jobs`."""
    return call_function("SELECT * FROM job_counts()")
