"""How the worker comes back to its broker."""

from __future__ import annotations

import functools
from typing import Any

from celery.worker.consumer import Consumer

RETRY_SECONDS = 2


class ReturningConsumer(Consumer):
    """Looks for a lost broker every 2 seconds; Celery's own pauses grow to half a minute.

    The promise is that workers consume within 10 s of the broker's return (reliability.md,
    *Faults*).
    """

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once the broker answers again."""
        conn.ensure_connection = functools.partial(
            conn.ensure_connection, interval_start=RETRY_SECONDS, interval_max=RETRY_SECONDS
        )
        return super().ensure_connected(conn)
