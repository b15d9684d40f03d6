"""Proof that the oracle of the chaos would see a loss, a double and a crossing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.clients import Journal, TurnedAway
from tests.chaos.refusals import unexplained
from tests.chaos.smtp import mail_of
from tests.chaos.verdict import Operation, compare, operations
from tests.conftest import Live
from tests.support.oracle import crossings, mail_violations, mails, violations
from tests.support.tenants import Tenant, eventually

pytestmark = pytest.mark.drill


def told(kind: str, subject: Any, *, acknowledged: bool = True) -> Operation:
    return Operation(kind, str(subject), time=0.0, acknowledged=acknowledged, tries=1)


def a_conversation(live: Live) -> str:
    """The path of the messages of a conversation that a signature made."""
    proposal = live.send_proposal()
    path = f"/api/proposals/{proposal['id']}"
    eventually(lambda: live.api.get(path).json["delivery"]["state"], until="delivered")
    assert live.api.sign(proposal, client=live.client, Prefer="wait=20").status == 200
    signed = live.api.get(f"/api/proposals/{proposal['id']}").json
    engagement = live.api.get(f"/api/engagements/{signed['converted_engagement_id']}").json
    [conversation, *_] = engagement["conversations"]
    return f"/api/projects/{conversation['project_id']}/conversations/{conversation['id']}/messages"


def test_the_verdict_sees_what_was_lost_and_what_was_doubled(live: Live) -> None:
    path = a_conversation(live)
    for content in ("kept", "twice", "twice"):
        live.api.made(path, {"content": content})
    said = [told("message", "kept"), told("message", "twice"), told("message", "gone")]
    unsure = [told("message", "never answered", acknowledged=False)]
    lost, doubled = compare(live.tenant, [*said, *unsure, told("sign", live.tenant.id)])
    assert {miss.text.split(":")[0] for miss in lost} == {
        "message gone",
        f"sign {live.tenant.id}",
    }
    assert [miss.text.split(":")[0] for miss in doubled] == ["message twice"]


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        ("DELETE FROM activity_events WHERE type = 'signed'", "asked for and not written"),
        ("DELETE FROM invoices", "without 1 first invoice"),
        ("UPDATE conversations SET last_message_at = now()", "not the maximum"),
        ("UPDATE projects SET status = 'on_hold'", "do not lead to its status"),
        ("UPDATE projects SET phase = 'build'", "do not lead to its phase"),
        ("DELETE FROM signed_documents", "without 1 signed document"),
        (
            "UPDATE jobs SET state = 'dead', finished_at = now() WHERE kind = 'sales.mail_signed'",
            "not terminal, or dead",
        ),
    ],
)
def test_the_oracle_sees_harm_done_behind_its_back(live: Live, harm: str, rule: str) -> None:
    a_conversation(live)
    eventually(lambda: violations(live.tenant), until=[])
    owner_executes(live.tenant, harm)
    assert any(rule in found for found in violations(live.tenant))


def test_the_oracle_sees_another_tenants_words(live: Live, other_tenant: Tenant) -> None:
    live.send_proposal(name="strangeword")
    assert crossings(other_tenant, "strangeword") == []
    assert any("proposals" in found for found in crossings(live.tenant, "strangeword"))


def mails_that_went_out(live: Live) -> set[tuple[str, str]]:
    """All that the tenant's jobs have asked for, read from the mails themselves."""
    eventually(lambda: all(mails(live.tenant).values()))
    recipients = {recipient for _, recipient in mails(live.tenant)}
    folder = live.stack.var / "mail"
    return {
        mail
        for path in folder.glob("*.eml")
        if (mail := mail_of(path.read_bytes()))[1] in recipients
    }


