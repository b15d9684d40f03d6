"""What every table shares: naming, keys, the tenant, and the session they are reached by."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import uuid_utils.compat
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    Numeric,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.db.tenancy import current_organization_id

Money = Numeric(12, 2)
MAX_MONEY = Decimal("9999999999.99")  # the most that Money holds


def uuid7() -> UUID:
    """A time-ordered UUID, so that new rows sit together in their indexes."""
    return uuid_utils.compat.uuid7()


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        dt.datetime: DateTime(timezone=True),
        Decimal: Money,
        UUID: Uuid(),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


class TenantRecord(Base):
    """A row that belongs to one organization.

    The primary key is (organization_id, id), so that a reference between tenant tables always
    carries the tenant and cannot point into another one (tenancy.md).
    `noun` is what the activity log and its jobs' dedupe keys call one such record: it stays.
    """

    __abstract__ = True
    noun: ClassVar[str]

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"),
        primary_key=True,
        default=current_organization_id,
        sort_order=-20,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-19)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), sort_order=90)


class Versioned:
    """A record that people edit: when it changed last, and a row version that counts changes.

    The row version is the strong part of the ETag and orders the record's activity.
    """

    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), sort_order=91)
    row_version: Mapped[int] = mapped_column(server_default=text("1"), default=1, sort_order=92)


class SoftDeletable:
    """A record that is marked deleted first and purged later (retention.md, *Purge*).

    `deletion_batch_id` names the deletion that took it, so that a restore takes back exactly
    what went with it.
    """

    deleted_at: Mapped[dt.datetime | None] = mapped_column(sort_order=95)
    deletion_batch_id: Mapped[UUID | None] = mapped_column(sort_order=96)


def belongs_to(
    column: str, table: str, *, ondelete: str = "CASCADE", use_alter: bool = False
) -> ForeignKeyConstraint:
    """A foreign key inside the tenant.

    `ondelete="SET NULL"` empties only `column`; the tenant's column stays.
    """
    if ondelete == "SET NULL":
        ondelete = f"SET NULL ({column})"
    return ForeignKeyConstraint(
        ["organization_id", column],
        [f"{table}.organization_id", f"{table}.id"],
        ondelete=ondelete,
        use_alter=use_alter,
    )


db = SQLAlchemy(
    metadata=Base.metadata, disable_autonaming=True, session_options={"expire_on_commit": False}
)
