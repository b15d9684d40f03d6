"""`sx jobs`: look at the queue, retry what is dead, cancel what waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from webapp.cli.base import (
    as_json,
    each_organization,
    fail,
    make_app,
    one_line,
    perhaps_organization,
    run_as,
    say,
    table,
)

if TYPE_CHECKING:
    from flask import Flask

# As models.jobs.JOB_STATES has them (tested); naming them here keeps `sx --help` quick.
STATES = ("ready", "running", "done", "dead", "cancelled")
COLUMNS = ("id", "organization", "kind", "state", "tries", "created_at", "last_error")


@click.group()
def jobs() -> None:
    """The work that waits, runs, is done or has failed."""


@jobs.command("list")
@perhaps_organization
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--kind", help="Only jobs of this kind, such as sales.mail_signed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@as_json
def list_jobs(
    slug: str | None, state: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List jobs, newest first."""
    from webapp.services.jobs import operations as services

    app = make_app()
    rows = [
        {"organization": name, **row}
        for name, organization_id in each_organization(app, slug).items()
        for row in run_as(
            app,
            organization_id,
            lambda: services.list_jobs(state=state, kind=kind, limit=limit),
        )
    ]
    rows = sorted(rows, key=lambda row: row["id"], reverse=True)[:limit]
    lines = [{**row, "tries": _tries(row)} for row in rows]
    text = table(lines, *COLUMNS) if rows else "There are no such jobs."
    if state is None and (dead := _dead(app)):
        text += f"\n\n{dead}; see `sx jobs list --state dead` and `sx jobs retry --help`."
    say(as_json, rows, text)


@jobs.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@as_json
def show(job_id: UUID, as_json: bool) -> None:
    """Show a job with its attempts and its last error."""
    from webapp.services.jobs import operations as services

    row = _where_it_is(job_id, lambda: services.show_job(job_id))
    say(as_json, row, _details(row))


@jobs.command()
@click.argument("job_id", type=click.UUID, metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="All that are dead (see --state), not one.")
@click.option("--state", type=click.Choice(["dead", "cancelled"]), default="dead")
@click.option("--kind", help="With --all: only jobs of this kind.")
@perhaps_organization
@as_json
def retry(
    job_id: UUID | None,
    every: bool,
    state: str,
    kind: str | None,
    slug: str | None,
    as_json: bool,
) -> None:
    """Put a dead or cancelled job back, to be tried from the beginning."""
    from webapp.services.jobs import operations as services

    if (job_id is None) != every:
        raise click.UsageError("name one job by its ID, or say --all")
    if job_id is not None:
        row = _where_it_is(job_id, lambda: services.retry_job(job_id))
        say(as_json, row, f"The job {row['kind']} is {row['state']}.")
        return
    count = _retry_all(state, kind, slug)
    say(as_json, {"retried": count}, f"Retried {count} job{'' if count == 1 else 's'}.")


@jobs.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@as_json
def cancel(job_id: UUID, as_json: bool) -> None:
    """Cancel a job that waits."""
    from webapp.services.jobs import operations as services

    row = _where_it_is(job_id, lambda: services.cancel_job(job_id))
    say(as_json, row, f"The job {row['kind']} is {row['state']}.")


def _dead(app: Flask) -> str:
    """How many jobs are dead, whoever's they are, in words; empty for none."""
    from webapp.services.jobs.backlog import job_counts

    with app.app_context():
        count = sum(row["jobs"] for row in job_counts() if row["state"] == "dead")
    if not count:
        return ""
    return "1 job is dead" if count == 1 else f"{count} jobs are dead"


def _retry_all(state: str, kind: str | None, slug: str | None) -> int:
    """Put back all such jobs, batch by batch, each batch a transaction of its own."""
    from webapp.services.jobs import operations as services

    app = make_app()
    total = 0
    for organization_id in each_organization(app, slug).values():
        while count := run_as(
            app, organization_id, lambda: services.retry_jobs(state=state, kind=kind)
        ):
            total += count
    return total


def _where_it_is(job_id: UUID, act: Callable[[], Any]) -> dict[str, Any]:
    """Do `act` in the organization that has the job; ends the program if none has it."""
    from webapp.services.common.exceptions import NotFound

    app = make_app()
    for name, organization_id in each_organization(app).items():
        try:
            return {"organization": name, **run_as(app, organization_id, act)}
        except NotFound:
            continue
    fail(f"there is no job {job_id}")


def _tries(row: dict[str, Any]) -> str:
    """How often it was tried, and how much of that an outage excused."""
    excused = f", {row['excused']} excused" if row["excused"] else ""
    return f"{row['attempts']}{excused}"


def _details(row: dict[str, Any]) -> str:
    shown = {name: value for name, value in row.items() if name != "attempts_log"}
    lines = [f"{name:<16}{one_line(value)}" for name, value in shown.items() if value is not None]
    for attempt in row["attempts_log"]:
        outcome = attempt["outcome"] or "never came to its end"
        lines.append(f"attempt {attempt['n']:<8}{attempt['started_at']}  {outcome}")
        if attempt["error"]:
            lines.append(f"{'':<16}{attempt['error']}")
    return "\n".join(lines)
