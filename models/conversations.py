"""Conversations about a project, their messages, and how far each reader has read.

What a message said before is kept as revisions, and its words, by which it is found, as rows.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import index, json_array, list_index, not_blank, purge_index
from models.states import CONVERSATION


class Conversation(Versioned, SoftDeletable, TenantRecord):
    """A thread of messages in a project.

    `last_message_at` follows the messages the client may see, `last_activity_at` all of them;
    both are recomputed by `conversations.touch` and null when no message is left.
    """

    __tablename__ = "conversations"
    noun = "conversation"
    __table_args__ = (
        belongs_to("project_id", "projects"),
        not_blank("subject"),
        CONVERSATION.check(),
        list_index("conversations", live_only=True),
        list_index("conversations", "status", live_only=True),
        list_index("conversations", "project_id"),
        purge_index("conversations"),
    )

    project_id: Mapped[UUID]
    subject: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16), server_default="open", default="open")
    last_message_at: Mapped[dt.datetime | None]
    last_activity_at: Mapped[dt.datetime | None]


class Message(Versioned, SoftDeletable, TenantRecord):
    """One message; `is_internal` ones are for staff alone.

    The sender is kept as it was known then (`sender_kind`, `sender_id`, `sender_name`): people
    and keys go, what they wrote stays. So are the members it names (`mentions`: id, name).
    """

    __tablename__ = "messages"
    noun = "message"
    __table_args__ = (
        belongs_to("conversation_id", "conversations"),
        CheckConstraint("btrim(content) <> '' OR attachments <> '[]'", name="not_empty"),
        not_blank("sender_kind"),
        json_array("attachments"),
        json_array("mentions"),
        list_index("messages", "conversation_id"),
        list_index("messages", live_only=True),
        purge_index("messages"),
    )

    conversation_id: Mapped[UUID]
    sender_kind: Mapped[str] = mapped_column(String(16))
    sender_id: Mapped[str | None] = mapped_column(String(64))
    sender_name: Mapped[str] = mapped_column(String(255))
    content: Mapped[str]
    is_internal: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    attachments: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    mentions: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    edited_at: Mapped[dt.datetime | None]


class MessageRevision(TenantRecord):
    """What a message said, and whom it named, until it was edited at `created_at`."""

    __tablename__ = "message_revisions"
    noun = "message_revision"
    __table_args__ = (
        belongs_to("message_id", "messages"),
        json_array("mentions"),
        list_index("message_revisions", "message_id"),
    )

    message_id: Mapped[UUID]
    content: Mapped[str]
    mentions: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)


class MessageWord(TenantRecord):
    """A word of a message, in small letters, to find it by.

    Kept by triggers on the messages: under row-level security a full-text index would serve nobody.
    """

    __tablename__ = "message_words"
    noun = "message_word"
    __table_args__ = (
        belongs_to("message_id", "messages"),
        index("message_words", "conversation_id", "word", "message_id"),
        index("message_words", "message_id"),
    )

    conversation_id: Mapped[UUID]
    message_id: Mapped[UUID]
    word: Mapped[str] = mapped_column(String(255))


class ReadMarker(TenantRecord):
    """How far one reader has read a conversation."""

    __tablename__ = "read_markers"
    noun = "read_marker"
    __table_args__ = (
        belongs_to("conversation_id", "conversations"),
        UniqueConstraint(
            "organization_id",
            "conversation_id",
            "reader_kind",
            "reader_id",
            name="uq_read_markers_reader",
        ),
        index("read_markers", "reader_kind", "reader_id"),
    )

    conversation_id: Mapped[UUID]
    reader_kind: Mapped[str] = mapped_column(String(16))
    reader_id: Mapped[str] = mapped_column(String(64))
    last_read_at: Mapped[dt.datetime]
