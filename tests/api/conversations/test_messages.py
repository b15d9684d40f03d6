"""Messages and what the client may know of them (rulings.md, *Internal messages*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from models.conversations import Message
from models.db.base import db
from tests.support.tenants import Api, Tenant


@pytest.fixture
def conversation(api: Api) -> str:
    """The path of a conversation."""
    engagement = api.made("/api/engagements", {"name": "x"})
    project = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    path = f"/api/projects/{project['id']}/conversations"
    return f"{path}/{api.made(path, {'subject': 'x'})['id']}"


def post(api: Api, path: str, **body: Any) -> Any:
    return api.made(f"{path}/messages", {"content": "Hello", **body})


def times(tenant: Tenant) -> tuple[str | None, str | None]:
    """The conversation's time of the last visible message, and that of the last of all."""
    tenant.run_jobs("conversations.touch")
    [row] = tenant.rows(
        "SELECT last_message_at, last_activity_at FROM conversations"
        " WHERE organization_id = %(organization_id)s"
    )
    return row["last_message_at"], row["last_activity_at"]


def test_an_internal_message_does_not_show_in_the_time_of_the_last_message(
    api: Api, tenant: Tenant, conversation: str
) -> None:
    post(api, conversation, is_internal=True)
    visible, latest = times(tenant)
    assert visible is None
    assert latest is not None
    post(api, conversation)
    visible, after = times(tenant)
    assert visible == after != latest
    post(api, conversation, is_internal=True)
    assert times(tenant)[0] == visible
    assert api.get(conversation).json["last_message_at"] is not None


def test_a_deleted_message_no_longer_counts(api: Api, tenant: Tenant, conversation: str) -> None:
    first = post(api, conversation)
    before = times(tenant)
    second = post(api, conversation)
    assert times(tenant) != before
    assert api.delete(f"{conversation}/messages/{second['id']}").status == 204
    assert times(tenant) == before
    assert api.get(conversation).json["message_count"] == 1
    assert api.delete(f"{conversation}/messages/{first['id']}").status == 204
    assert times(tenant) == (None, None)


def test_a_closed_conversation_takes_no_message_until_it_is_opened(
    api: Api, tenant: Tenant, conversation: str
) -> None:
    assert api.delete(conversation).status == 204
    refused = api.post(f"{conversation}/messages", {"content": "Too late"})
    assert refused.status == 409
    assert tenant.count("messages") == 0
    assert api.put(conversation, {"status": "Open"}).status == 200
    post(api, conversation)


@pytest.mark.parametrize("internal", [True, False])
def test_the_database_refuses_to_make_a_message_internal_or_visible_afterwards(
    api: Api, tenant: Tenant, conversation: str, internal: bool
) -> None:
    posted = post(api, conversation, is_internal=internal)

    def turn() -> None:
        message = db.session.scalars(select(Message).where(Message.id == UUID(posted["id"]))).one()
        message.is_internal = not internal

    with pytest.raises(IntegrityError, match="settled when it is posted"):
        tenant.run(turn)
    [kept] = api.get(f"{conversation}/messages").json["data"]
    assert kept["is_internal"] is internal
