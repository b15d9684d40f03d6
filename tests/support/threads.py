"""What the applications of the tests do behind their requests."""

from __future__ import annotations

import threading

from webapp.core.key_uses import WRITER_NAME


def key_uses_are_written() -> None:
    """Wait until no application of this process writes when keys were used."""
    for thread in threading.enumerate():
        if thread.name == WRITER_NAME:
            thread.join(timeout=5)
