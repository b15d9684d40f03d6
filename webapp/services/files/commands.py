"""How files are stored, replaced by newer versions, decided on, trashed and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement
from models.files import FileObject, FileVersion
from models.projects import Project
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, NotFound, StaleVersion
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    now,
    touch,
    trash,
)
from webapp.services.files.contents import Upload, take_content
from webapp.services.files.formats import content_type_of, safe_name

REFERENCES: dict[str, type[TenantRecord]] = {"engagement_id": Engagement, "project_id": Project}


def create_file(values: Mapping[str, Any]) -> FileObject:
    """Store a new file of an engagement; `file` is the Upload.

    Raises Invalid naming the fields, QuotaReached.
    """
    values = dict(values)
    upload: Upload = values.pop("file")
    values["engagement_id"] = _engagement(values)
    shown = _shown(upload)
    content_id = take_content(upload)
    file = FileObject(id=uuid7(), uploaded_by=current_principal().actor, **values, **shown)
    file.version = 1
    create(file, metadata=_told(file))
    _add_version(file, content_id)
    return file


def add_version(
    values: Mapping[str, Any], file_id: UUID, *, expected_row_version: int | None = None
) -> FileObject:
    """Store a newer version of a file; the older ones stay. Nothing is decided on it yet.

    Raises NotFound, StaleVersion, Invalid naming the fields, QuotaReached.
    """
    upload: Upload = values["file"]
    shown = _shown(upload)
    file = lock(FileObject, file_id, expected_row_version=expected_row_version)
    content_id = take_content(upload)
    for name, value in shown.items():
        setattr(file, name, value)
    file.version += 1
    file.uploaded_by = current_principal().actor
    touch(file)
    record_activity(file, "version_added", metadata=_told(file))
    _add_version(file, content_id)
    return file


def update_file(
    values: Mapping[str, Any], file_id: UUID, *, expected_row_version: int | None = None
) -> FileObject:
    """Rename a file, show it to the client or hide it, or put it to another project.

    Raises NotFound, StaleVersion, Invalid naming the fields.
    """
    values = dict(values)
    file = lock(FileObject, file_id, expected_row_version=expected_row_version)
    if values.get("project_id") is not None:
        _engagement({"engagement_id": file.engagement_id, **values})
    if "name" in values:
        values["name"] = safe_name(values["name"])
        if _ending(values["name"]) != _ending(file.name):
            raise Invalid({"name": ["Keep the ending of the name: it says what the content is."]})
    change(file, values)
    return file


def decide_on_file(
    values: Mapping[str, Any], file_id: UUID, *, expected_row_version: int | None = None
) -> FileObject:
    """Approve the latest version of a file, or ask for changes, which needs a comment.

    `version` says which one was seen. Raises NotFound, StaleVersion, Invalid naming `comment`, and
    Conflict for a version that is not the latest or is approved already.
    """
    file = lock(FileObject, file_id, expected_row_version=expected_row_version)
    if values.get("version", file.version) != file.version:
        raise Conflict(f"Version {file.version} is the latest; look at it first.")
    decision, comment = values.get("decision", "approved"), values.get("comment")
    if decision == "changes_requested" and not comment:
        raise Invalid({"comment": ["Say what should be changed."]})
    version = db.session.scalars(
        select(FileVersion).where(
            FileVersion.organization_id == current_organization_id(),
            FileVersion.file_id == file_id,
            FileVersion.number == file.version,
        )
    ).one()
    if version.decision == "approved":
        raise Conflict("This version is approved already.")
    version.decision, version.comment = decision, comment
    version.decided_at, version.decided_by = now(), current_principal().actor
    touch(file)
    record_activity(file, decision, metadata={**_told(file), "comment": comment})
    return file


def trash_file(file_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a file with all its versions. Raises NotFound, StaleVersion."""
    file = lock(FileObject, file_id, expected_row_version=expected_row_version)
    trash(file, metadata=_told(file))


def restore_file(file_id: UUID, *, expected_row_version: int | None = None) -> FileObject:
    """Take a file back that was deleted by itself.

    Raises NotFound, StaleVersion, and Conflict for one that was deleted with its engagement.
    """
    file = db.session.scalars(
        select(FileObject)
        .where(
            FileObject.organization_id == current_organization_id(),
            FileObject.id == file_id,
            FileObject.deleted_at.is_not(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if file is None:
        raise NotFound("There is no deleted file with this id.")
    if expected_row_version not in (None, file.row_version):
        raise StaleVersion()
    try:
        lock(Engagement, file.engagement_id, share=True)
    except NotFound as error:
        raise Conflict("Its engagement is deleted; restore that first.") from error
    file.deleted_at = file.deletion_batch_id = None
    touch(file)
    record_activity(file, "restored", metadata=_told(file))
    return file


def _engagement(values: Mapping[str, Any]) -> UUID:
    """The engagement that the file is for: the one named, or that of the project.

    It stays until the transaction ends. Raises Invalid naming the fields.
    """
    check_values(values, REFERENCES)
    engagement_id = values.get("engagement_id")
    if values.get("project_id") is not None:
        project = lock(Project, values["project_id"], share=True)
        if engagement_id not in (None, project.engagement_id):
            raise Invalid({"project_id": ["This project is of another engagement."]})
        engagement_id = project.engagement_id
    if engagement_id is None:
        raise Invalid({"engagement_id": ["Say which engagement or project the file is for."]})
    return lock(Engagement, engagement_id, share=True).id


def _shown(upload: Upload) -> dict[str, Any]:
    """What is told of the bytes. Raises Invalid naming `file`."""
    name = safe_name(upload.name)
    return {
        "name": name,
        "content_type": content_type_of(name, upload.head),
        "size": upload.size,
        "sha256": upload.sha256,
    }


def _add_version(file: FileObject, content_id: UUID) -> None:
    shown = {
        key: getattr(file, key) for key in ("name", "content_type", "size", "sha256", "uploaded_by")
    }
    insert_records(
        [FileVersion(file_id=file.id, number=file.version, content_id=content_id, **shown)]
    )


def _told(file: FileObject) -> dict[str, Any]:
    return {
        "name": file.name,
        "version": file.version,
        "visible_to_client": file.visible_to_client,
    }


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""
