"""Which contacts may see which engagements in the client portal."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from sqlalchemy import UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, belongs_to
from models.db.constraints import index, list_index


class PortalAccess(TenantRecord):
    """A contact's access to an engagement, until it is revoked."""

    __tablename__ = "portal_accesses"
    noun = "portal_access"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("contact_id", "contacts"),
        UniqueConstraint("organization_id", "engagement_id", "contact_id"),
        index("portal_accesses", "contact_id"),
        list_index("portal_accesses"),
    )

    engagement_id: Mapped[UUID]
    contact_id: Mapped[UUID]
    granted_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[dt.datetime | None]
    last_seen_at: Mapped[dt.datetime | None]
