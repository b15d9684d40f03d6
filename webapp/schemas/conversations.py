"""Conversations and messages on the wire (S 7d, S 7f; rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, pre_dump, validate, validates_schema

from models.states import CONVERSATION
from webapp.schemas.common import (
    Input,
    Moment,
    Output,
    PlainText,
    Related,
    StateIn,
    StateLabel,
    StateNumber,
    WholeNumber,
    flag,
    name,
    reference,
    url,
)
from webapp.schemas.engagements import ProjectBrief
from webapp.schemas.projects import ProjectOut

CONTENT_LENGTH = 50_000
MAX_ATTACHMENTS = 50
MAX_MENTIONS = 50
MAX_SIZE = 2**53 - 1  # bytes; the largest whole number that every JSON reader keeps exact


class ConversationChange(Input):
    subject = name()
    status = StateIn(CONVERSATION)


class ConversationCreate(ConversationChange):
    subject = name(required=True)


class AttachmentIn(Input):
    """A file of the engagement (`file_id`), or one that lies elsewhere; `size` is in bytes."""

    file_id = fields.UUID(metadata={"x-depends-on": "url"})
    name = name()
    url = url(allow_none=False)
    size = WholeNumber(validate=validate.Range(0, MAX_SIZE))

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        of_link = ("name", "url", "size")
        if "file_id" in data:
            wrong = {each: ["Leave this out for a file."] for each in of_link if each in data}
        else:
            wrong = {
                each: ["Give this for a link, or the file_id of a file."]
                for each in of_link
                if each not in data
            }
        if wrong:
            raise ValidationError(wrong)


def _mentions() -> fields.List:
    """The members who are told of the message."""
    return fields.List(
        reference(required=True, allow_none=False),
        validate=validate.Length(max=MAX_MENTIONS),
        metadata={"description": "Ids of members of the organization; each is told by mail, once."},
    )


def _content(*, required: bool) -> PlainText:
    return PlainText(
        required=required,
        validate=validate.Length(max=CONTENT_LENGTH),
        metadata={"description": "Markdown: CommonMark, tables and strikethrough."},
    )


class MessageCreate(Input):
    """`is_internal` messages are for staff alone."""

    content = _content(required=True)
    is_internal = flag()
    attachments = fields.List(
        fields.Nested(AttachmentIn), validate=validate.Length(max=MAX_ATTACHMENTS)
    )
    mentions = _mentions()

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("content", "").strip() and not data.get("attachments"):
            raise ValidationError({"content": ["Write something or attach a file."]})


class MessageChange(Input):
    """What its sender may change in a message, for 15 minutes."""

    content = _content(required=False)
    mentions = _mentions()


class ReadUpTo(Input):
    """The message up to which the caller has read; without it the latest."""

    message_id = reference(allow_none=False)


class ReadMarkerOut(Output):
    """How far the caller has read a conversation, and how many messages are left."""

    conversation_id = fields.UUID()
    last_read_at = Moment(allow_none=True)
    unread_count = fields.Integer()


class Attachment(Output):
    """`file_id` is there for a file of the engagement."""

    name = fields.String()
    url = fields.String()
    size = fields.Integer()
    file_id = fields.UUID()


class Sender(Output):
    """Who wrote it, as they were known then."""

    id = fields.String(allow_none=True)
    name = fields.String()
    kind = fields.String()


class Mention(Output):
    """A member whom the message names, as they were known then."""

    id = fields.UUID()
    name = fields.String()


class RevisionOut(Output):
    """What a message said until `created_at`."""

    id = fields.UUID()
    message_id = fields.UUID()
    content = fields.String()
    content_html = fields.String()
    mentions = fields.List(fields.Nested(Mention))
    created_at = Moment()


class MessageOut(Output):
    """A message; one that was deleted keeps its place, sender and times, and its `content` is null.

    `content_html` is the content as HTML that a page may show as it is.
    """

    id = fields.UUID()
    conversation_id = fields.UUID()
    sender_id = fields.String(allow_none=True)
    sender = fields.Nested(Sender)
    content = fields.String(allow_none=True)
    content_html = fields.String(allow_none=True)
    is_internal = fields.Boolean()
    attachments = fields.List(fields.Nested(Attachment))
    mentions = fields.List(fields.Nested(Mention))
    created_at = Moment()
    updated_at = Moment()
    edited_at = Moment(allow_none=True)
    deleted_at = Moment(allow_none=True)

    @pre_dump
    def gather(self, row: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        sender = {key: row[f"sender_{key}"] for key in ("id", "name", "kind")}
        return {**row, "sender": sender}


class ConversationWritten(Output):
    """The conversation in which a message was written."""

    id = fields.UUID()
    project_id = fields.UUID()
    subject = fields.String()


class FoundMessageOut(MessageOut):
    """A message that was found in one of an engagement's conversations."""

    conversation = fields.Nested(ConversationWritten)


class ConversationOut(Output):
    """A conversation; retrieved, it carries its latest 100 `messages`, oldest first.

    `unread_count` counts the messages of others that the caller has not read.
    """

    id = fields.UUID()
    project_id = fields.UUID()
    project = Related(ProjectBrief, whole=ProjectOut)
    subject = fields.String()
    status = StateLabel(CONVERSATION)
    status_id = StateNumber(CONVERSATION)
    message_count = fields.Integer()
    unread_count = fields.Integer()
    last_message_at = Moment(allow_none=True)
    last_activity_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
    messages = fields.List(fields.Nested(MessageOut))
