"""The bytes behind files: taken into the books, counted, and let go of when nothing needs them.

The order keeps a crash from losing anything: bytes are durable before a row names them, and the row
is gone before they are removed. In between there are bytes without a row, at worst; the sweep
finds those (rulings.md, *Files*).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.files import FileVersion, StorageUsage, StoredContent
from webapp.services.common.exceptions import DomainError, Unavailable

SWEEP_LIMIT = 1000


class InsufficientStorage(DomainError):
    """There is no room left to store this; nothing was changed."""


class QuotaReached(InsufficientStorage):
    """The files of your organization take all the room they may have; delete some first."""


@dataclass(slots=True)
class Upload:
    """Bytes that are durable in the store under `id`, and of which no row tells yet.

    `head` is how they begin; `quota` how many bytes the organization may store altogether.
    `is_taken` says whether the running transaction made them its own.
    """

    id: UUID
    name: str
    size: int
    sha256: str
    head: bytes
    quota: int
    is_taken: bool = False


def take_content(upload: Upload) -> UUID:
    """The id of the stored content that the upload's bytes are: kept already, or these.

    It stays until the transaction ends. Raises QuotaReached.
    """
    upload.is_taken = False
    organization_id = current_organization_id()
    for _ in range(3):
        kept = db.session.scalar(_KEPT, {"organization_id": organization_id, **_of(upload)})
        if kept is not None:
            return UUID(str(kept))
        values = {"organization_id": organization_id, "id": upload.id, **_of(upload)}
        if db.session.scalar(_TAKE, values) is not None:
            _count(upload.size, upload.quota)
            upload.is_taken = True
            return upload.id
    # Taken by others and let go of again, three times.
    raise Unavailable()


def _of(upload: Upload) -> dict[str, Any]:
    return {"sha256": upload.sha256, "size": upload.size}


# The lock keeps the sweep away from it.
_KEPT = text(
    """SELECT id FROM stored_contents
       WHERE organization_id = :organization_id AND sha256 = :sha256 AND size = :size
       FOR KEY SHARE"""
)
_TAKE = text(
    """INSERT INTO stored_contents (organization_id, id, sha256, size)
       VALUES (:organization_id, :id, :sha256, :size)
       ON CONFLICT (organization_id, sha256) DO NOTHING RETURNING id"""
)
_COUNT = text(
    """INSERT INTO storage_usages AS kept (organization_id, id, bytes)
       SELECT :organization_id, :id, CAST(:size AS bigint) WHERE :size <= :quota
       ON CONFLICT (organization_id) DO UPDATE SET bytes = kept.bytes + excluded.bytes
       WHERE kept.bytes + excluded.bytes <= :quota
       RETURNING bytes"""
)


def _count(size: int, quota: int) -> None:
    """Add to the organization's usage, if its quota lets it: one statement decides."""
    values = {"organization_id": current_organization_id(), "id": uuid7(), "size": size}
    if db.session.scalar(_COUNT, {**values, "quota": quota}) is None:
        raise QuotaReached()


def forget_unused(limit: int = SWEEP_LIMIT) -> int:
    """Let go of up to `limit` stored contents that no version of a file has any more.

    Their bytes are removed later, by whoever finds them without a row. Returns how many there were.
    """
    organization_id = current_organization_id()
    is_used = (
        select(FileVersion.id)
        .where(
            FileVersion.organization_id == organization_id,
            FileVersion.content_id == StoredContent.id,
        )
        .exists()
    )
    found = db.session.scalars(
        select(StoredContent.id)
        .where(StoredContent.organization_id == organization_id, ~is_used)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    # Asked again under the locks: one may have been taken into use before they were held.
    rows = db.session.execute(
        delete(StoredContent)
        .where(
            StoredContent.organization_id == organization_id,
            StoredContent.id.in_(found),
            ~is_used,
        )
        .returning(StoredContent.size)
        .execution_options(synchronize_session=False)
    ).all()
    if rows:
        db.session.execute(
            update(StorageUsage)
            .where(StorageUsage.organization_id == organization_id)
            .values(bytes=StorageUsage.bytes - sum(row.size for row in rows))
            .execution_options(synchronize_session=False)
        )
    return len(rows)


def known_contents(ids: Collection[UUID]) -> set[UUID]:
    """Those of the ids of which a row tells."""
    return set(
        db.session.scalars(
            select(StoredContent.id).where(
                StoredContent.organization_id == current_organization_id(),
                StoredContent.id.in_(ids),
            )
        )
    )


def contents_after(content_id: UUID | None, limit: int = SWEEP_LIMIT) -> list[UUID]:
    """The ids of the next stored contents in the order of their ids: what must have bytes."""
    statement = select(StoredContent.id).where(
        StoredContent.organization_id == current_organization_id()
    )
    if content_id is not None:
        statement = statement.where(StoredContent.id > content_id)
    return list(db.session.scalars(statement.order_by(StoredContent.id).limit(limit)))


def usage() -> int:
    """How many bytes the organization's stored contents have together."""
    found = db.session.scalar(
        select(func.coalesce(func.max(StorageUsage.bytes), 0)).where(
            StorageUsage.organization_id == current_organization_id()
        )
    )
    return int(found or 0)
