"""What both FastAPI peers are made of: engine, ORM models, labels and pydantic models.

No authentication and no row-level security: the organization is fixed by ORGANIZATION_ID.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import uuid_utils.compat
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import DateTime, ForeignKeyConstraint, Numeric, and_, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ORGANIZATION = UUID(os.environ["ORGANIZATION_ID"])
# As many as a process of the application may hold, whose threads may have two each.
CONNECTIONS = 2 * int(os.environ["WEB_THREADS"])

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=CONNECTIONS,
    max_overflow=0,
)

# Number and label of each state.

ENGAGEMENT = {
    "active": (1, "Active"),
    "on_hold": (2, "Paused"),
    "completed": (3, "Closed"),
    "cancelled": (4, "Cancelled"),
}
PROJECT = {
    "active": (1, "Active"),
    "on_hold": (2, "Paused"),
    "completed": (3, "Completed"),
    "cancelled": (4, "Cancelled"),
}
PHASE = {
    "kickoff": (1, "Kickoff"),
    "setup": (2, "Setup"),
    "build": (3, "Build"),
    "testing": (4, "Testing"),
    "deployment": (5, "Deployment"),
    "handoff": (6, "Handoff"),
}
CONVERSATION = {"open": (1, "Open"), "closed": (2, "Closed")}


class Base(DeclarativeBase):
    type_annotation_map = {
        dt.datetime: DateTime(timezone=True),
        Decimal: Numeric(12, 2),
        dict[str, Any]: JSONB(),
    }


class WithStatus:
    """`status` is the label, as answers show it; the column is `status_slug`."""

    statuses: ClassVar[dict[str, tuple[int, str]]]
    status_slug: Mapped[str] = mapped_column("status", default="active")

    @property
    def status_id(self) -> int:
        return self.statuses[self.status_slug][0]

    @property
    def status(self) -> str:
        return self.statuses[self.status_slug][1]


class Company(Base):
    __tablename__ = "client_companies"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Contact(Base):
    __tablename__ = "contacts"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_name: Mapped[str]
    last_name: Mapped[str]
    email: Mapped[str | None]


class Engagement(WithStatus, Base):
    __tablename__ = "engagements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "client_company_id"],
            ["client_companies.organization_id", "client_companies.id"],
        ),
        ForeignKeyConstraint(
            ["organization_id", "contact_id"], ["contacts.organization_id", "contacts.id"]
        ),
    )
    statuses = ENGAGEMENT

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid_utils.compat.uuid7)
    name: Mapped[str]
    description: Mapped[str | None]
    start_date: Mapped[dt.date | None]
    end_date: Mapped[dt.date | None]
    total_value: Mapped[Decimal | None]
    currency: Mapped[str | None]
    owner_id: Mapped[str]
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    contract_id: Mapped[UUID | None]
    proposal_id: Mapped[UUID | None]
    custom_fields: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[dt.datetime | None]
    health: Mapped[str] = mapped_column(default="ok")
    deleted_at: Mapped[dt.datetime | None]

    # The organization is a part of each foreign key; nothing here writes through a relationship.
    client_company: Mapped[Company | None] = relationship(viewonly=True)
    contact: Mapped[Contact | None] = relationship(viewonly=True)
    projects: Mapped[list[Project]] = relationship(
        primaryjoin=lambda: and_(
            Project.organization_id == Engagement.organization_id,
            Project.engagement_id == Engagement.id,
            Project.deleted_at.is_(None),
        ),
        order_by=lambda: Project.id,
        viewonly=True,
    )

    @property
    def conversations(self) -> list[Conversation]:
        found = [
            conversation for project in self.projects for conversation in project.conversations
        ]
        return sorted(found, key=lambda conversation: conversation.id)


class Project(WithStatus, Base):
    __tablename__ = "projects"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "engagement_id"], ["engagements.organization_id", "engagements.id"]
        ),
    )
    statuses = PROJECT

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    engagement_id: Mapped[UUID]
    name: Mapped[str]
    phase_slug: Mapped[str] = mapped_column("phase")
    deleted_at: Mapped[dt.datetime | None]

    conversations: Mapped[list[Conversation]] = relationship(
        primaryjoin=lambda: and_(
            Conversation.organization_id == Project.organization_id,
            Conversation.project_id == Project.id,
            Conversation.deleted_at.is_(None),
        ),
        order_by=lambda: Conversation.id,
        viewonly=True,
    )

    @property
    def phase_id(self) -> int:
        return PHASE[self.phase_slug][0]

    @property
    def phase(self) -> str:
        return PHASE[self.phase_slug][1]


class Conversation(WithStatus, Base):
    __tablename__ = "conversations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "project_id"], ["projects.organization_id", "projects.id"]
        ),
    )
    statuses = CONVERSATION

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    subject: Mapped[str]
    last_message_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]


Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"\S")]


class EngagementIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Annotated[str, Field(max_length=20_000)] | None = None
    start_date: dt.date | None = None
    end_date: dt.date | None = None
    total_value: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)] | None = None
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = None
    owner_id: Name = "peer"
    client_company_id: UUID | None = None
    contact_id: UUID | None = None
    deal_id: UUID | None = None
    contract_id: UUID | None = None
    custom_fields: dict[str, Any] = Field(default_factory=dict)


class FromRecord(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CompanyOut(FromRecord):
    id: UUID
    name: str


class ContactOut(FromRecord):
    id: UUID
    first_name: str
    last_name: str
    email: str | None


class ProjectOut(FromRecord):
    id: UUID
    name: str
    phase: str
    phase_id: int
    status: str
    status_id: int


class ConversationOut(FromRecord):
    id: UUID
    project_id: UUID
    subject: str
    status: str
    status_id: int
    last_message_at: dt.datetime | None


class EngagementListed(FromRecord):
    id: UUID
    organization_id: UUID
    name: str
    description: str | None
    status: str
    status_id: int
    start_date: dt.date | None
    end_date: dt.date | None
    total_value: Decimal | None
    currency: str | None
    owner_id: str
    client_company_id: UUID | None
    client_company: CompanyOut | None
    contact_id: UUID | None
    contact: ContactOut | None
    deal_id: UUID | None
    contract_id: UUID | None
    proposal_id: UUID | None
    health: str
    custom_fields: dict[str, Any]
    created_at: dt.datetime
    updated_at: dt.datetime
    closed_at: dt.datetime | None
    deleted_at: dt.datetime | None


class EngagementOut(EngagementListed):
    projects: list[ProjectOut]
    conversations: list[ConversationOut]


class Links(BaseModel):
    self: str
    next: str | None


class Meta(BaseModel):
    limit: int


class EngagementList(BaseModel):
    data: list[EngagementListed]
    links: Links
    meta: Meta


def next_page(created_at: dt.datetime, last_id: UUID) -> str:
    """The link to the page after the engagement with this time and id."""
    token = json.dumps([created_at.isoformat(), str(last_id)]).encode()
    return f"/engagements?cursor={base64.urlsafe_b64encode(token).decode()}"


def after(cursor: str) -> tuple[dt.datetime, UUID]:
    """The time and id in a cursor that `next_page` made."""
    moment, last_id = json.loads(base64.urlsafe_b64decode(cursor))
    return dt.datetime.fromisoformat(moment), UUID(last_id)
