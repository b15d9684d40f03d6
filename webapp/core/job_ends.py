"""Learning at once that a job has ended, for requests that wait for it.

The database tells it (NOTIFY) in the commit that ends the job; one thread of the process listens on
a connection of its own while somebody waits, and a while longer. Whoever waits looks by itself all
the same, only less often: behind a pooler nobody may be told anything, and nothing depends on it
(settings.md, *What is not a setting*).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import structlog
from flask import Flask

from webapp.config import Settings

log = structlog.get_logger(__name__)

CHANNEL = "job_ends"
# How long the thread listens when nobody waits any more, and pauses after an error.
IDLE_SECONDS = 15.0
ERROR_SECONDS = 1.0
_LOOK_SECONDS = 1.0


class JobEnds:
    """Who waits for which job in this process."""

    def __init__(self, app: Flask) -> None:
        self._settings: Settings = app.config["SETTINGS"]
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}
        self._listener: threading.Thread | None = None
        self._used_at = 0.0
        self.is_listening = False

    @contextmanager
    def watched(self, job_id: UUID) -> Iterator[threading.Event]:
        """An event that is set when the job has ended, if that is told; for the block alone."""
        key, event = str(job_id), threading.Event()
        with self._lock:
            self._used_at = time.monotonic()
            self._waiting.setdefault(key, []).append(event)
            # Lazily, and anew in a forked process: threads do not come along.
            if self._listener is None or not self._listener.is_alive():
                self.is_listening = False
                self._listener = threading.Thread(target=self._listen, name=CHANNEL, daemon=True)
                self._listener.start()
        try:
            yield event
        finally:
            with self._lock:
                self._used_at = time.monotonic()
                self._waiting[key].remove(event)
                if not self._waiting[key]:
                    del self._waiting[key]

    def _listen(self) -> None:
        url = self._settings.app_url.set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        while not self._may_end():
            try:
                with psycopg.connect(
                    dsn, autocommit=True, **self._settings.connect_args
                ) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self.is_listening = True
                    while not self._may_end():
                        for told in connection.notifies(timeout=_LOOK_SECONDS):
                            self._tell(told.payload)
            except (psycopg.Error, OSError) as error:
                with self._lock:
                    self._used_at = 0.0  # nobody who waits, no second try
                if self._may_end():
                    return
                log.info("job_ends_not_heard", error=type(error).__name__)
                time.sleep(ERROR_SECONDS)
            finally:
                self.is_listening = False

    def _may_end(self) -> bool:
        """Whether nobody has waited for a while; the thread is forgotten then."""
        with self._lock:
            if self._waiting or time.monotonic() - self._used_at < IDLE_SECONDS:
                return False
            self._listener = None
            return True

    def _tell(self, key: str) -> None:
        with self._lock:
            for event in self._waiting.get(key, ()):
                event.set()
