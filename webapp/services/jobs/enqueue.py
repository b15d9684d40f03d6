"""Asking for later work.

A service asks by inserting a job row in its own transaction; the publisher wakes its lane after the
commit (jobs.md, *The one mechanism*).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.db.base import uuid7
from models.db.tenancy import current_context, current_organization_id
from webapp.services.jobs.kinds import kind_named


def enqueue(
    kind: str,
    dedupe_key: object,
    payload: Mapping[str, Any],
    *,
    ordering_key: str | None = None,
    run_at: dt.datetime | None = None,
) -> UUID:
    """Ask for a job in the running transaction and return its id.

    `dedupe_key` makes the job unique among those of its kind: a second one violates the unique
    key. Payloads hold ids and small facts, never rows. The row is written before the transaction
    commits, together with those of its other jobs. Raises ValueError for a kind not in the table,
    and for a time of its own for a job that waits for others with its `ordering_key`.
    """
    if ordering_key is not None and run_at is not None:
        raise ValueError("a job runs after others or at a time, not both")
    job_id, context, known = uuid7(), current_context(), kind_named(kind)
    context.jobs.rows.append(
        {
            "organization_id": current_organization_id(),
            "id": job_id,
            "kind": kind,
            "lane": known.lane,
            "dedupe_key": str(dedupe_key),
            "ordering_key": ordering_key,
            "payload": {"v": 1, **payload},
            "run_at": run_at,
            "max_attempts": known.max_attempts,
        }
    )
    if run_at is None:
        context.jobs.lanes.append(known.lane)
    return job_id
