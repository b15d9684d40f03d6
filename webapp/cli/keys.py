"""`sx key`: API keys."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

from webapp.cli.base import as_json, fail, in_organization, organization, say, table
from webapp.cli.times import MOMENT, SPAN

T = TypeVar("T", bound=Callable[..., None])


def expires(default: str) -> Callable[[T], T]:
    help = f"In 90d or 12h, or a day in UTC; default: {default}."
    return click.option("--expires", "expires_at", type=MOMENT, help=help)


@click.group()
def key() -> None:
    """API keys."""


@key.command("create")
@organization
@click.option("--role", default="member", show_default=True)
@click.option("--name", default="Command line", show_default=True)
@click.option("--scope", "scopes", multiple=True, help="Narrow the role to these permissions.")
@click.option("--allow", "networks", multiple=True, help="Accept it from this network only.")
@expires("never")
@as_json
def create(
    slug: str,
    role: str,
    name: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    expires_at: dt.datetime | None,
    as_json: bool,
) -> None:
    """Make an API key and print it, this once."""
    from webapp.auth.permissions import ALL_PERMISSIONS
    from webapp.services.identity.keys import create_api_key

    unknown = sorted(set(scopes) - ALL_PERMISSIONS)
    if unknown:
        fail(
            f"no such scope: {', '.join(unknown)}; there are: {', '.join(sorted(ALL_PERMISSIONS))}"
        )
    rights: dict[str, Any] = {
        "role": role,
        "scopes": scopes,
        "allowed_ips": [_network(one) for one in networks],
    }
    record, secret = in_organization(
        slug, lambda: create_api_key(name, expires_at=expires_at, **rights)
    )
    data = {"id": record.id, "key": secret, "role": role, "expires_at": record.expires_at}
    say(as_json, data, secret)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        fail(f"this is no address and no network: {text}")


@key.command("list")
@organization
@as_json
def list_keys(slug: str, as_json: bool) -> None:
    """List the keys, newest first: whether they work, and when they were last used."""
    from webapp.services.identity.keys import list_api_keys

    rows = in_organization(slug, list_api_keys)
    columns = ("id", "name", "role", "state", "last_used_at", "expires_at", "created_at")
    say(as_json, rows, table(rows, *columns) if rows else "There are no API keys.")


@key.command("revoke")
@click.argument("key_id", type=click.UUID, metavar="ID")
@organization
@as_json
def revoke(key_id: UUID, slug: str, as_json: bool) -> None:
    """Revoke a key at once: its next request is refused."""
    from webapp.services.identity.keys import revoke_api_key

    record = in_organization(slug, lambda: revoke_api_key(key_id))
    data = {"id": record.id, "name": record.name, "revoked_at": record.revoked_at}
    say(as_json, data, f"Revoked {record.name} ({record.id}).")


@key.command("rotate")
@click.argument("key_id", type=click.UUID, metavar="ID")
@organization
@click.option(
    "--overlap", type=SPAN, default="0", help="How long the old key goes on working, as 24h or 7d."
)
@expires("the old one's length")
@as_json
def rotate(
    key_id: UUID, slug: str, overlap: dt.timedelta, expires_at: dt.datetime | None, as_json: bool
) -> None:
    """Make a new key in the place of this one and print it, this once."""
    from webapp.services.identity.keys import rotate_api_key

    record, secret = in_organization(
        slug, lambda: rotate_api_key(key_id, overlap=overlap, expires_at=expires_at)
    )
    data = {"id": record.id, "key": secret, "role": record.role, "expires_at": record.expires_at}
    say(as_json, data, secret)
