"""Previews: the real thing, done and taken back, so that it cannot differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.db.base import db
from models.db.inserts import write_jobs
from models.db.tenancy import current_context


@contextmanager
def taken_back() -> Iterator[None]:
    """Let the block write, and roll all of it back: its rows, and the jobs it asked for.

    What is shown of it must be read inside the block.
    """
    context = current_context()
    write_jobs()
    lanes_before = len(context.jobs.lanes)
    savepoint = db.session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
        del context.jobs.lanes[lanes_before:]
        context.jobs.rows.clear()
