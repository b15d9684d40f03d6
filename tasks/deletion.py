"""What was deleted long ago goes for good."""

from __future__ import annotations

from typing import Any

import structlog

from tasks.runtime.jobs import job
from webapp.services.retention.purge import purge

log = structlog.get_logger(__name__)


@job("deletion.purge")
def purge_deleted(_payload: dict[str, Any]) -> None:
    """Hard-delete one bounded batch past its retention; asks for the next one if more is left."""
    for table, count in purge().items():
        log.info("rows_purged", name=table, count=count)
