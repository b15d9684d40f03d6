"""Files of engagements (rulings.md, *Files*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.downloads import file_answer
from webapp.http.responses import ApiResponse
from webapp.schemas.common import reference
from webapp.schemas.files import (
    FileChange,
    FileCreate,
    FileDecision,
    FileOut,
    FileVersionCreate,
    FileVersionOut,
)
from webapp.services.common.exceptions import Conflict
from webapp.services.files import commands
from webapp.services.files.contents import InsufficientStorage, QuotaReached
from webapp.services.files.formats import UNKNOWN
from webapp.services.files.queries import FILE_VERSIONS, FILES, content_of

blueprint = ApiBlueprint(
    "files", "/api/files", description="What was uploaded for engagements, version by version."
)
version_blueprint = ApiBlueprint(
    "file_versions",
    "/api/files/<uuid:file_id>/versions",
    description="The versions of a file, the older ones too.",
)
_NO_ROOM = (InsufficientStorage, QuotaReached)

files = Resource(
    blueprint,
    "file",
    records=FILES,
    out=FileOut,
    filters={
        "engagement_id": reference(allow_none=False),
        "project_id": reference(allow_none=False),
        "visible_to_client": fields.Boolean(),
    },
    trash=True,
)
files.list("List files")
files.retrieve("Retrieve a file")
files.update("Rename a file, show it to the client or hide it", FileChange, commands.update_file)
files.delete("Delete a file", commands.trash_file)
files.action("restore", "Restore a deleted file", commands.restore_file, errors=(Conflict,))
files.action(
    "approve",
    "Approve the latest version, or ask for changes",
    commands.decide_on_file,
    body=FileDecision,
    errors=(Conflict,),
)

versions = Resource(version_blueprint, "file_version", records=FILE_VERSIONS, out=FileVersionOut)
versions.list("List a file's versions", prepare=lambda file_id: FILES.get(file_id))


@blueprint.operation(
    "POST",
    "",
    permission="files:write",
    body=FileCreate,
    out=FileOut,
    status=201,
    has_etag=True,
    takes_file=True,
    errors=_NO_ROOM,
)
def create_file(body: Mapping[str, Any]) -> ApiResponse:
    """Upload a file"""
    return _created(commands.create_file(body).id)


@version_blueprint.operation(
    "POST",
    "",
    permission="files:write",
    body=FileVersionCreate,
    out=FileOut,
    status=201,
    if_match=True,
    has_etag=True,
    takes_file=True,
    errors=_NO_ROOM,
)
def create_file_version(
    body: Mapping[str, Any], *, expected_row_version: int | None, file_id: UUID
) -> ApiResponse:
    """Upload a newer version of a file"""
    commands.add_version(body, file_id, expected_row_version=expected_row_version)
    return _created(file_id)


@blueprint.operation(
    "GET",
    "/<uuid:file_id>/content",
    permission="files:read",
    content_type=UNKNOWN,
    has_etag=True,
    has_ranges=True,
)
def get_file_content(file_id: UUID) -> ApiResponse:
    """Download the latest version of a file"""
    return file_answer(content_of(file_id))


@version_blueprint.operation(
    "GET",
    "/<uuid:file_version_id>/content",
    permission="files:read",
    content_type=UNKNOWN,
    has_etag=True,
    has_ranges=True,
)
def get_file_version_content(file_id: UUID, file_version_id: UUID) -> ApiResponse:
    """Download one version of a file"""
    return file_answer(content_of(file_id, file_version_id))


def _created(file_id: UUID) -> ApiResponse:
    answer = files.answer({"file_id": file_id}, status=201)
    answer.headers["Location"] = f"/api/files/{file_id}"
    return answer