def test_the_oracle_sees_a_mail_that_was_lost(live: Live) -> None:
    a_conversation(live)
    sent = mails_that_went_out(live)
    assert {key.split(".")[0] for key, _ in sent} == {"signing_link", "signed_client"}
    assert mail_violations([live.tenant], sent) == ([], [])
    for mail in sent:
        lost, strange = mail_violations([live.tenant], sent - {mail})
        assert lost == [f"the mail {mail[0]} to {mail[1]} was not received"]
        assert strange == []


def test_the_oracle_sees_a_mail_that_went_to_somebody_else(live: Live) -> None:
    a_conversation(live)
    sent = mails_that_went_out(live)
    [(key, recipient), *others] = sorted(sent)
    lost, strange = mail_violations([live.tenant], {*others, (key, "other@example.com")})
    assert lost == [f"the mail {key} to {recipient} was not received"]
    assert strange == [f"nobody asked for the mail {key} to other@example.com"]


def test_the_oracle_sees_a_mail_that_nobody_asked_for(live: Live, other_tenant: Tenant) -> None:
    a_conversation(live)
    sent = mails_that_went_out(live)
    assert len(mail_violations([other_tenant], sent)[1]) == len(sent) == 2


def test_a_mail_whose_job_is_not_done_is_not_missed(live: Live) -> None:
    a_conversation(live)
    mails_that_went_out(live)
    owner_executes(
        live.tenant,
        "UPDATE jobs SET state = 'ready', finished_at = NULL, run_at = now() + interval '1 day'"
        " WHERE kind = 'sales.mail_signed'",
    )
    lost, _ = mail_violations([live.tenant], set())
    assert [text.split(".")[0] for text in lost] == ["the mail signing_link"]


def test_a_link_that_was_not_mailed_to_whoever_had_signed_before_is_not_missed(
    live: Live,
) -> None:
    a_conversation(live)
    sent = mails_that_went_out(live)
    owner_executes(live.tenant, "UPDATE signing_links SET delivered_at = NULL")
    others = {mail for mail in sent if not mail[0].startswith("signing_link")}
    assert mail_violations([live.tenant], others) == ([], [])


def test_a_mail_with_a_link_that_was_revoked_is_not_missed(live: Live) -> None:
    a_conversation(live)
    sent = mails_that_went_out(live)
    owner_executes(live.tenant, "UPDATE signing_links SET revoked_at = now()")
    lost, _ = mail_violations([live.tenant], set())
    assert [text.split(".")[0] for text in lost] == ["the mail signed_client"]
    assert mail_violations([live.tenant], sent) == ([], [])


def test_a_refused_signature_needs_a_fault_that_explains_it() -> None:
    refused = TurnedAway(sent=100.0, answered=101.0, status=503, text="busy")
    for broken in ([(90.0, 100.5)], [(100.5, 200.0)], [(80.0, 98.0)], [(0.0, 9.0), (99.0, 102.0)]):
        assert unexplained([refused], broken) == []
    for well in ([], [(101.5, 200.0)], [(50.0, 96.9)]):
        assert unexplained([refused], well) == [refused]


def test_a_journal_tells_one_operation_however_often_it_was_tried(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    journal = Journal(path)
    for status in (503, 201):
        journal.write(phase="intent", op="key", kind="message", subject="hello")
        journal.write(
            phase="outcome", op="key", kind="message", subject="hello",
            acknowledged=status == 201, status=status,
        )  # fmt: skip
    journal.write(phase="intent", op="other", kind="sign", subject="unanswered")
    journal.close()
    with path.open("a") as file:
        file.write('{"cut sho')  # the client was killed while it wrote
    [message, signing] = operations([path])
    assert (message.acknowledged, message.tries) == (True, 2)
    assert (signing.acknowledged, signing.tries) == (False, 1)


def owner_executes(tenant: Tenant, statement: str) -> None:
    """Run a statement on the tenant's own rows as the owner of the tables."""
    joint = "AND" if "WHERE" in statement else "WHERE"
    tenant.rows(f"{statement} {joint} organization_id = %(organization_id)s RETURNING id")
