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
    url,
)
from webapp.schemas.engagements import ProjectBrief
from webapp.schemas.projects import ProjectOut

CONTENT_LENGTH = 50_000
MAX_ATTACHMENTS = 50
MAX_SIZE = 2**53 - 1  # bytes; the largest whole number that every JSON reader keeps exact


class ConversationChange(Input):
    subject = name()
    status = StateIn(CONVERSATION)


class ConversationCreate(ConversationChange):
    subject = name(required=True)


class AttachmentIn(Input):
    """A file that lies elsewhere; `size` is in bytes."""

    name = name(required=True)
    url = url(required=True, allow_none=False)
    size = WholeNumber(required=True, validate=validate.Range(0, MAX_SIZE))


class MessageCreate(Input):
    """`is_internal` messages are for staff alone."""

    content = PlainText(required=True, validate=validate.Length(max=CONTENT_LENGTH))
    is_internal = flag()
    attachments = fields.List(
        fields.Nested(AttachmentIn), validate=validate.Length(max=MAX_ATTACHMENTS)
    )

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("content", "").strip() and not data.get("attachments"):
            raise ValidationError({"content": ["Write something or attach a file."]})


class Attachment(Output):
    name = fields.String()
    url = fields.String()
    size = fields.Integer()


class Sender(Output):
    """Who wrote it, as they were known then."""

    id = fields.String(allow_none=True)
    name = fields.String()
    kind = fields.String()


class MessageOut(Output):
    id = fields.UUID()
    conversation_id = fields.UUID()
    sender_id = fields.String(allow_none=True)
    sender = fields.Nested(Sender)
    content = fields.String()
    is_internal = fields.Boolean()
    attachments = fields.List(fields.Nested(Attachment))
    created_at = Moment()
    updated_at = Moment()

    @pre_dump
    def gather(self, row: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        sender = {key: row[f"sender_{key}"] for key in ("id", "name", "kind")}
        return {**row, "sender": sender}


class ConversationOut(Output):
    """A conversation; retrieved, it carries its latest 100 `messages`, oldest first."""

    id = fields.UUID()
    project_id = fields.UUID()
    project = Related(ProjectBrief, whole=ProjectOut)
    subject = fields.String()
    status = StateLabel(CONVERSATION)
    status_id = StateNumber(CONVERSATION)
    message_count = fields.Integer()
    last_message_at = Moment(allow_none=True)
    last_activity_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
    messages = fields.List(fields.Nested(MessageOut))
