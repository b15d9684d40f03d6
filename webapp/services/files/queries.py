"""How files are read: the latest version of each, all versions, and where the bytes are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import func, literal_column, select

from models.db.queries import CompiledQuery, Row, bound
from models.engagements import Engagement
from models.files import FileObject, FileVersion
from models.projects import Project
from webapp.services.common.exceptions import NotFound
from webapp.services.common.reads import Filter, RecordQuery, brief, equals


def _decision() -> Any:
    """What was decided on the latest version, as JSON; null while nothing is."""
    pairs: list[Any] = []
    for name in ("decision", "comment", "decided_at", "decided_by"):
        pairs += [literal_column(f"'{name}'"), getattr(FileVersion, name)]
    return (
        select(func.json_build_object(*pairs))
        .where(
            FileVersion.organization_id == FileObject.organization_id,
            FileVersion.file_id == FileObject.id,
            FileVersion.number == FileObject.version,
            FileVersion.decision.is_not(None),
        )
        .correlate(FileObject)
        .scalar_subquery()
    )


FILES = RecordQuery(
    FileObject,
    domain="files",
    noun="file",
    extra={
        "approval": _decision(),
        "engagement": brief(Engagement, FileObject.engagement_id, name=Engagement.name),
        "project": brief(Project, FileObject.project_id, name=Project.name),
    },
    filters={
        "engagement_id": equals(FileObject.engagement_id),
        "project_id": equals(FileObject.project_id),
        "visible_to_client": equals(FileObject.visible_to_client),
    },
)

FILE_VERSIONS = RecordQuery(
    FileVersion,
    domain="files",
    noun="version of the file",
    within={
        "file_id": Filter(
            lambda value: (
                (FileVersion.file_id == value)
                & select(FileObject.id)
                .where(
                    FileObject.organization_id == FileVersion.organization_id,
                    FileObject.id == value,
                    FileObject.deleted_at.is_(None),
                )
                .exists()
            ),
            FileObject.id.type,
        )
    },
)

_VERSION = (
    select(
        FileVersion.organization_id,
        FileVersion.content_id,
        FileVersion.name,
        FileVersion.content_type,
        FileVersion.size,
        FileVersion.sha256,
    )
    .join(
        FileObject,
        (FileObject.organization_id == FileVersion.organization_id)
        & (FileObject.id == FileVersion.file_id),
    )
    .where(FileObject.deleted_at.is_(None), FileObject.id == bound("file_id", FileObject.id.type))
)
_LATEST = CompiledQuery.of(_VERSION.where(FileVersion.number == FileObject.version))
_ONE = CompiledQuery.of(
    _VERSION.where(FileVersion.id == bound("file_version_id", FileVersion.id.type))
)


def content_of(file_id: UUID, file_version_id: UUID | None = None) -> Row:
    """What is needed to send a file's bytes: those of its latest version unless another is named.

    Raises NotFound, also for a deleted file and another organization's.
    """
    if file_version_id is None:
        row = _LATEST.one(file_id=file_id)
    else:
        row = _ONE.one(file_id=file_id, file_version_id=file_version_id)
    if row is None:
        raise NotFound("There is no file with this id.")
    return row
