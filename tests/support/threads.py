"""What the applications of the tests do behind their requests."""

from __future__ import annotations

import threading

from webapp.core import job_ends
from webapp.core.key_uses import WRITER_NAME


def key_uses_are_written() -> None:
    """Wait until no application of this process writes when keys were used."""
    _join(WRITER_NAME)


def threads_end() -> None:
    """Let all that runs behind requests come to its end, before the servers it talks to do."""
    before, job_ends.IDLE_SECONDS = job_ends.IDLE_SECONDS, 0.0
    try:
        _join(WRITER_NAME, job_ends.CHANNEL)
    finally:
        job_ends.IDLE_SECONDS = before


def _join(*names: str) -> None:
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(timeout=5)
