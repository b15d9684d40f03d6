"""How messages are posted, edited and deleted, and how their conversation follows.

Posting takes no lock on the conversation: many may write at once, and each message leaves a job
that recomputes the conversation's times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from models.conversations import Conversation, Message, MessageRevision
from models.db.base import db
from models.db.inserts import fill, insert_records
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_organization_id, current_principal
from models.projects import Project
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Forbidden, Invalid, NotFound
from webapp.services.common.writes import change, lock, now, trash
from webapp.services.conversations.attachments import attached
from webapp.services.conversations.mentions import named_members, tell_mentioned
from webapp.services.conversations.queries import MESSAGES
from webapp.services.conversations.readers import is_staff
from webapp.services.jobs.enqueue import enqueue

# How long after it was posted its sender may change a message (rulings.md, *Editing*).
EDITABLE_FOR = dt.timedelta(minutes=15)


def post_message(values: Mapping[str, Any], project_id: UUID, conversation_id: UUID) -> Row:
    """Post a message as the caller; the members it `mentions` are told by mail.

    Raises NotFound, Conflict in a closed conversation, and Invalid naming `mentions` or
    `attachments`.
    """
    conversation = conversation_in(project_id, conversation_id)
    if conversation["status"] == "closed":
        raise Conflict("The conversation is closed. Open it again to write in it.")
    engagement_id = conversation["engagement_id"]
    principal = current_principal()
    mentions = named_members(values.get("mentions", ()))
    attachments = attached(
        values.get("attachments", ()),
        engagement_id,
        is_internal=values.get("is_internal", False),
    )
    message = Message(
        conversation_id=conversation_id,
        sender_kind=principal.kind,
        sender_id=principal.actor["id"],
        sender_name=principal.label,
        **{**values, "mentions": mentions, "attachments": attachments},
    )
    fill(message)
    # Before the message, so that one statement writes all.
    record_activity(message, "created", engagement_id=engagement_id, metadata=_told(message))
    _ask_for_touch(message, "created")
    tell_mentioned(message.id, mentions)
    return MESSAGES.insert(message)


def edit_message(
    values: Mapping[str, Any],
    project_id: UUID,
    conversation_id: UUID,
    message_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> None:
    """Change what the caller has posted; what it said until now is kept as a revision.

    Raises NotFound, StaleVersion, Forbidden for who did not write it, Conflict once it is too old
    (rulings.md, *Editing*), and Invalid naming `mentions`, or `content` when nothing is left.
    """
    message, engagement_id = _locked(project_id, conversation_id, message_id, expected_row_version)
    if not _is_sender(message):
        raise Forbidden("Only who wrote a message can change it.")
    if now() - message.created_at > EDITABLE_FOR:
        minutes = EDITABLE_FOR // dt.timedelta(minutes=1)
        raise Conflict(f"A message can be changed for {minutes} minutes after it was posted.")
    before = {"content": message.content, "mentions": message.mentions}
    if not values.get("content", message.content).strip() and not message.attachments:
        raise Invalid({"content": ["Write something or attach a file."]})
    wanted = dict(values)
    if "mentions" in values:
        wanted["mentions"] = named_members(values["mentions"])
    if not change(message, wanted, engagement_id=engagement_id, metadata=_told(message)):
        return
    message.edited_at = now()
    told = _told_already(message) | {mention["id"] for mention in before["mentions"]}
    tell_mentioned(message.id, [each for each in message.mentions if each["id"] not in told])
    insert_records([MessageRevision(message_id=message.id, **before)])


def delete_message(
    project_id: UUID,
    conversation_id: UUID,
    message_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> None:
    """Soft-delete a message; its place in the conversation shows that it was there.

    Raises NotFound, StaleVersion, and Forbidden for who neither wrote it nor is an administrator.
    """
    message, engagement_id = _locked(project_id, conversation_id, message_id, expected_row_version)
    if not _is_sender(message) and current_principal().role not in ("owner", "admin"):
        raise Forbidden("Only who wrote a message, or an administrator, can delete it.")
    trash(message, engagement_id=engagement_id, metadata=_told(message))
    _ask_for_touch(message, "deleted")


def _locked(
    project_id: UUID, conversation_id: UUID, message_id: UUID, expected_row_version: int | None
) -> tuple[Message, UUID]:
    """The living message, locked, and its engagement's id. Raises NotFound, StaleVersion."""
    engagement_id = conversation_in(project_id, conversation_id)["engagement_id"]
    message = lock(
        Message,
        message_id,
        expected_row_version=expected_row_version,
        conversation_id=conversation_id,
    )
    if message.is_internal and not is_staff():
        raise NotFound("There is no message with this id.")
    return message, engagement_id


def _is_sender(message: Message) -> bool:
    principal = current_principal()
    sender = (message.sender_kind, message.sender_id)
    return sender == (principal.kind, principal.actor["id"])


def _told_already(message: Message) -> set[str]:
    """The members whom earlier revisions of the message named: each is told once."""
    former = db.session.scalars(
        select(MessageRevision.mentions).where(
            MessageRevision.organization_id == message.organization_id,
            MessageRevision.message_id == message.id,
        )
    )
    return {mention["id"] for mentions in former for mention in mentions}


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


def conversation_in(project_id: UUID, conversation_id: UUID) -> Row:
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
