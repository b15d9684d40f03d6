"""What the commands share: how they answer, how they fail, and whose data they touch.

The application is imported when a command needs it, so that `sx --help` and `sx up` start at once.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from flask import Flask

T = TypeVar("T")

as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
organization = click.option("--org", "slug", required=True, help="The organization's slug.")
perhaps_organization = click.option("--org", "slug", help="Its slug; default: all of them.")


def fail(message: str, code: int = 1) -> NoReturn:
    """End the program with one clear line on standard error."""
    click.echo(f"sx: {message}", err=True)
    sys.exit(code)


def say(as_json: bool, data: Any, text: str) -> None:
    """Print `data` for programs or `text` for people."""
    click.echo(json.dumps(data, default=str) if as_json else text)


class Commands(click.Group):
    """A group whose commands end with one clear line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            message, code = _explain(error)
            if message is None:
                raise
            fail(message, code)


def _explain(error: Exception) -> tuple[str | None, int]:
    """One line for a foreseen error, with its exit code; None for a bug, which shows itself."""
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    from webapp.config import SettingsError
    from webapp.devstack.processes import StartError
    from webapp.services.common.exceptions import DomainError

    if isinstance(error, StartError):
        return str(error), error.status
    if isinstance(error, SettingsError):
        return f"the settings cannot be used:\n{error}", 2
    if isinstance(error, DomainError):
        return error.detail, 1
    if isinstance(error, (SQLAlchemyError, psycopg.Error)):
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        return f"the database refused or is not there: {reason}", 1
    return None, 1


@functools.cache
def make_app() -> Flask:
    """This process's application, on the environment's database or that of the `make run` here.

    It has no routes.
    """
    from webapp.core.application import create_core
    from webapp.devstack.beside import use_settings_beside

    use_settings_beside()
    return create_core()


def in_organization(slug: str, work: Callable[[], T]) -> T:
    """Run `work` in the organization with this slug, in one transaction."""
    from webapp.core.database import organization_id

    app = make_app()
    found = organization_id(app.config["SETTINGS"], slug)
    if found is None:
        fail(f"there is no organization {slug!r}; make it with `sx org create NAME`")
    return run_as(app, found, work)


def run_as(app: Flask, organization_id: Any, work: Callable[[], T]) -> T:
    """Run `work` in one transaction of this organization."""
    from models.db.tenancy import as_system
    from webapp.core.transaction import in_transaction

    with app.app_context():
        return in_transaction(as_system(organization_id), work)


def each_organization(app: Flask, slug: str | None = None) -> dict[str, Any]:
    """The ids of all organizations, or of the one with this slug, by slug.

    Asks as the owner of the tables, who alone sees more than one; ends the program for an
    unknown slug.
    """
    from sqlalchemy import text

    from webapp.core.database import owner_engine

    with owner_engine(app.config["SETTINGS"]).connect() as connection:
        rows = connection.execute(text("SELECT slug, id FROM organizations ORDER BY slug"))
        found = {row.slug: row.id for row in rows if slug in (None, row.slug)}
    if slug is not None and not found:
        fail(f"there is no organization {slug!r}")
    return found


def table(rows: Sequence[Mapping[str, Any]], *names: str) -> str:
    """Rows as lines under a heading, the columns as wide as they need."""
    lines = [names, *(tuple(one_line(row[name]) for name in names) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def one_line(value: Any) -> str:
    """A value in one line: a time to the second, nothing for none."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ", "seconds"))
    return "" if value is None else " ".join(str(value).split())
