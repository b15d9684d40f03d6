"""One transaction per request, bound to its tenant; its jobs are hinted at after the commit.

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
from models.db.transactions import StaleConnection
from webapp.core.job_hints import publisher
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
    """Run the block in one transaction of `scope`: committed at its end, or not at all."""
    session = db.session()
    context.in_transaction = True
    try:
        try:
            session.connection()  # begins, and so resolves the scope
        except StaleConnection:
            session.rollback()
            session.connection()
        yield
        write_jobs()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        context.in_transaction = False
        session.close()


def in_transaction(context: TenantContext, work: Callable[[], T]) -> T:
    """Run `work` in a transaction of `scope` and hint at its jobs once it has committed.

    Deadlocks and serialization failures are repeated up to 3 times (reliability.md, *Faults*).
    Raises Unavailable when that was not enough or the database is too busy.
    """
    for attempt in range(RETRIES + 1):
        context.jobs.clear()
        context.unwritten.clear()
        context.idempotent_answer = None
        resolved = context.principal if context.credential_digest is None else None
        context.principal = resolved
        try:
            with in_context(context), transaction(context):
                result = work()
            break
        except RunAgain:
            if attempt == RETRIES:
                raise Unavailable() from None
        except DBAPIError as error:
            if isinstance(error.orig, _BUSY):
                raise Unavailable() from error
            if attempt == RETRIES or not isinstance(error.orig, _RETRYABLE):
                if isinstance(error.orig, _RETRYABLE):
                    raise Unavailable() from error
                raise
            time.sleep(random.uniform(0.005, 0.03) * 2**attempt)  # noqa: S311 - no secret
    publish(context)
    return result


def publish(context: TenantContext) -> None:
    """The after-commit hook: hint at the jobs that the committed transaction asked for."""
    if context.jobs and context.principal is not None:
        publisher().publish(context.principal.organization_id, context.jobs)
        context.jobs.clear()
