"""Conversations about a project (S 7d, S 7f)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields
from webargs.fields import DelimitedList

from models.states import CONVERSATION
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import StateIn
from webapp.schemas.conversations import (
    ConversationChange,
    ConversationCreate,
    ConversationOut,
    ReadMarkerOut,
    ReadUpTo,
)
from webapp.services.common.exceptions import InvalidTransition, NotFound
from webapp.services.conversations import commands
from webapp.services.conversations.queries import CONVERSATIONS
from webapp.services.conversations.reading import mark_read
from webapp.services.projects.queries import PROJECTS

blueprint = ApiBlueprint(
    "conversations",
    "/api/projects/<uuid:project_id>/conversations",
    description="What is said about a project.",
)

conversations = Resource(
    blueprint,
    "conversation",
    records=CONVERSATIONS,
    out=ConversationOut,
    filters={
        "status": DelimitedList(StateIn(CONVERSATION)),
        "unread": fields.Boolean(truthy={"true"}, falsy={"false"}),
    },
)
conversations.list(
    "List a project's conversations", prepare=lambda project_id: PROJECTS.get(project_id)
)
conversations.create("Open a conversation", ConversationCreate, commands.create_conversation)
conversations.retrieve("Retrieve a conversation with its latest messages")
conversations.update(
    "Update a conversation",
    ConversationChange,
    commands.update_conversation,
    errors=(InvalidTransition,),
)
conversations.delete(
    "Close a conversation", commands.close_conversation, errors=(InvalidTransition,)
)


# Whoever may read a conversation may say that they have.
@blueprint.operation(
    "POST",
    "/<uuid:conversation_id>/read",
    permission="conversations:read",
    body=ReadUpTo,
    body_required=False,
    out=ReadMarkerOut,
    errors=(NotFound,),
)
def read_conversation(
    body: Mapping[str, Any], project_id: UUID, conversation_id: UUID
) -> Mapping[str, Any]:
    """Mark a conversation as read"""
    return mark_read(body, project_id, conversation_id)
