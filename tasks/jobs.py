"""The queue looks after itself."""

from __future__ import annotations

from typing import Any

import structlog

from tasks.runtime.jobs import job
from webapp.services.jobs.operations import prune

log = structlog.get_logger(__name__)


@job("jobs.prune")
def prune_finished(_payload: dict[str, Any]) -> None:
    """Forget one bounded batch of what nobody needs any more; asks for the next if more is left."""
    for table, count in prune().items():
        log.info("rows_pruned", name=table, count=count)
