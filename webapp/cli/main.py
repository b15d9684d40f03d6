"""The command line: `sx`. Clear text for people, `--json` for programs.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 already running, 4 port taken.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from webapp.cli.base import (
    Commands,
    as_json,
    fail,
    in_organization,
    make_app,
    organization,
    run_as,
    say,
)
from webapp.cli.demo import demo, demo_seed
from webapp.cli.jobs import jobs


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="service-engine-x", prog_name="sx")
def main() -> None:
    """Service Engine X: run it, set it up, look after its jobs."""


main.add_command(jobs)
main.add_command(demo)
main.add_command(demo_seed)


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Default: PORT or 8000.")
def up(port: int | None) -> None:
    """Run everything here: servers, web, worker, beat and dispatcher (`make run`)."""
    from webapp.devstack.up import run_stack

    sys.exit(run_stack(port or int(os.environ.get("PORT", "8000")), Path("var")))


@main.command()
def dispatcher() -> None:
    """Hint at due jobs, and run them when the broker is gone (any number may run)."""
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


@main.group()
def org() -> None:
    """Organizations."""


@org.command("create")
@click.argument("name")
@click.option("--slug", help="Default: made of the name.")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--currency", default="EUR", show_default=True)
@as_json
def org_create(name: str, slug: str | None, timezone: str, currency: str, as_json: bool) -> None:
    """Make an organization."""
    from models.db.base import uuid7
    from webapp.services.identity.accounts import create_organization

    made = run_as(
        make_app(),
        uuid7(),
        lambda: create_organization(name, slug=slug, timezone=timezone, currency=currency),
    )
    say(as_json, {"id": made.id, "slug": made.slug}, f"Made {made.name} ({made.slug}).")


@main.group()
def user() -> None:
    """People who sign in."""


@user.command("create")
@organization
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", default="member", show_default=True)
@click.option("--password", envvar="SX_PASSWORD", prompt=True, hide_input=True,
              confirmation_prompt=True)  # fmt: skip
@as_json
def user_create(slug: str, email: str, name: str, role: str, password: str, as_json: bool) -> None:
    """Make a user; the password is asked for, or taken from SX_PASSWORD."""
    from webapp.services.identity.accounts import create_user

    made = in_organization(slug, lambda: create_user(email, name, password, role=role))
    say(as_json, {"id": made.id, "email": email}, f"Made {name} <{email}>, {role} of {slug}.")


@main.group()
def key() -> None:
    """API keys."""


@key.command("create")
@organization
@click.option("--role", default="member", show_default=True)
@click.option("--name", default="Command line", show_default=True)
@click.option("--scope", "scopes", multiple=True, help="Narrow the role to these permissions.")
@as_json
def key_create(slug: str, role: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make an API key and print it, this once."""
    from webapp.auth.permissions import ALL_PERMISSIONS
    from webapp.services.identity.accounts import create_api_key

    unknown = sorted(set(scopes) - ALL_PERMISSIONS)
    if unknown:
        fail(
            f"no such scope: {', '.join(unknown)}; there are: {', '.join(sorted(ALL_PERMISSIONS))}"
        )
    record, secret = in_organization(slug, lambda: create_api_key(name, role=role, scopes=scopes))
    say(as_json, {"id": record.id, "key": secret, "role": role}, secret)


@main.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from webapp.api.framework.openapi import document

    click.echo(json.dumps(document(make_app()), indent=2))


if __name__ == "__main__":
    main()
