"""`sx key`: API keys."""

from __future__ import annotations

import click

from webapp.cli.base import as_json, fail, in_organization, organization, say


@click.group()
def key() -> None:
    """API keys."""


@key.command("create")
@organization
@click.option("--role", default="member", show_default=True)
@click.option("--name", default="Command line", show_default=True)
@click.option("--scope", "scopes", multiple=True, help="Narrow the role to these permissions.")
@as_json
def create(slug: str, role: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
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
