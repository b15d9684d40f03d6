"""Files over REST: uploaded, read in parts, in versions, approved, trashed and restored."""

from __future__ import annotations

import hashlib
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.forms import PDF, form, send_file, uploaded
from tests.support.tenants import Api, Tenant
from webapp.config import Settings

ROOM = 300_000


@pytest.fixture
def engagement(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.made("/api/engagements", {"name": "Relaunch"})
    return made


@pytest.fixture
def settings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The application with less room: 200 kB for a file, 300 kB for an organization."""
    small = replace(app.config["SETTINGS"], file_max_bytes=200_000, files_quota_bytes=ROOM)
    monkeypatch.setitem(app.config, "SETTINGS", small)
    return small


def stored(app: Flask, tenant: Tenant) -> list[Path]:
    """All that is in the store for the organization."""
    root: Path = app.config["SETTINGS"].files_dir / tenant.id.hex
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_a_file_is_stored_and_read_back_whole(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    made = uploaded(api, engagement_id=engagement["id"], visible_to_client="true")
    digest = hashlib.sha256(PDF).hexdigest()
    assert (made["name"], made["content_type"]) == ("plan.pdf", "application/pdf")
    assert (made["size"], made["sha256"], made["version"]) == (len(PDF), digest, 1)
    assert made["visible_to_client"] is True
    assert made["approval"] is None
    assert made["engagement"] == {"id": engagement["id"], "name": "Relaunch"}
    assert made["uploaded_by"]["name"] == "Tests"
    answer = api.get(f"/api/files/{made['id']}/content")
    assert (answer.status, answer.content) == (200, PDF)
    [path] = stored(app, tenant)
    assert path.read_bytes() == PDF
    row = api.get(f"/api/files?engagement_id={engagement['id']}&visible_to_client=true").json
    assert [file["id"] for file in row["data"]] == [made["id"]]
    assert api.get("/api/files?visible_to_client=false").json["data"] == []


def test_what_is_downloaded_is_saved_and_never_run(api: Api, engagement: dict[str, Any]) -> None:
    page = b"<html><script>alert(1)</script></html>"
    made = uploaded(api, page, "übersicht 1.html", engagement_id=engagement["id"])
    assert made["content_type"] == "text/html"
    headers = api.get(f"/api/files/{made['id']}/content").headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''%C3%BCbersicht" in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Cache-Control"] == "private, no-cache"


def test_a_part_of_a_file_is_answered_and_one_that_is_there_already_is_not_sent(
    api: Api, engagement: dict[str, Any]
) -> None:
    made = uploaded(api, engagement_id=engagement["id"])
    path = f"/api/files/{made['id']}/content"
    etag = api.get(path).headers["ETag"]
    assert etag == f'"{made["sha256"]}"'
    assert api.get(path, If_None_Match=etag).status == 304
    part = api.get(path, Range="bytes=1-3")
    assert (part.status, part.content) == (206, b"PDF")
    assert part.headers["Content-Range"] == f"bytes 1-3/{len(PDF)}"
    end = api.get(path, Range="bytes=-6")
    assert (end.status, end.content) == (206, b"%%EOF\n"[-6:])
    other = api.get(path, Range="bytes=1-3", If_Range='"another"')
    assert (other.status, other.content) == (200, PDF)
    beyond = api.get(path, Range="bytes=5000-")
    assert beyond.status == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(PDF)}"


def test_a_newer_version_takes_the_place_of_the_one_before_which_stays(
    api: Api, engagement: dict[str, Any]
) -> None:
    made = uploaded(api, engagement_id=engagement["id"])
    api.made(f"/api/files/{made['id']}/approve", {"comment": "Fine."})
    newer = PDF + b"more"
    answer = send_file(api, f"/api/files/{made['id']}/versions", newer, "plan 2.pdf")
    assert answer.status == 201, answer.text
    assert (answer.json["version"], answer.json["name"]) == (2, "plan 2.pdf")
    assert answer.json["approval"] is None  # what was approved is the version before
    assert api.get(f"/api/files/{made['id']}/content").content == newer
    two, one = api.get(f"/api/files/{made['id']}/versions").json["data"]
    assert (two["number"], two["decision"]) == (2, None)
    assert (one["number"], one["decision"], one["comment"]) == (1, "approved", "Fine.")
    old = api.get(f"/api/files/{made['id']}/versions/{one['id']}/content")
    assert old.content == PDF
    stale = send_file(
        api, f"/api/files/{made['id']}/versions", newer, headers={"If_Match": '"1-0"'}
    )
    assert stale.status == 412


def test_a_version_is_approved_once_and_changes_need_a_word(
    api: Api, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    made = uploaded(api, engagement_id=engagement["id"])
    path = f"/api/files/{made['id']}/approve"
    silent = api.post(path, {"decision": "changes_requested"})
    assert (silent.status, list(silent.json["errors"])) == (422, ["comment"])
    other = api.post(path, {"version": 2})
    assert other.status == 409
    asked = api.made(path, {"decision": "changes_requested", "comment": "The logo.", "version": 1})
    assert asked["approval"]["decision"] == "changes_requested"
    approved = api.made(path)
    assert approved["approval"]["decision"] == "approved"
    assert approved["approval"]["decided_by"]["name"] == "Tests"
    assert api.post(path, {"decision": "changes_requested", "comment": "x"}).status == 409
    tenant.run_jobs()
    timeline = api.get(f"/api/engagements/{engagement['id']}/timeline").json["data"]
    told = [event for event in timeline if event["entity_type"] == "file_object"]
    assert {event["type"] for event in told} == {"created", "changes_requested", "approved"}
    [request] = [event for event in told if event["type"] == "changes_requested"]
    assert request["metadata"]["comment"] == "The logo."


def test_a_file_is_trashed_and_restored(api: Api, engagement: dict[str, Any]) -> None:
    made = uploaded(api, engagement_id=engagement["id"])
    path = f"/api/files/{made['id']}"
    assert api.delete(path).status == 204
    for gone in (path, f"{path}/content", f"{path}/versions"):
        assert api.get(gone).status == 404, gone
    [trashed] = api.get("/api/files?deleted=true").json["data"]
    assert trashed["id"] == made["id"]
    assert api.post(f"{path}/restore").json["deleted_at"] is None
    assert api.get(f"{path}/content").content == PDF
    assert api.post(f"{path}/restore").status == 404
    api.made(f"/api/engagements/{engagement['id']}/trash")
    assert api.post(f"{path}/restore").status == 409
    api.made(f"/api/engagements/{engagement['id']}/restore")
    assert api.get(path).status == 200


def test_a_file_is_of_the_engagement_of_its_project(api: Api, engagement: dict[str, Any]) -> None:
    project = api.made("/api/projects", {"name": "Build", "engagement_id": engagement["id"]})
    other = api.made("/api/engagements", {"name": "Other"})
    made = uploaded(api, project_id=project["id"])
    assert made["engagement_id"] == engagement["id"]
    assert made["project"]["name"] == "Build"
    mixed = send_file(api, engagement_id=other["id"], project_id=project["id"])
    assert (mixed.status, list(mixed.json["errors"])) == (422, ["project_id"])
    none = send_file(api)
    assert (none.status, list(none.json["errors"])) == (422, ["engagement_id"])
    foreign = api.made("/api/projects", {"name": "Else", "engagement_id": other["id"]})
    moved = api.put(f"/api/files/{made['id']}", {"project_id": foreign["id"]})
    assert (moved.status, list(moved.json["errors"])) == (422, ["project_id"])


def test_a_renamed_file_keeps_the_ending_that_says_what_it_is(
    api: Api, engagement: dict[str, Any]
) -> None:
    made = uploaded(api, engagement_id=engagement["id"])
    path = f"/api/files/{made['id']}"
    assert api.put(path, {"name": "../../etc/Final.pdf"}).json["name"] == "Final.pdf"
    refused = api.put(path, {"name": "Final.exe"})
    assert (refused.status, list(refused.json["errors"])) == (422, ["name"])
    assert api.put(path, {"visible_to_client": True}).json["visible_to_client"] is True


@pytest.mark.parametrize(
    ("content", "name", "fields"),
    [
        (b"MZ\x90\x00\x03" + b"\0" * 60, "plan.pdf", {}),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 60, "notes", {}),
        (b"#!/bin/sh\n", "notes.txt", {}),
        (b"anything", "plan.exe", {}),
        (b"<html></html>", "plan.pdf", {}),
        (b"a\0b", "notes.txt", {}),
    ],
)
def test_a_program_or_what_its_name_does_not_fit_is_refused_and_leaves_nothing(
    api: Api,
    app: Flask,
    tenant: Tenant,
    engagement: dict[str, Any],
    content: bytes,
    name: str,
    fields: dict[str, str],
) -> None:
    answer = send_file(api, content=content, name=name, engagement_id=engagement["id"])
    assert (answer.status, list(answer.json["errors"])) == (422, ["file"])
    assert stored(app, tenant) == []
    assert tenant.count("stored_contents") == 0


def test_a_form_that_is_not_whole_or_says_too_much_is_refused_and_leaves_nothing(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    assert send_file(api, content=None, engagement_id=engagement["id"]).status == 422
    assert send_file(api, engagement_id=engagement["id"], colour="red").json["errors"].keys() == {
        "colour"
    }
    assert send_file(api, engagement_id="7").json["errors"].keys() == {"engagement_id"}
    body, headers = form(PDF, engagement_id=engagement["id"])
    assert api.call("POST", "/api/files", body[:-60], **headers).status == 400
    assert api.post("/api/files", {"engagement_id": engagement["id"]}).status == 415
    twice = form(PDF, file="text", engagement_id=engagement["id"])
    assert api.call("POST", "/api/files", twice[0], **twice[1]).status in (201, 422)
    assert tenant.count("file_objects") == tenant.count("stored_contents")


def test_the_same_bytes_are_kept_once_for_an_organization_and_again_for_another(
    api: Api, app: Flask, tenant: Tenant, other_tenant: Tenant, engagement: dict[str, Any]
) -> None:
    first = uploaded(api, engagement_id=engagement["id"])
    second = uploaded(api, name="copy.pdf", engagement_id=engagement["id"])
    assert first["sha256"] == second["sha256"]
    assert len(stored(app, tenant)) == 1
    [usage] = tenant.rows(
        "SELECT bytes FROM storage_usages WHERE organization_id = %(organization_id)s"
    )
    assert usage["bytes"] == len(PDF)
    other = Api(app=app, api_key=other_tenant.api_key)
    theirs = other.made("/api/engagements", {"name": "Theirs"})
    uploaded(other, engagement_id=theirs["id"])
    assert len(stored(app, other_tenant)) == 1
    api.delete(f"/api/files/{first['id']}")
    assert api.get(f"/api/files/{second['id']}/content").content == PDF


def test_uploads_of_the_same_bytes_at_once_keep_them_once(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    content = PDF + b"together"
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(
                lambda n: uploaded(api, content, f"{n}.pdf", engagement_id=engagement["id"]),
                range(6),
            )
        )
    assert len({file["id"] for file in made}) == 6
    assert len(stored(app, tenant)) == 1
    assert {api.get(f"/api/files/{file['id']}/content").content for file in made} == {content}


def test_the_same_key_stores_a_file_once(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    fields = {"engagement_id": engagement["id"]}
    first = send_file(api, headers={"Idempotency_Key": "upload"}, **fields)
    again = send_file(api, headers={"Idempotency_Key": "upload"}, **fields)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    other = send_file(api, content=PDF + b"x", headers={"Idempotency_Key": "upload"}, **fields)
    assert other.status == 422
    assert tenant.count("file_objects") == len(stored(app, tenant)) == 1


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    api: Api, app: Flask, tenant: Tenant, settings: Settings, engagement: dict[str, Any]
) -> None:
    for size in (200_000, 300_000):
        answer = send_file(api, content=PDF + b"x" * size, engagement_id=engagement["id"])
        assert answer.status == 413
    assert stored(app, tenant) == []


def test_an_organization_stores_no_more_than_its_quota_even_at_once(
    api: Api, app: Flask, tenant: Tenant, settings: Settings, engagement: dict[str, Any]
) -> None:
    """Room for two of them: whoever is late is told, and nothing is left of theirs."""

    def send(n: int) -> int:
        content = PDF + str(n).encode() + b"x" * 120_000
        return send_file(api, content=content, engagement_id=engagement["id"]).status

    with ThreadPoolExecutor(5) as pool:
        statuses = sorted(pool.map(send, range(5)))
    assert statuses == [201, 201, 507, 507, 507]
    assert len(stored(app, tenant)) == 2
    refused = send_file(api, content=PDF + b"y" * 120_000, engagement_id=engagement["id"])
    assert refused.json["type"] == "/problems/quota-reached"
    # What goes makes room.
    for file in api.get("/api/files").json["data"]:
        api.delete(f"/api/files/{file['id']}")
    tenant.rows(
        "UPDATE file_objects SET deleted_at = now() - interval '1 year'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    ask(tenant, "deletion.purge")
    ask(tenant, "files.sweep")
    assert send(7) == 201


def test_a_full_disk_is_told_and_changes_nothing(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    """The kernel refuses to let a file of this process grow beyond 64 kB meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        answer = send_file(api, content=PDF + b"x" * 200_000, engagement_id=engagement["id"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.status == 507
    assert answer.json["type"] == "/problems/insufficient-storage"
    assert stored(app, tenant) == []
    assert tenant.count("file_objects") == tenant.count("stored_contents") == 0


def test_who_may_not_store_files_sends_nothing(
    api: Api, app: Flask, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    viewer = Api(app=app, api_key=tenant.key("viewer"))
    assert send_file(viewer, engagement_id=engagement["id"]).status == 403
    assert send_file(Api(app=app), engagement_id=engagement["id"]).status == 401
    assert stored(app, tenant) == []
    made = uploaded(api, engagement_id=engagement["id"])
    assert viewer.get(f"/api/files/{made['id']}/content").content == PDF


def test_a_signing_link_opens_no_file(api: Api, app: Flask, engagement: dict[str, Any]) -> None:
    made = uploaded(api, engagement_id=engagement["id"], visible_to_client="true")
    token = api.send_proposal()["token"]
    assert Api(app=app, api_key=token).get(f"/api/files/{made['id']}/content").status == 401


def ask(tenant: Tenant, kind: str) -> None:
    from models.db.base import uuid7
    from webapp.services.jobs.enqueue import enqueue

    tenant.run(lambda: enqueue(kind, str(uuid7()), {}))
    tenant.run_jobs()
