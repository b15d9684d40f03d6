"""The queue of record: jobs, their attempts, beat's slots, and answers kept for retries.

The table: jobs.md, *The job table*; the protocol: jobs.md, *The one mechanism*.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import Base, TenantRecord, belongs_to

# From the most urgent to the least; what they mean: webapp/services/jobs/kinds.py.
LANES = ("signature", "short", "document", "outside", "webhook", "bulk")
JOB_STATES = ("ready", "running", "done", "dead", "cancelled")
MAX_ATTEMPTS = 8


class Job(TenantRecord):
    """Work that must happen, written in the transaction that made it necessary.

    It is due from `run_at` on, in its lane. A worker that has claimed it puts `run_at` off a
    little: should that process die, the job is due again. It is dead once `max_attempts` tries
    have failed without the `excused` ones, which an outage of a service has ended (jobs.md,
    *Patience*).

    ready → done | ready (backoff) | dead | cancelled. Only jobs with effects outside the
    database pass through running, under a lease; `fence` counts the leases, so that a holder
    that outlived its own cannot finish. A job with an `ordering_key` waits for the earlier
    live ones with the same key.
    """

    __tablename__ = "jobs"
    noun = "job"
    __table_args__ = (
        UniqueConstraint("organization_id", "kind", "dedupe_key"),
        CheckConstraint(
            "state IN ('ready', 'running', 'done', 'dead', 'cancelled')", name="state_known"
        ),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease_if_running"),
        CheckConstraint(
            "(state IN ('done', 'dead', 'cancelled')) = (finished_at IS NOT NULL)",
            name="finished_if_terminal",
        ),
        CheckConstraint("octet_length(payload::text) < 65536", name="payload_size"),
        CheckConstraint(
            "attempts >= 0 AND excused >= 0 AND attempts - excused <= max_attempts",
            name="attempts_range",
        ),
        CheckConstraint(
            "lane IN ('signature', 'short', 'document', 'outside', 'webhook', 'bulk')",
            name="lane_known",
        ),
        # Whose turn it is in a lane, and how long the oldest has been due.
        Index(
            "ix_jobs_lane_organization",
            "lane",
            "organization_id",
            "run_at",
            "seq",
            postgresql_where=text("state = 'ready'"),
        ),
        Index("ix_jobs_lane_run_at", "lane", "run_at", postgresql_where=text("state = 'ready'")),
        Index("ix_jobs_lease_until", "lease_until", postgresql_where=text("state = 'running'")),
        Index(
            "ix_jobs_ordering_key",
            "organization_id",
            "ordering_key",
            "seq",
            postgresql_where=text("ordering_key IS NOT NULL AND state IN ('ready', 'running')"),
        ),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("state = 'done'")),
        Index("ix_jobs_dead", "kind", "finished_at", postgresql_where=text("state = 'dead'")),
        Index("ix_jobs_state", "organization_id", "state", "id"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    kind: Mapped[str] = mapped_column(String(64))
    lane: Mapped[str] = mapped_column(String(16), server_default="short", default="short")
    dedupe_key: Mapped[str] = mapped_column(String(255))
    ordering_key: Mapped[str | None] = mapped_column(String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(16), server_default="ready", default="ready")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    excused: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    max_attempts: Mapped[int] = mapped_column(
        SmallInteger, server_default=text(str(MAX_ATTEMPTS)), default=MAX_ATTEMPTS
    )
    run_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    # Written by processes of before there were lanes, and read by nobody.
    publish_after: Mapped[dt.datetime] = mapped_column(
        server_default=text("now() + interval '2 seconds'")
    )
    fence: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    lease_until: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    finished_at: Mapped[dt.datetime | None]


class JobAttempt(TenantRecord):
    """One try at a job; append-only. No outcome means that the try never came to its end.

    `failed` counts, `excused` does not: an outage of a service ended it. `undeliverable` is the end
    of what can never work; `refused` that of a worker whose job was another's by then.
    """

    __tablename__ = "job_attempts"
    noun = "job_attempt"
    __table_args__ = (
        belongs_to("job_id", "jobs"),
        CheckConstraint(
            "outcome IS NULL OR outcome IN"
            " ('done', 'failed', 'refused', 'excused', 'undeliverable')",
            name="outcome_known",
        ),
        Index("ix_job_attempts_job_id", "organization_id", "job_id", "n"),
    )

    job_id: Mapped[UUID]
    n: Mapped[int] = mapped_column(SmallInteger)
    started_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[dt.datetime | None]
    worker: Mapped[str] = mapped_column(String(255))
    outcome: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[str | None]


class BeatSlot(Base):
    """A time slot of a beat entry that has been opened; one row, however many beats run.

    Global: it holds no tenant's data, and its jobs are made in the same transaction.
    """

    __tablename__ = "beat_slots"
    __table_args__ = (PrimaryKeyConstraint("name", "slot"),)

    name: Mapped[str] = mapped_column(String(64))
    slot: Mapped[dt.datetime]
    jobs: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    opened_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(TenantRecord):
    """The answer to a POST, kept so that its retry gets the same one (api.md, *Headers*)."""

    __tablename__ = "idempotency_keys"
    noun = "idempotency_key"
    __table_args__ = (
        UniqueConstraint("organization_id", "actor", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    actor: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))
    route: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    # json, not jsonb: the answer is repeated as it was, the order of its fields included
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
