"""One transaction per request, bound to its tenant; its jobs' lanes are woken after the commit.

Only this module and `tasks/runtime/jobs.py` commit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from models.db.base import db
from models.db.inserts import write_jobs
from models.db.tenancy import TenantContext, in_context
from models.db.transactions import begin
from webapp.core.wake_ups import publisher
from webapp.services.common.exceptions import Unavailable

T = TypeVar("T")

RETRIES = 3
# deadlock, serialization failure: the database's own advice is to run the transaction again
_RETRYABLE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.TooManyConnections,
    psycopg.errors.DiskFull,
)


class RunAgain(Exception):
    """The transaction lost a race that its repetition will see."""


@contextmanager
def transaction(context: TenantContext) -> Iterator[None]:
    """Run the block in one transaction of `context`: committed at its end, or not at all."""
    session = db.session()
    context.start_over()
    try:
        begin(session, context)
        yield
        write_jobs()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        context.transaction = None
        session.close()


def in_transaction(context: TenantContext, work: Callable[[], T]) -> T:
    """Run `work` in a transaction of `context` and wake its jobs' lanes once it has committed.

    Deadlocks, serialization failures and lost races are repeated up to 3 times (jobs.md, *When
    something dies*). Raises Unavailable when that was not enough or the database is too busy.
    """
    tries_left = RETRIES
    while True:
        try:
            with in_context(context), transaction(context):
                result = work()
            break
        except RunAgain:
            if not tries_left:
                raise Unavailable() from None
        except DBAPIError as error:
            if isinstance(error.orig, _BUSY) or (
                isinstance(error.orig, _RETRYABLE) and not tries_left
            ):
                raise Unavailable() from error
            if not isinstance(error.orig, _RETRYABLE):
                raise
            pause = random.uniform(0.005, 0.03) * 2 ** (RETRIES - tries_left)  # noqa: S311
            time.sleep(pause)
        tries_left -= 1
    publish(context)
    return result


def publish(context: TenantContext) -> None:
    """The after-commit hook: wake the lanes of the jobs that were committed."""
    if context.jobs.lanes:
        publisher().publish(context.jobs.lanes)
        context.jobs.lanes.clear()
