"""`sx org`: organizations."""

from __future__ import annotations

import click

from webapp.cli.base import as_json, make_app, run_as, say


@click.group()
def org() -> None:
    """Organizations."""


@org.command("create")
@click.argument("name")
@click.option("--slug", help="Default: made of the name.")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--currency", default="EUR", show_default=True)
@as_json
def create(name: str, slug: str | None, timezone: str, currency: str, as_json: bool) -> None:
    """Make an organization."""
    from models.db.base import uuid7
    from webapp.services.identity.accounts import create_organization

    made = run_as(
        make_app(),
        uuid7(),
        lambda: create_organization(name, slug=slug, timezone=timezone, currency=currency),
    )
    say(as_json, {"id": made.id, "slug": made.slug}, f"Made {made.name} ({made.slug}).")
