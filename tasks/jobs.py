"""The queue looks after itself."""

from __future__ import annotations

from typing import Any

from tasks.base import job
from webapp.services.jobs import prune


@job("jobs.prune")
def prune_finished(_payload: dict[str, Any]) -> None:
    """Forget finished jobs and answers whose retries are over."""
    prune()
