"""What a worker does beyond Celery: it comes back to its broker, and keeps its size."""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress
from typing import Any

from celery.worker.consumer import Consumer

RETRY_SECONDS = 2
_M_TRIM_THRESHOLD, _TRIM_BYTES = -1, 128 * 1024  # mallopt(3); the bytes are its own default


def give_freed_memory_back() -> None:
    """Let glibc give freed memory back at once, so that a worker stays as large as its work.

    By default it raises its thresholds to the largest block it has seen freed, which with a PDF
    now and then makes a process swing by a tenth of its size. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


class ReturningConsumer(Consumer):
    """Notices a lost broker at once and looks for it every 2 seconds; Celery's own pauses grow.

    The promise is that workers consume within 10 s of the broker's return (jobs.md, *When something
    dies*).
    """

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once the broker answers again."""
        conn.ensure_connection = functools.partial(
            conn.ensure_connection, interval_start=RETRY_SECONDS, interval_max=RETRY_SECONDS
        )
        return super().ensure_connected(conn)

    def call_soon_ack(self, p: Any, logger: Any, _errors: Any, *args: Any, **kwargs: Any) -> Any:
        """Send an acknowledgement (or a rejection); one that cannot be sent ends the connection.

        Celery would log the error and go on, and the message would keep its place among those
        that the worker may hold. With every place taken so, it neither reads the queue again nor
        notices that its connection is gone, however long the broker has been back.
        """
        return super().call_soon_ack(p, logger, (), *args, **kwargs)
