"""Kinds of jobs that only tests have."""

from __future__ import annotations

from typing import Any

from webapp.services.jobs.kinds import KINDS, JobKind


def a_kind(name: str, *, batch: int = 0, lane: str = "short", **treated: Any) -> str:
    """Put a kind into the table of kinds; returns its name."""
    assert name.startswith("test."), name
    return KINDS.setdefault(name, JobKind(name, lane, batch, **treated)).name
