"""When API keys and sessions were last used: written behind the requests, once a minute for each.

A request that reads is one statement, and stays one: the process notes the credential and a thread
of its own writes it down a moment later. What it has not written when the process dies is lost,
which is a minute at most.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from uuid import UUID

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from models.db.tenancy import Principal, as_system
from webapp.core.transaction import in_transaction
from webapp.services.common.exceptions import DomainError
from webapp.services.identity.keys import mark_used

log = structlog.get_logger(__name__)

# How often the same key's use is written, and how long a process collects before it writes.
PERIOD = dt.timedelta(minutes=1)
COLLECT_SECONDS = 1.0
WRITER_NAME = "key uses"
_KNOWN_LIMIT = 10_000


class KeyUses:
    """Notes the keys and sessions that are used, and writes them down. One per process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._known_until: dict[UUID, float] = {}
        self._waiting: dict[UUID, set[UUID]] = {}
        self._writer: threading.Thread | None = None

    def note(self, principal: Principal) -> None:
        """Note that the caller's credential was used; cheap, and never an error of the request."""
        key_id = principal.credential_id
        now = time.monotonic()
        if key_id is None or now < self._known_until.get(key_id, 0.0):
            return
        with self._lock:
            if len(self._known_until) > _KNOWN_LIMIT:
                self._known_until.clear()
            self._known_until[key_id] = now + PERIOD.total_seconds()
            self._waiting.setdefault(principal.organization_id, set()).add(key_id)
            # Lazily, and anew in a forked process: threads do not come along.
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(target=self._write, name=WRITER_NAME, daemon=True)
                self._writer.start()

    def _write(self) -> None:
        while True:
            time.sleep(COLLECT_SECONDS)
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            for organization_id, key_ids in waiting.items():
                self._write_one(organization_id, list(key_ids))
            with self._lock:
                if not self._waiting:
                    self._writer = None
                    return

    def _write_one(self, organization_id: UUID, key_ids: list[UUID]) -> None:
        try:
            with self._app.app_context():
                in_transaction(
                    as_system(organization_id), lambda: mark_used(key_ids, at_most_every=PERIOD)
                )
        except (SQLAlchemyError, DomainError) as error:  # it is written with the key's next use
            log.warning("key_use_not_written", error=type(error).__name__)
            with self._lock:
                for key_id in key_ids:
                    self._known_until.pop(key_id, None)
