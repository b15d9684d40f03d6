"""How conversations and messages are read: by staff, who see the internal ones too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Select, String, any_, func, literal_column, select

from models.conversations import Conversation, Message, MessageRevision, MessageWord
from models.db.base import TenantRecord
from models.db.queries import Row, bound
from models.engagements import Engagement
from models.projects import Project
from webapp.services.common.markdown import to_html
from webapp.services.common.reads import (
    MAX_LIMIT,
    Filter,
    Page,
    PageRequest,
    RecordQuery,
    aggregate,
    among,
    brief,
    equals,
)
from webapp.services.conversations.readers import is_shown, is_unread, unread_count
from webapp.services.projects.queries import PROJECTS


def _show(row: Row) -> Row:
    """Add the text as HTML; of a deleted message nothing but its sender and its times is shown."""
    if row.get("deleted_at") is not None:
        return row | {"content": None, "content_html": None, "attachments": [], "mentions": []}
    return row | {"content_html": to_html(row["content"])}


class TextQuery(RecordQuery):
    """Records that people wrote: each row has its `content` as HTML as well."""

    def get(self, record_id: UUID, **within: UUID) -> Row:
        return _show(super().get(record_id, **within))

    def page(self, wanted: PageRequest, **within: UUID) -> Page:
        page = super().page(wanted, **within)
        page.rows[:] = [_show(row) for row in page.rows]
        return page

    def insert(self, record: TenantRecord) -> Row:
        return _show(super().insert(record))


class ConversationQuery(RecordQuery):
    """Conversations; one that is retrieved has the `messages` as TextQuery shows them."""

    def get(self, record_id: UUID, **within: UUID) -> Row:
        row = super().get(record_id, **within)
        return row | {"messages": [_show(message) for message in row["messages"]]}


_MESSAGES = (
    select(Message)
    .where(
        Message.organization_id == Conversation.organization_id,
        Message.conversation_id == Conversation.id,
        is_shown(Message),
    )
    .correlate(Conversation)
)
_LATEST = (
    _MESSAGES.order_by(Message.created_at.desc(), Message.id.desc()).limit(MAX_LIMIT).subquery()
)
_SHOWN = (
    "id", "conversation_id", "sender_id", "sender_name", "sender_kind", "content", "is_internal",
    "attachments", "mentions", "created_at", "updated_at", "edited_at", "deleted_at",
)  # fmt: skip

CONVERSATIONS = ConversationQuery(
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
        "message_count": _MESSAGES.where(Message.deleted_at.is_(None))
        .with_only_columns(func.count())
        .scalar_subquery(),
        "unread_count": unread_count(),
    },
    children={
        "messages": aggregate(
            select(_LATEST),
            (_LATEST.c.created_at, _LATEST.c.id),
            **{name: _LATEST.c[name] for name in _SHOWN},
        )
    },
    filters={
        "status": among(Conversation.status),
        "unread": Filter(lambda value: is_unread() == value, Boolean()),
    },
    within={"project_id": equals(Conversation.project_id)},
    expandable={"project": ("project_id", PROJECTS)},
)


def _with_words(q: Any, conversations: Select[Any]) -> ColumnElement[bool]:
    """Whether a living message of these conversations has all the words of `q`.

    The words are compared one by one, as plain texts (MessageWord).
    """
    words = func.tsvector_to_array(func.to_tsvector(literal_column("'simple'::regconfig"), q))
    found = (
        select(MessageWord.message_id)
        .where(
            # Found first, so that the index is asked for these conversations alone.
            MessageWord.conversation_id == any_(func.array(conversations.scalar_subquery())),
            MessageWord.word == any_(words),
        )
        .group_by(MessageWord.message_id)
        .having(func.count() == func.cardinality(words))
    )
    return Message.id.in_(found) & Message.deleted_at.is_(None)


def _in_project(project_id: Any) -> Select[Any]:
    """The conversation that the path names, if it is the project's: its ids go together."""
    return select(Conversation.id).where(
        Conversation.id == bound("conversation_id", Conversation.id.type),
        Conversation.project_id == project_id,
        Conversation.deleted_at.is_(None),
    )


MESSAGES = TextQuery(
    Message,
    domain="conversations",
    noun="message",
    keep_deleted=True,
    condition=is_shown(Message),
    filters={
        "is_internal": equals(Message.is_internal),
        "q": Filter(
            lambda q: _with_words(q, _in_project(bound("project_id", Project.id.type))), String()
        ),
    },
    within={
        "conversation_id": equals(Message.conversation_id),
        "project_id": Filter(lambda value: _in_project(value).exists(), Project.id.type),
    },
)

_OF_ENGAGEMENT = (
    select(Conversation.id)
    .join(
        Project,
        (Project.organization_id == Conversation.organization_id)
        & (Project.id == Conversation.project_id),
    )
    .where(
        Project.engagement_id == bound("engagement_id", Engagement.id.type),
        Project.deleted_at.is_(None),
        Conversation.deleted_at.is_(None),
    )
)

# What was written in all conversations of an engagement, found by its words.
ENGAGEMENT_MESSAGES = TextQuery(
    Message,
    domain="conversations",
    noun="message",
    condition=is_shown(Message),
    extra={
        "conversation": brief(
            Conversation,
            Message.conversation_id,
            project_id=Conversation.project_id,
            subject=Conversation.subject,
        )
    },
    filters={"q": Filter(lambda q: _with_words(q, _OF_ENGAGEMENT), String())},
    within={
        "engagement_id": Filter(
            lambda value: (
                select(Engagement.id)
                .where(Engagement.id == value, Engagement.deleted_at.is_(None))
                .exists()
            ),
            Engagement.id.type,
        )
    },
)

# What a message that is not deleted said before it was edited.
REVISIONS = TextQuery(
    MessageRevision,
    domain="conversations",
    noun="revision",
    within={
        "message_id": equals(MessageRevision.message_id),
        "conversation_id": Filter(
            lambda value: (
                select(Message.id)
                .where(
                    Message.id == bound("message_id", Message.id.type),
                    Message.conversation_id == value,
                    Message.deleted_at.is_(None),
                    is_shown(Message),
                )
                .exists()
            ),
            Conversation.id.type,
        ),
        "project_id": Filter(lambda value: _in_project(value).exists(), Project.id.type),
    },
)
