"""What a message carries: files of its engagement, and links to files that lie elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.db.base import db
from models.db.tenancy import current_organization_id
from models.files import FileObject
from webapp.services.common.exceptions import Invalid


def attached(
    given: Sequence[Mapping[str, Any]], engagement_id: UUID, *, is_internal: bool
) -> list[dict[str, Any]]:
    """The attachments as they are kept: name, address and size (in bytes), and of a file its id.

    A file belongs to the message's engagement. What the client may not open is attached to
    internal messages alone. Raises Invalid naming the attachment.
    """
    ids = [each["file_id"] for each in given if "file_id" in each]
    files = _files(ids, engagement_id) if ids else {}
    errors: dict[str, list[str]] = {}
    kept: list[dict[str, Any]] = []
    for n, each in enumerate(given):
        if "file_id" not in each:
            kept.append(dict(each))
            continue
        file = files.get(each["file_id"])
        if file is None:
            errors[f"attachments.{n}.file_id"] = ["There is no such file in this engagement."]
        elif not (is_internal or file.visible_to_client):
            wrong = (
                "The client cannot open this file; make it visible to them, or write internally."
            )
            errors[f"attachments.{n}.file_id"] = [wrong]
        else:
            kept.append(
                {
                    "name": file.name,
                    "url": f"/api/files/{file.id}/content",
                    "size": file.size,
                    "file_id": str(file.id),
                }
            )
    if errors:
        raise Invalid(errors)
    return kept


def _files(ids: Sequence[UUID], engagement_id: UUID) -> dict[UUID, FileObject]:
    found = db.session.scalars(
        select(FileObject).where(
            FileObject.organization_id == current_organization_id(),
            FileObject.id.in_(ids),
            FileObject.engagement_id == engagement_id,
            FileObject.deleted_at.is_(None),
        )
    )
    return {file.id: file for file in found}
