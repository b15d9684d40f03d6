"""What whoever asks may see of a conversation, and how much of it they have not read.

Rulings: rulings.md, *Internal messages* and *Reading*. Who asks is known to the statement itself,
so that a page and its counts are one statement.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, any_, func, literal_column, select, true

from models.conversations import Conversation, Message, ReadMarker
from models.db.queries import CALLER_ID, CALLER_KIND
from models.db.tenancy import current_principal

# Everybody else is a client, and meets no internal message.
STAFF = ("api_key", "session", "system")
_STAFF: ColumnElement[Any] = literal_column(
    "ARRAY[" + ", ".join(f"'{kind}'" for kind in STAFF) + "]"
)
_EVER: ColumnElement[Any] = literal_column("'-infinity'::timestamptz")


def is_staff() -> bool:
    """Whether the caller is of the firm."""
    return current_principal().kind in STAFF


def is_shown(message: Any) -> ColumnElement[bool]:
    """Whether whoever asks may see the message."""
    shown: ColumnElement[bool] = message.is_internal.is_(False) | (any_(_STAFF) == CALLER_KIND)
    return shown


def last_read_at() -> ColumnElement[Any]:
    """The time of the last message of a conversation that whoever asks has read, or null."""
    return (
        select(ReadMarker.last_read_at)
        .where(
            ReadMarker.organization_id == Conversation.organization_id,
            ReadMarker.conversation_id == Conversation.id,
            ReadMarker.reader_kind == CALLER_KIND,
            ReadMarker.reader_id == CALLER_ID,
        )
        .correlate(Conversation)
        .scalar_subquery()
    )


def unread_count() -> ColumnElement[Any]:
    """How many messages of a conversation whoever asks has not read; their own do not count."""
    return _unread().with_only_columns(func.count()).scalar_subquery()


def is_unread() -> ColumnElement[bool]:
    """Whether there is such a message."""
    return _unread().exists()


def _unread() -> Select[Any]:
    own = (Message.sender_kind == CALLER_KIND) & (Message.sender_id == CALLER_ID)
    return (
        select(Message.id)
        .where(
            Message.organization_id == Conversation.organization_id,
            Message.conversation_id == Conversation.id,
            Message.created_at > func.coalesce(last_read_at(), _EVER),
            Message.deleted_at.is_(None),
            own.is_not(true()),
            is_shown(Message),
        )
        .correlate(Conversation)
    )
