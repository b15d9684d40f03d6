"""`sx user`: people who sign in."""

from __future__ import annotations

import click

from webapp.cli.base import as_json, in_organization, organization, say


@click.group()
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
def create(slug: str, email: str, name: str, role: str, password: str, as_json: bool) -> None:
    """Make a user; the password is asked for, or taken from SX_PASSWORD."""
    from webapp.services.identity.accounts import create_user

    made = in_organization(slug, lambda: create_user(email, name, password, role=role))
    say(as_json, {"id": made.id, "email": email}, f"Made {name} <{email}>, {role} of {slug}.")
