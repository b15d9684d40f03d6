"""Messages of a conversation (S 7d, S 7f)."""

from __future__ import annotations

from marshmallow import fields

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.conversations import MessageCreate, MessageOut
from webapp.services.conversations import messages as services
from webapp.services.conversations.queries import CONVERSATIONS, MESSAGES

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
    filters={"is_internal": fields.Boolean()},
)
messages.list(
    "List a conversation's messages",
    prepare=lambda project_id, conversation_id: CONVERSATIONS.get(
        conversation_id, project_id=project_id
    ),
)
messages.create("Post a message", MessageCreate, services.post_message)
messages.delete("Delete a message", services.delete_message)
