"""The file store looks after itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog

from models.db.base import uuid7
from models.db.tenancy import current_organization_id
from tasks.runtime.jobs import job
from webapp.core.file_store import PARTITIONS, file_store
from webapp.services.files.contents import (
    SWEEP_LIMIT,
    contents_after,
    forget_unused,
    known_contents,
)
from webapp.services.jobs.enqueue import enqueue

log = structlog.get_logger(__name__)


@job("files.sweep")
def sweep(payload: dict[str, Any]) -> None:
    """Let go of what no file has any more, and remove bytes without a row; one bounded batch.

    Asks for the next one if more is left.
    """
    store, organization_id = file_store(), current_organization_id()
    # By the rows that are committed: those that this run lets go of come last, and their bytes are
    # for a later run. Were it rolled back, the rows would be there again and their bytes not.
    removed = store.remove_abandoned(organization_id)
    looked_at = 0
    for number in range(payload.get("partition", 0), len(PARTITIONS)):
        partition = PARTITIONS[number]
        old = store.old(organization_id, partition)
        orphans = set(old) - known_contents(old) if old else set()
        for content_id in orphans:
            store.remove(organization_id, content_id)
        removed += len(orphans)
        looked_at += len(old)
        if looked_at >= SWEEP_LIMIT and number + 1 < len(PARTITIONS):
            enqueue("files.sweep", f"more:{uuid7()}", {"partition": number + 1})
            break
    forgotten = forget_unused()
    if forgotten >= SWEEP_LIMIT:
        enqueue("files.sweep", f"more:{uuid7()}", {"partition": len(PARTITIONS)})
    if forgotten or removed:
        log.info("files_swept", jobs=forgotten, count=removed)


@job("files.check")
def check(payload: dict[str, Any]) -> None:
    """Look whether the bytes of the stored contents are there; says so where they are not."""
    store, organization_id = file_store(), current_organization_id()
    after = payload.get("after")
    ids = contents_after(UUID(after) if after else None)
    missing = [id_ for id_ in ids if not store.has(organization_id, id_)]
    if missing:
        log.error("file_bytes_missing", count=len(missing), name=str(missing[0]))
    if len(ids) >= SWEEP_LIMIT:
        enqueue("files.check", f"after:{uuid7()}", {"after": str(ids[-1])})
