"""How conversations are opened, changed and closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.conversations import Conversation
from models.db.base import db
from models.db.queries import Row
from models.db.tenancy import current_organization_id
from models.projects import Project
from models.states import CONVERSATION
from webapp.services.common.writes import change, create_read, lock, move
from webapp.services.conversations.queries import CONVERSATIONS


def create_conversation(values: Mapping[str, Any], project_id: UUID) -> Row:
    """Open a conversation about a project. Raises NotFound."""
    # Shared: several may be opened at once, but nobody trashes the project meanwhile.
    project = lock(Project, project_id, share=True)
    conversation = Conversation(project_id=project_id, **values)
    return create_read(conversation, CONVERSATIONS, engagement_id=project.engagement_id)


def update_conversation(
    values: Mapping[str, Any],
    project_id: UUID,
    conversation_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> Conversation:
    """Change a conversation; `status` closes or opens it. Raises NotFound, StaleVersion."""
    values = dict(values)
    conversation = lock(
        Conversation,
        conversation_id,
        expected_row_version=expected_row_version,
        project_id=project_id,
    )
    engagement_id = _engagement_of(project_id)
    status = values.pop("status", conversation.status)
    change(conversation, values, engagement_id=engagement_id)
    if status != conversation.status:
        move(conversation, CONVERSATION, status, engagement_id=engagement_id)
    return conversation


def close_conversation(
    project_id: UUID, conversation_id: UUID, *, expected_row_version: int | None = None
) -> None:
    """DELETE: close it; closed already is no error (S 7d).

    Raises NotFound, StaleVersion.
    """
    update_conversation(
        {"status": "closed"}, project_id, conversation_id, expected_row_version=expected_row_version
    )


def _engagement_of(project_id: UUID) -> UUID:
    return db.session.scalars(
        select(Project.engagement_id).where(
            Project.organization_id == current_organization_id(), Project.id == project_id
        )
    ).one()
