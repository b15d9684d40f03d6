"""Files that belong to an engagement; their bytes are in the file store."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    digest_form,
    json_object,
    list_index,
    not_blank,
    purge_index,
)


class FileObject(Versioned, SoftDeletable, TenantRecord):
    """One stored file; `size` is in bytes, `storage_key` its random name in the store."""

    __tablename__ = "file_objects"
    noun = "file_object"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("project_id", "projects", ondelete="SET NULL"),
        # Without the tenant: the store is one for all, and so are its names.
        UniqueConstraint("storage_key"),
        not_blank(),
        at_least(0, "size"),
        digest_form("sha256"),
        json_object("uploaded_by"),
        list_index("file_objects", live_only=True),
        list_index("file_objects", "engagement_id"),
        list_index("file_objects", "project_id"),
        purge_index("file_objects"),
    )

    engagement_id: Mapped[UUID]
    project_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    storage_key: Mapped[str] = mapped_column(String(255))
    visible_to_client: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    uploaded_by: Mapped[dict[str, Any]] = mapped_column(JSONB)
