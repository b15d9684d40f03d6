"""Telling an outage of a service from an error of the work's own (jobs.md, *Patience*)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import redis
import structlog
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import DBAPIError

from webapp.services.common.exceptions import DomainError, Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.25

# Connections that the server refuses or ends, and a disk that takes nothing more. A lock that was
# waited for too long, a deadlock, a statement that took too long may be the work's own doing.
_DATABASE_STATES = frozenset(
    {
        "08000", "08001", "08003", "08004", "08006",  # connection exceptions
        "53100", "53300",  # disk full, too many connections
        "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, starting, idle too long
    }
)  # fmt: skip
_BROKER = (redis.ConnectionError, redis.TimeoutError, BrokerError)


class Outage(DomainError):
    """A service outside does not do what it is there for; it is tried again later."""


class Undeliverable(DomainError):
    """This can never be delivered as it is; somebody has to change it."""


def is_outage(error: BaseException) -> bool:
    """Whether a service that the work needs was away: the database, the broker, a mail server."""
    if isinstance(error, Unavailable):  # what `in_transaction` makes of a busy database
        return error.__cause__ is not None and is_outage(error.__cause__)
    if isinstance(error, DBAPIError):
        lost = error.connection_invalidated
        return lost or (error.orig is not None and is_outage(error.orig))
    if isinstance(error, psycopg.OperationalError):
        # Without a state it is the client's own word: no connection, or none any more.
        return error.sqlstate is None or error.sqlstate in _DATABASE_STATES
    return isinstance(error, (Outage, *_BROKER))


def through_outages(work: Callable[[], T], seconds: float) -> T:
    """Do `work`, and while an outage stands in its way again, for so many seconds.

    It must be safe to repeat: nobody knows whether a commit was lost with its connection.
    Raises what `work` raises.
    """
    end, waits = time.monotonic() + seconds, False
    while True:
        try:
            return work()
        except Exception as error:
            if not is_outage(error) or time.monotonic() > end:
                raise
            if not waits:
                log.warning("waiting_for_service", error=type(error).__name__)
        waits = True
        time.sleep(PAUSE_SECONDS)
