"""Jobs in tests: asked for, looked at, changed, held."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Tenant
from webapp.services.jobs.enqueue import enqueue


def ask(
    tenant: Tenant, kind: str, name: str, *, ordering_key: str | None = None, **payload: Any
) -> UUID:
    """Ask for a job whose dedupe key is its name, which its payload holds as well."""
    return tenant.run(
        lambda: enqueue(kind, name, {"name": name, **payload}, ordering_key=ordering_key)
    )


def row(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    [found] = tenant.rows("SELECT * FROM jobs WHERE id = %(id)s", id=job_id)
    return found


def change(tenant: Tenant, job_id: UUID, values: str) -> None:
    """Write these SQL assignments into the job's row."""
    tenant.rows(f"UPDATE jobs SET {values} WHERE id = %(id)s RETURNING id", id=job_id)


@contextmanager
def held(tenant: Tenant, job_id: UUID) -> Iterator[None]:
    """Another transaction holds the job's row meanwhile."""
    locked, release = Event(), Event()

    def hold() -> None:
        db.session.execute(text("SELECT id FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
        locked.set()
        release.wait(10)

    with ThreadPoolExecutor(1) as other:
        holder = other.submit(tenant.run, hold)
        assert locked.wait(5)
        try:
            yield
        finally:
            release.set()
            holder.result(10)
