"""Beat: periodic work, one run for each time slot, however many beats run.

A slot is opened in PostgreSQL together with its jobs, in one transaction; the first beat that
comes wins, and a slot that was missed is opened late (jobs.md, *When something dies*).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from celery.beat import Scheduler
from flask import Flask
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from models.db.base import uuid7
from models.db.transactions import ANSWER_LIFETIME
from tasks.runtime.dispatcher import dispatcher_engine
from webapp.services.jobs.kinds import kind_named
from webapp.services.jobs.operations import DONE_LIFETIME

log = structlog.get_logger(__name__)

EVERYBODY = "SELECT id FROM organizations"


@dataclass(frozen=True, slots=True)
class Entry:
    """Periodic work: a job of `kind` every `seconds` for each organization that `due` finds."""

    kind: str
    seconds: int
    due: str


ENTRIES = (
    Entry(
        "sales.expire_proposals",
        60,
        "SELECT DISTINCT organization_id FROM proposals"
        " WHERE status = 'sent' AND valid_until <= now() AND deleted_at IS NULL",
    ),
    Entry(
        "sales.expire_contracts",
        60,
        "SELECT DISTINCT organization_id FROM contracts"
        " WHERE status = 'sent' AND valid_until <= now() AND deleted_at IS NULL",
    ),
    Entry(
        "billing.notice_overdue",
        3600,
        # In some zone it is a day earlier; the job knows the organization's.
        "SELECT DISTINCT organization_id FROM invoices"
        " WHERE status = 'open' AND due_date <= current_date",
    ),
    Entry(
        "billing.draft_due_invoices",
        3600,
        # In some zone it is a day later already.
        "SELECT DISTINCT organization_id FROM invoice_schedules"
        " WHERE is_active AND next_period <= current_date + 1",
    ),
    Entry(
        "engagements.sweep_health",
        600,
        "SELECT DISTINCT organization_id FROM engagement_health WHERE check_at <= now()",
    ),
    Entry("deletion.purge", 24 * 3600, EVERYBODY),
    Entry("billing.audit_money", 24 * 3600, EVERYBODY),
    Entry("webhooks.prune", 24 * 3600, EVERYBODY),
    Entry("files.sweep", 24 * 3600, EVERYBODY),
    Entry("files.check", 24 * 3600, EVERYBODY),
    Entry(
        "jobs.prune",
        3600,
        "SELECT organization_id FROM jobs"  # noqa: S608 - our own text
        f" WHERE state = 'done' AND finished_at < now() - {DONE_LIFETIME}"
        " UNION SELECT organization_id FROM idempotency_keys"
        f" WHERE created_at < now() - {ANSWER_LIFETIME}"
        # These belong to no organization, so that any one can forget them for all.
        " UNION (SELECT id FROM organizations WHERE EXISTS ("
        "SELECT FROM login_failures WHERE failed_at < now() - interval '1 hour')"
        " OR EXISTS (SELECT FROM password_resets WHERE created_at < now() - interval '1 day')"
        " ORDER BY id LIMIT 1)",
    ),
)

_OPEN = text(
    """INSERT INTO beat_slots (name, slot)
       VALUES (:name, to_timestamp(floor(extract(epoch FROM now()) / :seconds) * :seconds))
       ON CONFLICT DO NOTHING RETURNING slot"""
)
_COUNT = text("UPDATE beat_slots SET jobs = :jobs WHERE name = :name AND slot = :slot")
_FORGET = text(
    "DELETE FROM beat_slots WHERE name = :name AND slot < CAST(:slot AS timestamptz)"
    " - greatest(interval '7 days', 3 * make_interval(secs => :seconds))"
)
_INSERT = text(
    """INSERT INTO jobs (organization_id, id, kind, lane, dedupe_key, payload, max_attempts)
       VALUES (:organization_id, :id, :kind, :lane, :dedupe_key, '{"v": 1}', :max_attempts)
       ON CONFLICT DO NOTHING"""
)


def open_slot(connection: Connection, entry: Entry) -> int | None:
    """Open the entry's current slot, by the database's clock, with its jobs.

    Returns how many jobs, or None when the slot was open already. `Entry.due` is our own text,
    never a client's.
    """
    values = {"name": entry.kind, "seconds": entry.seconds}
    slot = connection.execute(_OPEN, values).scalar()
    if slot is None:
        return None
    organizations = connection.scalars(text(entry.due)).all()
    kind = kind_named(entry.kind)
    if organizations:
        connection.execute(
            _INSERT,
            [
                {
                    "organization_id": organization,
                    "id": uuid7(),
                    "kind": entry.kind,
                    "dedupe_key": slot.isoformat(),
                    "lane": kind.lane,
                    "max_attempts": kind.max_attempts,
                }
                for organization in organizations
            ],
        )
    count = len(organizations)
    connection.execute(_COUNT, {"jobs": count, "name": entry.kind, "slot": slot})
    connection.execute(_FORGET, {**values, "slot": slot})
    return count


class SlotScheduler(Scheduler):
    """Celery beat's scheduler: each tick opens the slots that are due."""

    TICK_SECONDS = 1.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._engine: Engine | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """The entries are ours; there is nothing to keep in a file."""

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Open what is due; returns the seconds until the next look."""
        flask_app: Flask = self.app.flask_app
        if self._engine is None:
            self._engine = dispatcher_engine(flask_app.config["SETTINGS"])
        for entry in ENTRIES:
            try:
                with self._engine.begin() as connection:
                    jobs = open_slot(connection, entry)
            except SQLAlchemyError as error:
                log.warning("beat_slot_failed", name=entry.kind, error=type(error).__name__)
                continue
            if jobs is not None:
                log.info("beat_slot_opened", name=entry.kind, jobs=jobs)
                if jobs:
                    flask_app.extensions["publisher"].publish([kind_named(entry.kind).lane])
        return self.TICK_SECONDS

    @property
    def info(self) -> str:
        return "slots in PostgreSQL"
