"""Messages are found by their words (rulings.md, *Finding messages*)."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from models.db.queries import execute
from tests.support.talk import Talk
from tests.support.tenants import Api, Tenant
from webapp.services.common.reads import PageShape, RecordQuery, page_query
from webapp.services.conversations.queries import ENGAGEMENT_MESSAGES, MESSAGES


@pytest.fixture
def talk(api: Api, tenant: Tenant) -> Talk:
    return Talk.begin(api, tenant)


def found(talk: Talk, q: str, more: str = "") -> list[str]:
    """What is found in the engagement, the newest first; in its one conversation it is the same."""
    path = f"/api/engagements/{talk.engagement_id}/messages?q={quote(q)}{more}"
    answer = talk.api.get(path)
    assert answer.status == 200, answer.text
    contents = [row["content"] for row in answer.json["data"]]
    own = talk.api.get(f"{talk.path}/messages?q={quote(q)}{more}")
    assert [row["content"] for row in own.json["data"]] == contents
    return contents


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("Invoice", ["The invoice for May", "An INVOICE."]),
        ("may invoice", ["The invoice for May"]),
        ("café", ["Au Café"]),
        ("invo", []),
        ("invoice nothing", []),
        ("!!", []),
        ("' OR 1=1 -- \\ & | ! :*", []),
    ],
)
def test_a_message_is_found_by_all_its_words(talk: Talk, q: str, expected: list[str]) -> None:
    for text in ("An INVOICE.", "The invoice for May", "Au Café"):
        talk.post(text)
    assert found(talk, q) == expected


def test_what_is_found_names_its_conversation(api: Api, talk: Talk) -> None:
    other = api.made(f"/api/projects/{talk.project_id}/conversations", {"subject": "Design"})
    api.made(
        f"/api/projects/{talk.project_id}/conversations/{other['id']}/messages",
        {"content": "The *draft*"},
    )
    talk.post("No draft here")
    Talk.begin(api, talk.tenant).post("Another draft")
    path = f"/api/engagements/{talk.engagement_id}/messages?q=draft&include=total"
    answer = api.get(path).json
    assert answer["meta"]["total"] == 2
    first, second = answer["data"]
    assert first["conversation"]["subject"] == "Kickoff"
    assert second["conversation"] == {
        "id": other["id"], "project_id": talk.project_id, "subject": "Design",
    }  # fmt: skip
    assert second["content_html"] == "<p>The <em>draft</em></p>\n"


def test_pages_of_what_is_found_follow_each_other(api: Api, talk: Talk) -> None:
    for n in range(5):
        talk.post(f"draft {n}")
        talk.post(f"other {n}")
    path = f"/api/engagements/{talk.engagement_id}/messages?q=draft&limit=2"
    seen = []
    while path is not None:
        answer = api.get(path).json
        seen += [row["content"] for row in answer["data"]]
        path = answer["links"]["next"]
    assert seen == [f"draft {n}" for n in (4, 3, 2, 1, 0)]


def test_a_deleted_message_is_not_found(api: Api, talk: Talk) -> None:
    message = talk.post("draft")
    assert found(talk, "draft") == ["draft"]
    assert api.delete(f"{talk.path}/messages/{message['id']}").status == 204
    assert found(talk, "draft") == []


def test_an_edited_message_is_found_by_what_it_says_now(api: Api, talk: Talk) -> None:
    message = talk.post("draft one")
    assert api.put(f"{talk.path}/messages/{message['id']}", {"content": "final one"}).status == 200
    assert found(talk, "draft") == []
    assert found(talk, "final one") == ["final one"]


def test_the_words_of_another_organization_are_not_found(talk: Talk, app: Any) -> None:
    talk.post("canary")
    other = Tenant.create(app)
    stranger = Api(app=app, api_key=other.api_key)
    assert stranger.get(f"/api/engagements/{talk.engagement_id}/messages?q=canary").status == 404
    own = Talk.begin(stranger, other)
    assert found(own, "canary") == []


def test_words_must_be_given(api: Api, talk: Talk) -> None:
    for query in ("", "?q=", f"?q={'x' * 201}"):
        refused = api.get(f"/api/engagements/{talk.engagement_id}/messages{query}")
        assert (refused.status, list(refused.json["errors"])) == (422, ["q"])


def test_of_a_long_message_the_first_thousand_words_count(talk: Talk) -> None:
    talk.post(" ".join(f"w{n}" for n in range(1_200)) + " " + "x" * 3_000)
    assert talk.tenant.count("message_words") == 1_000
    assert len(found(talk, "w0 w999")) == 1
    assert found(talk, "w1000") == []


FILTERED: list[tuple[RecordQuery, tuple[str, ...]]] = [
    (ENGAGEMENT_MESSAGES, ("engagement_id",)),
    (MESSAGES, ("conversation_id", "project_id")),
]


@pytest.mark.parametrize(("records", "within"), FILTERED)
@pytest.mark.parametrize("with_cursor", [False, True])
def test_words_are_looked_up_in_their_index(
    talk: Talk, records: RecordQuery, within: tuple[str, ...], with_cursor: bool
) -> None:
    """As the application's role, under row-level security, among thousands of messages."""
    tenant, secret = talk.tenant, secrets.token_hex(4)
    talks = [talk] + [Talk.begin(talk.api, tenant) for _ in range(19)]
    for each in talks:
        tenant.execute(
            "INSERT INTO messages (organization_id, id, conversation_id, sender_kind, sender_name,"
            f" content, created_at) SELECT '{tenant.id}', gen_random_uuid(), '{each.id}', 'system',"
            " 'x', concat_ws(' ', 'common', md5(n::text), md5((n % 100)::text),"
            f" CASE WHEN n % 100 = 0 THEN '{secret}' END), now() - n * interval '1 minute'"
            " FROM generate_series(1, 600) n"
        )
    tenant.execute("ANALYZE message_words")
    tenant.execute("ANALYZE messages")
    query = page_query(records, PageShape(("q",), "created_at", True, with_cursor, False))
    values = {
        "engagement_id": UUID(talk.engagement_id),
        "project_id": UUID(talk.project_id),
        "conversation_id": UUID(talk.id),
    }
    asked = {name: values[name] for name in within} | {"q": f"common {secret}", "page_limit": 21}
    if with_cursor:
        [row] = tenant.rows("SELECT now() AS now")
        asked |= {"after_value": row["now"], "after_id": UUID(int=1)}

    def look() -> list[dict[str, Any]]:
        by_whom = {"caller_kind": "api_key", "caller_id": "x"}
        [row] = execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {query.plain}", {**query.defaults, **asked, **by_whom}
        )
        waiting, nodes = [row["QUERY PLAN"][0]["Plan"]], []
        while waiting:
            nodes.append(waiting.pop())
            waiting += nodes[-1].get("Plans", [])
        return nodes

    nodes = tenant.run(look)
    [scan] = [node for node in nodes if "message_words" in str(node.get("Index Name"))]
    assert scan["Index Name"] == "ix_message_words_conversation_id_word_message_id"
    assert "word" in scan["Index Cond"] and "conversation_id" in scan["Index Cond"]
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"
                and node["Relation Name"] in ("messages", "message_words")]  # fmt: skip
    assert nodes[0]["Actual Rows"] == 6
