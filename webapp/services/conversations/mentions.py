"""Members who are named in a message, and how they are told (rulings.md, *Mentions*)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.conversations import Conversation, Message
from models.db.base import db
from models.db.tenancy import current_organization_id, current_principal
from models.identity import Membership, Organization, User
from models.projects import Project
from webapp.services.common.exceptions import Invalid
from webapp.services.jobs.enqueue import enqueue

EXCERPT = 1_000  # characters of the message that its mail quotes


def named_members(ids: Sequence[UUID]) -> list[dict[str, str]]:
    """Id and name of the members, each once. Raises Invalid naming those who are none."""
    wanted = list(dict.fromkeys(ids))
    names = {row.id: row.name for row in _members(wanted)} if wanted else {}
    if unknown := [id_ for id_ in wanted if id_ not in names]:
        raise Invalid(
            {"mentions": [f"No member of your organization has the id {id_}." for id_ in unknown]}
        )
    return [{"id": str(id_), "name": names[id_]} for id_ in wanted]


def tell_mentioned(message_id: UUID, mentions: Iterable[Mapping[str, str]]) -> None:
    """Have the members told by mail, each once for a message; nobody is told what they wrote."""
    for mention in mentions:
        if mention["id"] != current_principal().actor["id"]:
            enqueue(
                "conversations.mail_mention",
                f"{message_id}:{mention['id']}",
                {"message_id": str(message_id), "user_id": mention["id"]},
            )


def mention_facts(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the mail to one who is mentioned tells.

    None when there is nothing to tell any more: the message is deleted or names them no longer, or
    they are no member of the organization any more, from whom internal messages are kept.
    """
    organization_id = current_organization_id()
    message = db.session.get(Message, (organization_id, UUID(payload["message_id"])))
    told = [row for row in _members([UUID(payload["user_id"])]) if row.disabled_at is None]
    if message is None or message.deleted_at is not None or not told:
        return None
    if payload["user_id"] not in {mention["id"] for mention in message.mentions}:
        return None
    key = (organization_id, message.conversation_id)
    conversation = db.session.get_one(Conversation, key)
    project = db.session.get_one(Project, (organization_id, conversation.project_id))
    cut = len(message.content) > EXCERPT
    return {
        "organization": {"name": db.session.get_one(Organization, organization_id).name},
        "to": (told[0].name, told[0].email),
        "sender": message.sender_name,
        "conversation": {"subject": conversation.subject},
        "project": {"name": project.name},
        "excerpt": message.content[:EXCERPT].rstrip() + ("…" if cut else ""),
        "is_internal": message.is_internal,
    }


def _members(ids: Sequence[UUID]) -> Sequence[Any]:
    return db.session.execute(
        select(User.id, User.name, User.email, Membership.disabled_at)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == current_organization_id(),
            Membership.user_id.in_(ids),
            Membership.deleted_at.is_(None),
        )
    ).all()
