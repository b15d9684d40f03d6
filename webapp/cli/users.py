"""`sx user`: people who sign in, and keeping them out."""

from __future__ import annotations

import click

from webapp.cli.base import as_json, in_organization, make_app, organization, say, table

# As in models/identity.py, which takes long to load.
ROLES = ("owner", "admin", "member", "viewer")
COLUMNS = ("email", "name", "role", "state", "sessions", "created_at")
email_argument = click.argument("email")
password_option = click.option("--password", envvar="SX_PASSWORD", prompt=True, hide_input=True,
                               confirmation_prompt=True)  # fmt: skip


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("create")
@organization
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", default="member", show_default=True)
@password_option
@as_json
def create(slug: str, email: str, name: str, role: str, password: str, as_json: bool) -> None:
    """Make a user; the password is asked for, or taken from SX_PASSWORD."""
    from webapp.services.identity.accounts import create_user

    made = in_organization(slug, lambda: create_user(email, name, password, role=role))
    say(as_json, {"id": made.id, "email": email}, f"Made {name} <{email}>, {role} of {slug}.")


@user.command("invite")
@email_argument
@organization
@click.option("--role", type=click.Choice(ROLES), default="member", show_default=True)
@as_json
def invite(email: str, slug: str, role: str, as_json: bool) -> None:
    """Invite somebody by mail: the link lets them choose a name and a password."""
    from webapp.services.identity.invitations import create_invitation

    secret_key = make_app().config["SETTINGS"].secret_key
    offer = {"email": email, "role": role}
    made = in_organization(slug, lambda: create_invitation(offer, secret_key))
    until = made.expires_at
    say(as_json, {"id": made.id, **offer, "expires_at": until}, f"Invited {email} to {slug}.")


@user.command("list")
@organization
@as_json
def list_users(slug: str, as_json: bool) -> None:
    """List an organization's people, with how many sessions they have open."""
    from webapp.services.identity.members import list_members

    rows = in_organization(slug, list_members)
    say(as_json, rows, table(rows, *COLUMNS) if rows else "There are no users.")


@user.command("disable")
@email_argument
@organization
@as_json
def disable(email: str, slug: str, as_json: bool) -> None:
    """Keep somebody out: ends their sessions, refuses their log-in."""
    from webapp.services.identity.members import disable_member

    ended = in_organization(slug, lambda: disable_member(email))
    _say_ended(as_json, email, "disabled", ended)


@user.command("enable")
@email_argument
@organization
@as_json
def enable(email: str, slug: str, as_json: bool) -> None:
    """Let somebody who was disabled log in again."""
    from webapp.services.identity.members import enable_member

    in_organization(slug, lambda: enable_member(email))
    say(as_json, {"email": email, "state": "active"}, f"{email} may log in again.")


@user.command("role")
@email_argument
@click.argument("role", type=click.Choice(ROLES))
@organization
@as_json
def role(email: str, role: str, slug: str, as_json: bool) -> None:
    """Give somebody another role; it holds from their next request on."""
    from webapp.services.identity.members import change_role

    in_organization(slug, lambda: change_role({"role": role}, email))
    say(as_json, {"email": email, "role": role}, f"{email} is {role} of {slug} now.")


@user.command("remove")
@email_argument
@organization
@click.option("--hand-over-to", metavar="EMAIL", help="Who takes over what they own.")
@as_json
def remove(email: str, slug: str, hand_over_to: str | None, as_json: bool) -> None:
    """Take somebody out of the organization, and end their sessions in it."""
    from webapp.services.identity.members import remove_member

    ended = in_organization(slug, lambda: remove_member(email, hand_over_to=hand_over_to))
    _say_ended(as_json, email, "removed", ended)


@user.command("password")
@email_argument
@organization
@password_option
@as_json
def password(email: str, slug: str, password: str, as_json: bool) -> None:
    """Give somebody another password, and end all their sessions.

    It is asked for twice, or taken from SX_PASSWORD.
    """
    from webapp.services.identity.members import change_password

    ended = in_organization(slug, lambda: change_password(email, password))
    _say_ended(as_json, email, "given another password", ended)


@user.command("unlock")
@email_argument
@organization
@as_json
def unlock(email: str, slug: str, as_json: bool) -> None:
    """Forget the failed log-ins that lock somebody's account."""
    from webapp.services.identity.members import unlock_member

    forgotten = in_organization(slug, lambda: unlock_member(email))
    said = f"Forgot {forgotten} failed log-in{'' if forgotten == 1 else 's'} of {email}."
    say(as_json, {"email": email, "forgotten": forgotten}, said)


def _say_ended(as_json: bool, email: str, what: str, ended: int) -> None:
    sessions = f"{ended} session{'' if ended == 1 else 's'} ended"
    say(as_json, {"email": email, "sessions_ended": ended}, f"{email} was {what}; {sessions}.")
