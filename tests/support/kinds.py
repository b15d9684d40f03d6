"""Kinds of jobs that only tests have."""

from __future__ import annotations

from webapp.services.jobs.kinds import KINDS, JobKind


def a_kind(name: str, *, batch: int = 0, lane: str = "short") -> str:
    """Put a kind into the table of kinds; returns its name."""
    assert name.startswith("test."), name
    return KINDS.setdefault(name, JobKind(name, lane, batch=batch)).name
