"""Members who are named in a message are told by mail (rulings.md, *Mentions*)."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTP
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from models.db.base import db
from models.db.tenancy import Principal, TenantContext
from models.identity import Membership
from tests.support.talk import Talk
from tests.support.tenants import Api, Tenant
from webapp.core.transaction import in_transaction
from webapp.services.common.writes import now
from webapp.services.conversations.messages import post_message


@pytest.fixture
def talk(api: Api, tenant: Tenant) -> Talk:
    return Talk.begin(api, tenant)


def mails(talk: Talk, message: dict[str, Any]) -> dict[str, Any]:
    """The mails about the message, by recipient."""
    talk.tenant.run_jobs()
    folder = talk.tenant.app.config["SETTINGS"].var_dir / "mail"
    found = {}
    for file in folder.glob(f"mention.{message['id']}*.eml"):
        mail = message_from_bytes(file.read_bytes(), policy=SMTP)
        recipient = mail["To"].addresses[0].addr_spec
        assert recipient not in found
        found[recipient] = mail
    return found


def text_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def test_who_is_mentioned_is_told_once(api: Api, talk: Talk) -> None:
    (ana, to_ana), (ben, to_ben) = talk.member("Ana"), talk.member("Ben")
    message = talk.post("Look at <this>", mentions=[ana, ben, ana])
    names = [{"id": ana, "name": "Ana"}, {"id": ben, "name": "Ben"}]
    assert message["mentions"] == names
    assert api.get(talk.path).json["messages"][0]["mentions"] == names
    told = mails(talk, message)
    assert set(told) == {to_ana, to_ben}
    assert told[to_ana]["Subject"] == f"{message['sender']['name']} mentioned you: Kickoff"
    assert "Look at <this>" in text_of(told[to_ana])
    assert "Look at &lt;this&gt;" in told[to_ana].get_body(("html",)).get_content()
    assert "team only" not in text_of(told[to_ana])


def test_the_mail_of_an_internal_message_says_so(talk: Talk) -> None:
    ana, to_ana = talk.member("Ana")
    message = talk.post("x", mentions=[ana], is_internal=True)
    assert "your team only" in text_of(mails(talk, message)[to_ana])


def test_who_is_no_member_cannot_be_mentioned(api: Api, talk: Talk) -> None:
    ana, _ = talk.member("Ana")
    stranger = str(uuid4())
    refused = api.post(f"{talk.path}/messages", {"content": "x", "mentions": [ana, stranger]})
    assert refused.status == 422
    [said] = refused.json["errors"]["mentions"]
    assert stranger in said and ana not in said
    assert talk.tenant.count("messages") == 0


def test_a_member_of_another_organization_cannot_be_mentioned(api: Api, talk: Talk) -> None:
    other = Tenant.create(talk.tenant.app)
    foreign = Talk(api, other, "", "", "").member("Eve")[0]
    refused = api.post(f"{talk.path}/messages", {"content": "x", "mentions": [foreign]})
    assert (refused.status, list(refused.json["errors"])) == (422, ["mentions"])


def test_an_edit_tells_only_who_was_not_told(api: Api, talk: Talk) -> None:
    (ana, to_ana), (ben, to_ben) = talk.member("Ana"), talk.member("Ben")
    message = talk.post("x", mentions=[ana])
    path = f"{talk.path}/messages/{message['id']}"
    assert set(mails(talk, message)) == {to_ana}
    for mentions in ([ben], [], [ana, ben]):
        edited = api.put(path, {"mentions": mentions})
        assert edited.status == 200, edited.text
    assert set(mails(talk, message)) == {to_ana, to_ben}
    assert talk.tenant.count("jobs", "kind = 'conversations.mail_mention'") == 2
    kept = api.get(f"{path}/revisions?sort=created_at").json["data"]
    assert [[each["name"] for each in row["mentions"]] for row in kept] == [["Ana"], ["Ben"], []]


def test_nobody_is_told_of_what_is_deleted_or_names_them_no_longer(api: Api, talk: Talk) -> None:
    ana, _ = talk.member("Ana")
    deleted, edited = talk.post("x", mentions=[ana]), talk.post("y", mentions=[ana])
    assert api.delete(f"{talk.path}/messages/{deleted['id']}").status == 204
    assert api.put(f"{talk.path}/messages/{edited['id']}", {"mentions": []}).status == 200
    assert mails(talk, deleted) == mails(talk, edited) == {}


@pytest.mark.parametrize("column", ["deleted_at", "disabled_at"])
def test_who_left_the_organization_is_not_told(talk: Talk, column: str) -> None:
    ana, _ = talk.member("Ana")
    message = talk.post("x", mentions=[ana], is_internal=True)

    def leave() -> None:
        left = update(Membership).where(Membership.user_id == UUID(ana))
        db.session.execute(left.values({column: now()}))

    talk.tenant.run(leave)
    assert mails(talk, message) == {}


def test_nobody_is_told_what_they_wrote_themselves(talk: Talk) -> None:
    ana, _ = talk.member("Ana")
    principal = Principal(
        organization_id=talk.tenant.id, kind="session", subject_id=UUID(ana), label="Ana"
    )
    with talk.tenant.app.app_context():
        message = in_transaction(
            TenantContext(principal=principal),
            lambda: post_message(
                {"content": "x", "mentions": [UUID(ana)]}, UUID(talk.project_id), UUID(talk.id)
            ),
        )
    assert message["mentions"] == [{"id": ana, "name": "Ana"}]
    assert mails(talk, message) == {}
