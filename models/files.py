"""Files that belong to an engagement; their bytes are in the file store."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, String, UniqueConstraint, text
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

DECISIONS = ("approved", "changes_requested")


class FileObject(Versioned, SoftDeletable, TenantRecord):
    """One file, as its latest `version` is; `size` is in bytes."""

    __tablename__ = "file_objects"
    noun = "file_object"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("project_id", "projects", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "size"),
        at_least(1, "version"),
        digest_form("sha256"),
        json_object("uploaded_by"),
        list_index("file_objects", live_only=True),
        list_index("file_objects", "engagement_id"),
        list_index("file_objects", "project_id"),
        list_index("file_objects", "visible_to_client", live_only=True),
        purge_index("file_objects"),
    )

    engagement_id: Mapped[UUID]
    project_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    visible_to_client: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    uploaded_by: Mapped[dict[str, Any]] = mapped_column(JSONB)


class StoredContent(TenantRecord):
    """Bytes in the file store, under the id of this row; kept once for each organization.

    The row comes after its bytes are durable, and goes before they are removed.
    """

    __tablename__ = "stored_contents"
    noun = "stored_content"
    __table_args__ = (
        UniqueConstraint("organization_id", "sha256"),
        at_least(0, "size"),
        digest_form("sha256"),
        list_index("stored_contents"),
    )

    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)


class FileVersion(TenantRecord):
    """One version of a file, and what was decided on it. It does not change otherwise."""

    __tablename__ = "file_versions"
    noun = "file_version"
    __table_args__ = (
        belongs_to("file_id", "file_objects"),
        belongs_to("content_id", "stored_contents", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "file_id", "number"),
        not_blank(),
        at_least(1, "number"),
        at_least(0, "size"),
        digest_form("sha256"),
        json_object("uploaded_by"),
        json_object("decided_by"),
        CheckConstraint(
            "decision IS NULL OR decision IN ('approved', 'changes_requested')",
            name="decision_known",
        ),
        CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL)"
            " AND (decision IS NULL) = (decided_by IS NULL)",
            name="decided_if_decision",
        ),
        list_index("file_versions", "file_id"),
        list_index("file_versions", "content_id"),
    )

    file_id: Mapped[UUID]
    content_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    uploaded_by: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decision: Mapped[str | None] = mapped_column(String(32))
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    comment: Mapped[str | None]


class StorageUsage(TenantRecord):
    """How many bytes an organization's stored contents have together: what its quota counts."""

    __tablename__ = "storage_usages"
    noun = "storage_usage"
    __table_args__ = (
        UniqueConstraint("organization_id"),
        at_least(0, "bytes"),
    )

    bytes: Mapped[int] = mapped_column(BigInteger)
