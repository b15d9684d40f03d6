"""What a request tells of the browser or program that sent it."""

from __future__ import annotations

from flask import request

from models.db.constraints import USER_AGENT_LENGTH


def user_agent() -> str | None:
    """The caller's User-Agent, cut to what its columns hold; None without one."""
    return request.user_agent.string[:USER_AGENT_LENGTH] or None
