"""Messages are edited for a while, and leave a mark when deleted (rulings.md, *Editing*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.support.talk import Talk
from tests.support.tenants import Api, Tenant
from webapp.services.common.exceptions import NotFound
from webapp.services.conversations.messages import edit_message, post_message


@pytest.fixture
def talk(api: Api, tenant: Tenant) -> Talk:
    return Talk.begin(api, tenant)


def path_of(talk: Talk, message: dict[str, Any]) -> str:
    return f"{talk.path}/messages/{message['id']}"


def made_older(talk: Talk, message: dict[str, Any], age: str) -> None:
    talk.tenant.execute(
        f"UPDATE messages SET created_at = created_at - interval '{age}'"
        f" WHERE organization_id = '{talk.tenant.id}' AND id = '{message['id']}'"
    )


def test_an_edit_keeps_what_the_message_said_before(api: Api, talk: Talk) -> None:
    message = talk.post("Hello *Ana*")
    assert message["content_html"] == "<p>Hello <em>Ana</em></p>\n"
    assert message["edited_at"] is None
    path = path_of(talk, message)
    for text in ("Hello Ben", "Hello Ben", "Hello Cleo"):
        edited = api.put(path, {"content": text})
        assert edited.status == 200, edited.text
    assert edited.json["content_html"] == "<p>Hello Cleo</p>\n"
    assert edited.json["edited_at"] is not None
    assert edited.json["created_at"] == message["created_at"]
    kept = api.get(f"{path}/revisions?sort=created_at").json["data"]
    assert [row["content"] for row in kept] == ["Hello *Ana*", "Hello Ben"]
    assert kept[0]["content_html"] == "<p>Hello <em>Ana</em></p>\n"
    assert api.get(path).json["content"] == "Hello Cleo"


def test_a_message_that_was_never_edited_has_no_revisions(api: Api, talk: Talk) -> None:
    path = path_of(talk, talk.post())
    assert api.get(f"{path}/revisions").json["data"] == []


def test_only_the_sender_edits_a_message(talk: Talk) -> None:
    path = path_of(talk, talk.post("mine"))
    for role in ("member", "owner"):
        assert talk.colleague(role).put(path, {"content": "yours"}).status == 403
    assert talk.api.get(path).json["content"] == "mine"


def test_after_fifteen_minutes_a_message_stays_as_it_is(api: Api, talk: Talk) -> None:
    message = talk.post("first")
    made_older(talk, message, "14 minutes 50 seconds")
    assert api.put(path_of(talk, message), {"content": "second"}).status == 200
    made_older(talk, message, "11 seconds")
    refused = api.put(path_of(talk, message), {"content": "third"})
    assert refused.status == 409
    assert "15 minutes" in refused.json["detail"]
    assert api.get(path_of(talk, message)).json["content"] == "second"


def test_a_message_cannot_be_edited_to_nothing(api: Api, talk: Talk) -> None:
    message = talk.post("x")
    refused = api.put(path_of(talk, message), {"content": " "})
    assert (refused.status, list(refused.json["errors"])) == (422, ["content"])
    file = {"name": "a.pdf", "url": "https://files.example.com/a.pdf", "size": 1}
    with_file = talk.post("x", attachments=[file])
    assert api.put(path_of(talk, with_file), {"content": ""}).status == 200


def test_an_edit_heeds_the_version_that_was_seen(api: Api, talk: Talk) -> None:
    message = talk.post("x")
    tag = api.get(path_of(talk, message)).headers["ETag"]
    assert api.put(path_of(talk, message), {"content": "y"}, If_Match=tag).status == 200
    assert api.put(path_of(talk, message), {"content": "z"}, If_Match=tag).status == 412


def test_revisions_can_neither_be_changed_nor_deleted(talk: Talk) -> None:
    rights = talk.tenant.rows(
        "SELECT privilege_type AS right FROM information_schema.role_table_grants"
        " WHERE table_name = 'message_revisions' AND grantee = 'sx_app'"
    )
    assert {row["right"] for row in rights} == {"SELECT", "INSERT"}


def test_an_edit_is_told_on_the_timeline_without_the_text(api: Api, talk: Talk) -> None:
    message = talk.post("canary one")
    assert api.put(path_of(talk, message), {"content": "canary two"}).status == 200
    talk.tenant.run_jobs("activity.record")
    timeline = api.get(f"/api/engagements/{talk.engagement_id}/timeline?entity_type=message")
    assert {event["type"] for event in timeline.json["data"]} == {"created", "updated"}
    assert "canary" not in timeline.text


def test_a_deleted_message_leaves_its_place(api: Api, talk: Talk) -> None:
    file = {"name": "a.pdf", "url": "https://files.example.com/a.pdf", "size": 1}
    message = talk.post("secret", attachments=[file])
    last = talk.post("last")
    assert api.put(path_of(talk, message), {"content": "still secret"}).status == 200
    assert api.delete(path_of(talk, message)).status == 204
    for row in (
        api.get(f"{talk.path}/messages?sort=created_at").json["data"][0],
        api.get(talk.path).json["messages"][0],
        api.get(path_of(talk, message)).json,
    ):
        assert row["id"] == message["id"]
        assert (row["content"], row["content_html"], row["attachments"]) == (None, None, [])
        assert row["deleted_at"] is not None
        assert row["sender"] == message["sender"]
        assert row["created_at"] == message["created_at"]
    assert api.get(f"{path_of(talk, message)}/revisions").json["data"] == []
    assert api.get(talk.path).json["message_count"] == 1
    talk.tenant.run_jobs("conversations.touch")
    assert api.get(talk.path).json["last_message_at"] == last["created_at"]
    assert api.put(path_of(talk, message), {"content": "again"}).status == 404
    assert api.delete(path_of(talk, message)).status == 404


def test_who_wrote_it_or_an_administrator_deletes_a_message(talk: Talk) -> None:
    ana, ben, admin = talk.colleague(), talk.colleague(), talk.colleague("admin")
    first, second = talk.post("one", by=ana), talk.post("two", by=ana)
    assert ben.delete(path_of(talk, first)).status == 403
    assert ana.delete(path_of(talk, first)).status == 204
    assert admin.delete(path_of(talk, second)).status == 204


def test_an_internal_message_is_no_message_for_a_client(talk: Talk) -> None:
    hidden = talk.post("x", is_internal=True)
    ids = (UUID(talk.project_id), UUID(talk.id))
    with pytest.raises(NotFound):
        talk.as_client(lambda: edit_message({"content": "y"}, *ids, UUID(hidden["id"])))


def test_a_client_edits_what_they_wrote(api: Api, talk: Talk) -> None:
    ids = (UUID(talk.project_id), UUID(talk.id))

    def write() -> str:
        row = post_message({"content": "Hi"}, *ids)
        edit_message({"content": "Hi all"}, *ids, row["id"])
        return str(row["id"])

    written = talk.as_client(write)
    assert api.get(f"{talk.path}/messages/{written}").json["content"] == "Hi all"
