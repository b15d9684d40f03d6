"""Structured logs: one JSON object a line, with the request's or job's id, fields by allow-list."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog

# A field that is not named here is dropped, so that a token can't slip into a log with it.
ALLOWED_FIELDS = frozenset(
    {
        "event", "level", "timestamp", "logger", "request_id", "method", "route", "status",
        "milliseconds", "kind", "job_id", "attempt", "state", "error", "jobs", "count", "name",
        "slot", "seconds", "organization_id", "port", "outcome", "where",
    }
)  # fmt: skip


def _only_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in event.items() if key in ALLOWED_FIELDS}


def configure_logs(level: str) -> None:
    """Send structlog's lines to standard error as JSON. `level` is a standard level's name."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
