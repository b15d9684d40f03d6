"""Messages of a conversation (S 7d, S 7f)."""

from __future__ import annotations

from marshmallow import fields, validate

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import PlainText
from webapp.schemas.conversations import (
    FoundMessageOut,
    MessageChange,
    MessageCreate,
    MessageOut,
    RevisionOut,
)
from webapp.services.common.exceptions import Conflict
from webapp.services.conversations import messages as services
from webapp.services.conversations.queries import (
    CONVERSATIONS,
    ENGAGEMENT_MESSAGES,
    MESSAGES,
    REVISIONS,
)
from webapp.services.engagements.queries import ENGAGEMENTS

MAX_QUERY = 200


def _words(*, required: bool = False) -> PlainText:
    return PlainText(
        required=required,
        validate=validate.Length(1, MAX_QUERY),
        metadata={"description": "Words that the message has, all of them, in any letter case."},
    )


blueprint = ApiBlueprint(
    "messages",
    "/api/projects/<uuid:project_id>/conversations/<uuid:conversation_id>/messages",
    description="The messages of a conversation.",
)

messages = Resource(
    blueprint,
    "message",
    records=MESSAGES,
    out=MessageOut,
    filters={"is_internal": fields.Boolean(), "q": _words()},
)
messages.list(
    "List a conversation's messages",
    prepare=lambda project_id, conversation_id: CONVERSATIONS.get(
        conversation_id, project_id=project_id
    ),
)
messages.create("Post a message", MessageCreate, services.post_message)
messages.retrieve("Retrieve a message")
messages.update("Edit a message", MessageChange, services.edit_message, errors=(Conflict,))
messages.delete("Delete a message", services.delete_message)

revision_blueprint = ApiBlueprint(
    "message_revisions",
    f"{blueprint.url_prefix}/<uuid:message_id>/revisions",
    description="What a message said before it was edited.",
)
revisions = Resource(revision_blueprint, "message_revision", records=REVISIONS, out=RevisionOut)
revisions.list(
    "List what a message said before",
    prepare=lambda **path: MESSAGES.get(path.pop("message_id"), **path),
)

engagement_blueprint = ApiBlueprint(
    "engagement_messages",
    "/api/engagements/<uuid:engagement_id>/messages",
    description="What was written about an engagement.",
)
found = Resource(
    engagement_blueprint,
    "engagement_message",
    records=ENGAGEMENT_MESSAGES,
    out=FoundMessageOut,
    filters={"q": _words(required=True)},
)
found.list(
    "Find the messages of an engagement that have these words",
    prepare=lambda engagement_id: ENGAGEMENTS.get(engagement_id),
)
