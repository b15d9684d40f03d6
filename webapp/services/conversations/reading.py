"""How far each reader has read a conversation (rulings.md, *Reading*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from models.conversations import Conversation, Message, ReadMarker
from models.db.base import db
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_organization_id, current_principal
from webapp.services.common.exceptions import Invalid
from webapp.services.conversations.messages import conversation_in
from webapp.services.conversations.readers import is_shown, last_read_at, unread_count

_MARKED = CompiledQuery.of(
    select(
        Conversation.id.label("conversation_id"),
        last_read_at().label("last_read_at"),
        unread_count().label("unread_count"),
    ).where(Conversation.id == bound("conversation_id", Conversation.id.type))
)
_LATEST = (
    select(func.max(Message.created_at).label("at"))
    .where(Message.conversation_id == bound("conversation_id", Conversation.id.type))
    .where(is_shown(Message))
)
_LAST = CompiledQuery.of(_LATEST)
_NAMED = CompiledQuery.of(_LATEST.where(Message.id == bound("message_id", Message.id.type)))


def mark_read(values: Mapping[str, Any], project_id: UUID, conversation_id: UUID) -> Row:
    """Remember that the caller has read up to the message `message_id`, or to the latest.

    It never moves backwards, so it may be done again, or late. Raises NotFound, and Invalid naming
    `message_id` when the conversation has no such message for the caller.
    """
    conversation_in(project_id, conversation_id)
    message_id = values.get("message_id")
    if message_id is None:
        [found] = _LAST.all(conversation_id=conversation_id)
    else:
        [found] = _NAMED.all(conversation_id=conversation_id, message_id=message_id)
        if found["at"] is None:
            raise Invalid({"message_id": ["This conversation has no message with this id."]})
    if found["at"] is not None:
        _remember(conversation_id, found["at"])
    [marked] = _MARKED.all(conversation_id=conversation_id)
    return marked


def _remember(conversation_id: UUID, read_at: Any) -> None:
    """The unique key lets two at once make one marker; the later of their times stays."""
    principal = current_principal()
    new = insert(ReadMarker).values(
        organization_id=current_organization_id(),
        conversation_id=conversation_id,
        reader_kind=principal.kind,
        reader_id=principal.actor["id"],
        last_read_at=read_at,
    )
    db.session.execute(
        new.on_conflict_do_update(
            constraint="uq_read_markers_reader",
            set_={"last_read_at": new.excluded.last_read_at},
            where=ReadMarker.last_read_at < new.excluded.last_read_at,
        )
    )
