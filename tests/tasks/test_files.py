"""The sweep of the file store: what is left over goes, what is needed stays."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from structlog.testing import CapturingLogger

import tasks.files
from models.db.base import uuid7
from models.db.tenancy import as_system
from tasks.files import sweep
from tests.support.forms import PDF, uploaded
from tests.support.tenants import Api, Tenant
from webapp.core.file_store import INCOMING, ORPHAN_SECONDS, FileStore
from webapp.core.transaction import in_transaction
from webapp.services.jobs.enqueue import enqueue


@pytest.fixture
def store(app: Flask) -> FileStore:
    return FileStore(app.config["SETTINGS"].files_dir)


def grown_old(path: Path) -> Path:
    then = time.time() - ORPHAN_SECONDS - 60
    os.utime(path, (then, then))
    return path


def run(tenant: Tenant, kind: str) -> None:
    tenant.run(lambda: enqueue(kind, str(uuid7()), {}))
    tenant.run_jobs()


def a_file(api: Api, **fields: str) -> Any:
    return uploaded(api, engagement_id=api.made("/api/engagements", {"name": "x"})["id"], **fields)


def test_bytes_without_a_row_go_after_a_day_and_not_before(
    store: FileStore, api: Api, tenant: Tenant
) -> None:
    """What a crash between the bytes and their row leaves."""
    kept = a_file(api)
    [row] = tenant.rows(
        "SELECT id FROM stored_contents WHERE organization_id = %(organization_id)s"
    )
    grown_old(store.path(tenant.id, row["id"]))
    paths = []
    for _ in range(2):
        incoming = store.receive(tenant.id)
        incoming.write(b"nobody's")
        incoming.keep()
        paths.append(store.path(tenant.id, incoming.id))
    young, old = paths
    half = store.receive(tenant.id)
    half.write(b"half")
    abandoned = store.path(tenant.id, half.id).parents[1] / INCOMING / f"{half.id.hex}.part"
    grown_old(old)
    grown_old(abandoned)
    run(tenant, "files.sweep")
    assert young.exists()
    assert not old.exists()
    assert not abandoned.exists()
    half.discard()
    assert api.get(f"/api/files/{kept['id']}/content").content == PDF


def test_a_sweep_that_is_rolled_back_has_removed_no_bytes_that_a_row_names(
    store: FileStore, api: Api, app: Flask, tenant: Tenant
) -> None:
    made = a_file(api)
    [row] = tenant.rows(
        "SELECT id FROM stored_contents WHERE organization_id = %(organization_id)s"
    )
    path = grown_old(store.path(tenant.id, row["id"]))
    tenant.rows("DELETE FROM file_objects WHERE id = %(id)s RETURNING id", id=made["id"])

    def swept_and_undone() -> None:
        sweep({})
        raise ZeroDivisionError

    with app.app_context(), pytest.raises(ZeroDivisionError):
        in_transaction(as_system(tenant.id), swept_and_undone)
    assert tenant.count("stored_contents") == 1
    assert path.exists()
    run(tenant, "files.sweep")
    assert tenant.count("stored_contents") == 0
    [usage] = tenant.rows(
        "SELECT bytes FROM storage_usages WHERE organization_id = %(organization_id)s"
    )
    assert usage["bytes"] == 0
    assert path.exists()  # until the next run, which goes by the rows that are committed
    run(tenant, "files.sweep")
    assert not path.exists()


def test_missing_bytes_are_told(
    store: FileStore, api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(tasks.files, "log", logger)
    made = a_file(api)
    run(tenant, "files.check")
    assert logger.calls == []
    [row] = tenant.rows(
        "SELECT id FROM stored_contents WHERE organization_id = %(organization_id)s"
    )
    store.path(tenant.id, row["id"]).unlink()
    run(tenant, "files.check")
    [call] = logger.calls
    assert (call.method_name, call.args) == ("error", ("file_bytes_missing",))
    answer = api.get(f"/api/files/{made['id']}/content")
    assert (answer.status, answer.json["type"]) == (503, "/problems/unavailable")
