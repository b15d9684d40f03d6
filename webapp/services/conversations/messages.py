"""How messages are posted and deleted, and how their conversation follows.

Posting takes no lock on the conversation: many may write at once, and each message leaves a job
that recomputes the conversation's times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from models.conversations import Conversation, Message
from models.db.base import db
from models.db.inserts import fill
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_organization_id, current_principal
from models.projects import Project
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, NotFound
from webapp.services.common.writes import lock, trash
from webapp.services.conversations.queries import MESSAGES
from webapp.services.jobs.enqueue import enqueue


def post_message(values: Mapping[str, Any], project_id: UUID, conversation_id: UUID) -> Row:
    """Post a message as the caller. Raises NotFound, and Conflict in a closed conversation."""
    conversation = _conversation(project_id, conversation_id)
    if conversation["status"] == "closed":
        raise Conflict("The conversation is closed. Open it again to write in it.")
    engagement_id = conversation["engagement_id"]
    principal = current_principal()
    message = Message(
        conversation_id=conversation_id,
        sender_kind=principal.kind,
        sender_id=principal.actor["id"],
        sender_name=principal.label,
        **values,
    )
    fill(message)
    # Before the message, so that one statement writes all.
    record_activity(message, "created", engagement_id=engagement_id, metadata=_told(message))
    _ask_for_touch(message, "created")
    return MESSAGES.insert(message)


def delete_message(
    project_id: UUID,
    conversation_id: UUID,
    message_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> None:
    """Soft-delete a message. Raises NotFound, StaleVersion."""
    engagement_id = _conversation(project_id, conversation_id)["engagement_id"]
    message = lock(
        Message,
        message_id,
        expected_row_version=expected_row_version,
        conversation_id=conversation_id,
    )
    trash(message, engagement_id=engagement_id, metadata=_told(message))
    _ask_for_touch(message, "deleted")


_LOCK = text(
    """SELECT id FROM conversations
       WHERE organization_id = :organization_id AND id = ANY(:ids)
       ORDER BY id FOR NO KEY UPDATE"""
)
_TOUCH = text(
    """UPDATE conversations c
       SET last_message_at = found.visible, last_activity_at = found.latest
       FROM (
         SELECT w.id,
                (SELECT max(m.created_at) FROM messages m
                 WHERE m.organization_id = :organization_id AND m.conversation_id = w.id
                   AND m.deleted_at IS NULL AND NOT m.is_internal) AS visible,
                (SELECT max(m.created_at) FROM messages m
                 WHERE m.organization_id = :organization_id AND m.conversation_id = w.id
                   AND m.deleted_at IS NULL) AS latest
         FROM unnest(CAST(:ids AS uuid[])) AS w (id)) found
       WHERE c.organization_id = :organization_id AND c.id = found.id
         AND (c.last_message_at, c.last_activity_at)
             IS DISTINCT FROM (found.visible, found.latest)"""
)


def touch_conversations(conversation_ids: Sequence[UUID]) -> None:
    """Recompute `last_message_at` (visible to the client) and `last_activity_at` (all messages).

    From the messages that survive, so that it may run twice, late, or in any order; null when
    none is left (rulings.md, *Conversations*).
    """
    values = {
        "organization_id": current_organization_id(),
        "ids": sorted(set(conversation_ids)),
    }
    # The locks come first, in a statement of their own: had another run recomputed meanwhile,
    # a statement that began before it ended would write an older time over the newer one.
    db.session.execute(_LOCK, values)
    db.session.execute(_TOUCH, values)


_CONVERSATION = CompiledQuery.of(
    select(Conversation.status, Project.engagement_id)
    .join(
        Project,
        (Project.organization_id == Conversation.organization_id)
        & (Project.id == Conversation.project_id),
    )
    .where(
        Conversation.id == bound("conversation_id", Conversation.id.type),
        Conversation.project_id == bound("project_id", Project.id.type),
        Conversation.deleted_at.is_(None),
    )
)


def _conversation(project_id: UUID, conversation_id: UUID) -> Row:
    """The status of a project's living conversation, and its engagement. Raises NotFound."""
    row = _CONVERSATION.one(project_id=project_id, conversation_id=conversation_id)
    if row is None:
        raise NotFound("There is no conversation with this id.")
    return row


def _told(message: Message) -> dict[str, Any]:
    """What the activity log keeps: enough to find it, and whether the client may know of it."""
    return {
        "conversation_id": str(message.conversation_id),
        "is_internal": bool(message.is_internal),
    }


def _ask_for_touch(message: Message, verb: str) -> None:
    enqueue(
        "conversations.touch",
        f"{message.id}:{verb}",
        {"conversation_id": str(message.conversation_id)},
    )
