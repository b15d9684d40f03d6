"""What a request tells of the browser or program that sent it."""

from __future__ import annotations

import ipaddress

from flask import request

from models.db.constraints import USER_AGENT_LENGTH


def user_agent() -> str | None:
    """The caller's User-Agent, cut to what its columns hold; None without one."""
    return request.user_agent.string[:USER_AGENT_LENGTH] or None


def address() -> str | None:
    """The caller's IP address as PostgreSQL's `inet` takes it; None where there is none.

    An IPv4 address that came in as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    """
    try:
        found = ipaddress.ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
