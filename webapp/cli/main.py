"""The command line: `sx`. Clear text for people, `--json` for programs.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 already running, 4 port taken.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from webapp.cli.audit import audit
from webapp.cli.base import Commands, fail, make_app
from webapp.cli.demo import demo, demo_seed
from webapp.cli.jobs import jobs
from webapp.cli.keys import key
from webapp.cli.organizations import org
from webapp.cli.users import user
from webapp.cli.web import web
from webapp.cli.worker import worker


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="service-engine-x", prog_name="sx")
def main() -> None:
    """Service Engine X: run it, set it up, look after its jobs."""


for command in (org, user, key, jobs, audit, web, worker, demo, demo_seed):
    main.add_command(command)


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Default: PORT or 8000.")
def up(port: int | None) -> None:
    """Run everything here: servers, web, worker, beat and dispatcher (`make run`)."""
    from webapp.devstack.up import run_stack

    sys.exit(run_stack(port or int(os.environ.get("PORT", "8000")), Path("var")))


@main.command()
def dispatcher() -> None:
    """Wake lanes whose jobs nobody takes; run them when the broker is gone (any number may run)."""
    import tasks
    from tasks.runtime.dispatcher import Dispatcher

    assert tasks  # registers every kind of job
    Dispatcher(make_app()).run()


@main.command()
@click.option("--to", "revision", default="head", help="A revision, `-1`, or `base`.")
@click.option("--check", is_flag=True, help="Only say whether the models equal the database.")
def migrate(revision: str, check: bool) -> None:
    """Bring the database up to date."""
    from alembic.util import CommandError

    from webapp.config import Settings
    from webapp.core import database
    from webapp.devstack.beside import use_settings_beside

    use_settings_beside()
    settings = Settings.from_environment()
    try:
        if check:
            database.check_models(settings)
        else:
            click.echo(f"The database is at {database.migrate(settings, revision)}.")
    except CommandError as error:
        fail(str(error))


@main.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from webapp import create_app
    from webapp.api.framework.openapi import document
    from webapp.devstack.beside import use_settings_beside

    use_settings_beside()
    click.echo(json.dumps(document(create_app()), indent=2))


if __name__ == "__main__":
    main()
