"""When an engagement becomes another's, both owners are told, where they are members."""

from __future__ import annotations

import secrets
from email import message_from_bytes
from email.policy import SMTP

from tests.support.tenants import Api, Tenant
from webapp.services.identity.accounts import create_user


def member(tenant: Tenant, name: str) -> tuple[str, str]:
    """Id and address of a new member."""
    email = f"{name.lower()}.{secrets.token_hex(6)}@firm.example"
    user = tenant.run(lambda: create_user(email, name, secrets.token_hex(16), role="member"))
    return str(user.id), email


def mails(api: Api, engagement_id: str) -> dict[str, str]:
    """The text of each mail about the engagement's owner, by its recipient."""
    assert api.app is not None
    folder = api.app.config["SETTINGS"].var_dir / "mail"
    texts = {}
    for file in folder.glob(f"engagement_owner.{engagement_id}*.eml"):
        message = message_from_bytes(file.read_bytes(), policy=SMTP)
        body = message.get_body(("plain",))  # type: ignore[attr-defined]
        texts[message["To"].addresses[0].addr_spec] = body.get_content()
    return texts


def test_both_owners_are_told_that_an_engagement_became_anothers(api: Api, tenant: Tenant) -> None:
    (ana, to_ana), (ben, to_ben) = member(tenant, "Ana"), member(tenant, "Ben")
    made = api.made("/api/engagements", {"name": "Juniper", "owner_id": ana})
    path = f"/api/engagements/{made['id']}"
    tenant.run_jobs()
    assert mails(api, made["id"]) == {}
    assert api.put(path, {"owner_id": ben}).status == 200
    tenant.run_jobs()
    told = mails(api, made["id"])
    assert set(told) == {to_ana, to_ben}
    assert 'You are now the owner of "Juniper"' in told[to_ben]
    assert "its owner is Ben now" in told[to_ana]


def test_nobody_is_told_where_the_owner_stays_or_is_no_member(api: Api, tenant: Tenant) -> None:
    made = api.made("/api/engagements", {"name": "Juniper", "owner_id": "somebody"})
    path = f"/api/engagements/{made['id']}"
    assert api.put(path, {"owner_id": "somebody", "name": "Juniper 2"}).status == 200
    assert api.put(path, {"owner_id": "somebody else"}).status == 200
    tenant.run_jobs()
    assert mails(api, made["id"]) == {}
    assert tenant.count("jobs", "kind = 'engagements.mail_owner' AND state = 'done'") == 2
