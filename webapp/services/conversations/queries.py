"""How conversations and messages are read: by staff, who see the internal ones too."""

from __future__ import annotations

from sqlalchemy import func, select

from models.conversations import Conversation, Message
from models.db.queries import bound
from models.projects import Project
from webapp.services.common.reads import (
    MAX_LIMIT,
    Filter,
    RecordQuery,
    aggregate,
    among,
    brief,
    equals,
)
from webapp.services.projects.queries import PROJECTS

_MESSAGES = (
    select(Message)
    .where(
        Message.organization_id == Conversation.organization_id,
        Message.conversation_id == Conversation.id,
        Message.deleted_at.is_(None),
    )
    .correlate(Conversation)
)
_LATEST = (
    _MESSAGES.order_by(Message.created_at.desc(), Message.id.desc()).limit(MAX_LIMIT).subquery()
)
_SHOWN = (
    "id", "conversation_id", "sender_id", "sender_name", "sender_kind", "content", "is_internal",
    "attachments", "created_at", "updated_at",
)  # fmt: skip

CONVERSATIONS = RecordQuery(
    Conversation,
    domain="conversations",
    noun="conversation",
    extra={
        "project": brief(
            Project,
            Conversation.project_id,
            name=Project.name,
            phase=Project.phase,
            status=Project.status,
        ),
        "message_count": _MESSAGES.with_only_columns(func.count()).scalar_subquery(),
    },
    children={
        "messages": aggregate(
            select(_LATEST),
            (_LATEST.c.created_at, _LATEST.c.id),
            **{name: _LATEST.c[name] for name in _SHOWN},
        )
    },
    filters={"status": among(Conversation.status)},
    within={"project_id": equals(Conversation.project_id)},
    expandable={"project": ("project_id", PROJECTS)},
)

MESSAGES = RecordQuery(
    Message,
    domain="conversations",
    noun="message",
    filters={"is_internal": equals(Message.is_internal)},
    within={
        "conversation_id": equals(Message.conversation_id),
        # The conversation must be the project's: the ids of a path are checked together.
        "project_id": Filter(
            lambda value: (
                select(Conversation.id)
                .where(
                    Conversation.id == bound("conversation_id", Conversation.id.type),
                    Conversation.project_id == value,
                    Conversation.deleted_at.is_(None),
                )
                .exists()
            ),
            Conversation.project_id.type,
        ),
    },
)
