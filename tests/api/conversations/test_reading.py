"""How far each reader has read, and what is left (rulings.md, *Reading*)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from models.db.base import uuid7
from tests.support.talk import Talk
from tests.support.tenants import Api, Tenant
from webapp.services.common.exceptions import Invalid
from webapp.services.common.reads import PageRequest
from webapp.services.conversations.messages import post_message
from webapp.services.conversations.queries import CONVERSATIONS, ENGAGEMENT_MESSAGES, MESSAGES
from webapp.services.conversations.reading import mark_read


@pytest.fixture
def talk(api: Api, tenant: Tenant) -> Talk:
    return Talk.begin(api, tenant)


def unread(api: Api, talk: Talk) -> int:
    """The count of the conversation, the same wherever it is told."""
    one = api.get(talk.path).json["unread_count"]
    [listed] = api.get(f"/api/projects/{talk.project_id}/conversations").json["data"]
    [gathered] = api.get(f"/api/engagements/{talk.engagement_id}").json["conversations"]
    assert one == listed["unread_count"] == gathered["unread_count"]
    return int(one)


def test_what_others_wrote_counts_until_it_is_read(api: Api, talk: Talk) -> None:
    colleague = talk.colleague()
    talk.post("one", by=colleague)
    talk.post("two", by=colleague, is_internal=True)
    assert unread(api, talk) == 2
    assert unread(colleague, talk) == 0
    marked = api.made(f"{talk.path}/read")
    assert (marked["conversation_id"], marked["unread_count"]) == (talk.id, 0)
    assert unread(api, talk) == 0
    talk.post("three", by=colleague)
    assert unread(api, talk) == 1


def test_a_reader_reads_up_to_a_message_and_never_back(api: Api, talk: Talk) -> None:
    colleague = talk.colleague()
    first, second, third = (talk.post(word, by=colleague) for word in ("one", "two", "three"))
    marked = api.made(f"{talk.path}/read", {"message_id": second["id"]})
    assert marked["unread_count"] == 1
    assert marked["last_read_at"] == second["created_at"]
    again = api.made(f"{talk.path}/read", {"message_id": first["id"]})
    assert again == marked
    assert api.made(f"{talk.path}/read", {"message_id": third["id"]})["unread_count"] == 0
    assert talk.tenant.count("read_markers") == 1


def test_ones_own_messages_never_count(api: Api, talk: Talk) -> None:
    talk.post("mine")
    assert unread(api, talk) == 0
    assert unread(talk.colleague(), talk) == 1


def test_a_deleted_message_no_longer_waits_to_be_read(api: Api, talk: Talk) -> None:
    message = talk.post("x", by=talk.colleague())
    assert unread(api, talk) == 1
    assert api.delete(f"{talk.path}/messages/{message['id']}").status == 204
    assert unread(api, talk) == 0
    assert api.made(f"{talk.path}/read")["unread_count"] == 0


def test_a_conversation_without_messages_can_be_read(api: Api, talk: Talk) -> None:
    marked = api.made(f"{talk.path}/read")
    assert (marked["last_read_at"], marked["unread_count"]) == (None, 0)
    assert talk.tenant.count("read_markers") == 0


def test_a_viewer_may_say_that_they_have_read(talk: Talk) -> None:
    talk.post("x")
    viewer = talk.colleague("viewer")
    assert unread(viewer, talk) == 1
    assert viewer.made(f"{talk.path}/read")["unread_count"] == 0


def test_a_message_of_another_conversation_is_refused_by_name(api: Api, talk: Talk) -> None:
    other = Talk.begin(api, talk.tenant)
    for message_id in (other.post()["id"], str(uuid4())):
        refused = api.post(f"{talk.path}/read", {"message_id": message_id})
        assert refused.status == 422
        assert list(refused.json["errors"]) == ["message_id"]


def test_lists_are_filtered_by_what_is_unread(api: Api, talk: Talk) -> None:
    conversations = f"/api/projects/{talk.project_id}/conversations"
    api.made(conversations, {"subject": "Quiet"})
    talk.post("x", by=talk.colleague())

    def subjects(unread: str) -> list[str]:
        answer = api.get(f"{conversations}?unread={unread}&include=total")
        assert answer.json["meta"]["total"] == len(answer.json["data"])
        return [row["subject"] for row in answer.json["data"]]

    assert (subjects("true"), subjects("false")) == (["Kickoff"], ["Quiet"])
    api.made(f"{talk.path}/read")
    assert subjects("true") == []


def test_a_client_meets_no_internal_message(talk: Talk) -> None:
    hidden = talk.post("secret plan", is_internal=True)
    shown = talk.post("plan")
    project_id, conversation_id = UUID(talk.project_id), UUID(talk.id)
    contact_id = uuid7()

    def look() -> dict[str, object]:
        row = CONVERSATIONS.get(conversation_id, project_id=project_id)
        path = {"project_id": project_id, "conversation_id": conversation_id}
        found = ENGAGEMENT_MESSAGES.page(
            PageRequest(filters={"q": "plan"}), engagement_id=UUID(talk.engagement_id)
        )
        return {
            "counts": (row["message_count"], row["unread_count"]),
            "messages": [message["id"] for message in row["messages"]],
            "list": [str(row["id"]) for row in MESSAGES.page(PageRequest(), **path).rows],
            "found": [str(row["id"]) for row in found.rows],
        }

    seen = talk.as_client(look, contact_id)
    ids = [shown["id"]]
    assert seen == {"counts": (1, 1), "messages": ids, "list": ids, "found": ids}
    with pytest.raises(Invalid):
        talk.as_client(
            lambda: mark_read({"message_id": UUID(hidden["id"])}, project_id, conversation_id)
        )
    marked = talk.as_client(lambda: mark_read({}, project_id, conversation_id), contact_id)
    assert marked["unread_count"] == 0
    assert marked["last_read_at"].isoformat()[:19] == shown["created_at"][:19]
    talk.post("another secret", is_internal=True)
    assert talk.as_client(look, contact_id)["counts"] == (1, 0)


def test_each_contact_reads_for_themselves(api: Api, talk: Talk) -> None:
    project_id, conversation_id = UUID(talk.project_id), UUID(talk.id)
    robin = uuid7()
    talk.as_client(lambda: post_message({"content": "Hi"}, project_id, conversation_id), robin)

    def count() -> int:
        return int(CONVERSATIONS.get(conversation_id, project_id=project_id)["unread_count"])

    assert talk.as_client(count, robin) == 0
    assert talk.as_client(count) == 1
    assert unread(api, talk) == 1
