"""Contracts that are sent to be signed by a link (rulings.md, *Contracts*)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from tests.support.pdf import pages, squeezed
from tests.support.retention import purge
from tests.support.tenants import Api, Tenant, a_signature
from webapp.services.sales.contract_sending import expire_contracts

PATH = "/api/contracts"


def drawn_up(api: Api, **changes: Any) -> dict[str, Any]:
    company = api.made("/api/companies", {"name": "Juniper Ltd"})
    email = f"robin.{uuid4().hex}@juniper.example"
    person = {"first_name": "Robin", "last_name": "Ray", "email": email}
    contact = api.made("/api/contacts", {**person, "client_company_id": company["id"]})
    body = {
        "name": "Care plan",
        "body": "We **care** for a year.",
        "client_company_id": company["id"],
        "contact_id": contact["id"],
        "currency": "EUR",
        "total_value": "1200.00",
        "billing": {"kind": "monthly", "periods": 12},
        "start_date": "2026-01-01",
        "end_date": "2026-12-31",
        **changes,
    }
    made: dict[str, Any] = api.made(PATH, body)
    return made


def sent(api: Api, **changes: Any) -> dict[str, Any]:
    contract = drawn_up(api, **changes)
    answer: dict[str, Any] = api.made(f"{PATH}/{contract['id']}/send")
    return {**answer, "token": answer["signing_url"].rsplit("/", 1)[1]}


def sign(api: Api, contract: dict[str, Any], **changes: Any) -> Any:
    return api.post(
        f"/api/public/contracts/{contract['token']}/sign",
        a_signature(contract["content_sha256"], **changes),
        Prefer="respond-async",
    )


def test_a_sent_contract_is_read_signed_and_opens_its_engagement(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    assert contract["status"] == "Sent"
    assert contract["delivery"]["state"] == "pending"
    public = api.get(f"/api/public/contracts/{contract['token']}").json
    assert (public["body"], public["total_value"]) == ("We **care** for a year.", "1200.00")
    assert public["billing"] == {"kind": "monthly", "periods": 12}
    assert sign(api, contract).status == 202
    tenant.run_jobs("sales.fulfil_contract")
    result = api.get(f"/api/public/contracts/{contract['token']}/result").json
    assert result["engagement"]["name"] == "Juniper Ltd - Engagement"
    assert result["contract"]["status"] == "Signed"
    whole = api.get(f"{PATH}/{contract['id']}").json
    assert None not in (whole["opened_at"], whole["viewed_at"], whole["signed_at"])
    [evidence] = tenant.rows("SELECT * FROM signatures WHERE organization_id = %(organization_id)s")
    assert evidence["recorded_by"] is None
    assert "this contract" in evidence["consent_text"]
    [draft] = api.get("/api/invoices").json["data"]
    assert draft["subtotal"] == "100.00"


def test_its_document_is_rendered_and_can_be_verified(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    sign(api, contract)
    tenant.run_jobs("sales.fulfil_contract")
    tenant.run_jobs("sales.render_signed_document")
    document = api.get(f"{PATH}/{contract['id']}/signed.pdf").content
    by_link = api.get(f"/api/public/contracts/{contract['token']}/signed.pdf")
    assert by_link.content == document
    first = pages(document)[0]
    for text in ("Contract C-", "for a year.", "1 January 2026", "EUR 1,200.00"):
        assert squeezed(text) in "".join(pages(document)), text
    assert squeezed("12 monthly invoices, the first on the day it begins 100.00 each") in first
    found = api.get(f"/api/public/verify/{hashlib.sha256(document).hexdigest()}").json
    assert (found["kind"], found["proposal_number"]) == ("signed document", contract["number"])
    text = api.get(f"/api/public/verify/{contract['content_sha256']}").json
    assert text["kind"] == "contract content"


def test_client_and_owner_are_told_and_the_link_is_mailed(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    tenant.run_jobs("sales.mail_signing_link")
    assert api.get(f"{PATH}/{contract['id']}").json["delivery"]["state"] == "delivered"
    sign(api, contract)
    tenant.run_jobs("sales.fulfil_contract")
    for kind in ("sales.mail_signed_contract", "sales.mail_signed_contract_owner"):
        assert tenant.run_jobs(kind) == 1
    folder = tenant.app.config["SETTINGS"].var_dir / "mail"
    mails = [path.read_text() for path in folder.glob("*contract*")]
    mine = [mail for mail in mails if contract["number"] in mail and "@juniper.example" in mail]
    assert len(mine) == 2
    assert any("/contract/" in mail for mail in mine)


def test_another_link_takes_the_place_of_the_one_to_a_wrong_address(
    api: Api, tenant: Tenant
) -> None:
    contract = sent(api)
    resent = api.made(f"{PATH}/{contract['id']}/resend", {"email": "ray@juniper.example"})
    assert resent["signing_url"] != contract["signing_url"]
    assert sign(api, contract).status == 410
    new = {**contract, "token": resent["signing_url"].rsplit("/", 1)[1]}
    assert sign(api, new).status == 202
    again = api.post(f"{PATH}/{contract['id']}/resend")
    assert again.status == 409


def test_a_resend_to_the_same_address_is_the_same_link(api: Api) -> None:
    contract = sent(api)
    assert api.made(f"{PATH}/{contract['id']}/resend")["signing_url"] == contract["signing_url"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"contact_id": None}, "contact_id"), ({"body": None}, "body")],
)
def test_a_contract_that_lacks_something_is_not_sent(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    contract = drawn_up(api, **changes)
    answer = api.post(f"{PATH}/{contract['id']}/send")
    assert answer.status == 422
    assert list(answer.json["errors"]) == [field]


@pytest.mark.parametrize("days", [-1, 366])
def test_a_time_that_has_passed_or_is_too_far_away_is_refused(api: Api, days: int) -> None:
    contract = drawn_up(api)
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    answer = api.post(f"{PATH}/{contract['id']}/send", {"valid_until": until})
    assert list(answer.json["errors"]) == ["valid_until"]


def test_a_sent_contract_is_not_changed_and_not_sent_again(api: Api) -> None:
    contract = sent(api)
    assert api.put(f"{PATH}/{contract['id']}", {"name": "x"}).status == 409
    assert api.post(f"{PATH}/{contract['id']}/send").status == 409


def test_nobody_signs_a_contract_that_was_withdrawn_or_deleted(api: Api, tenant: Tenant) -> None:
    cancelled, deleted = sent(api), sent(api, name="Two")
    api.made(f"{PATH}/{cancelled['id']}/cancel")
    assert api.delete(f"{PATH}/{deleted['id']}").status == 204
    assert sign(api, cancelled).status == 410
    assert sign(api, deleted).status == 404
    assert tenant.count("signatures") == 0


def test_a_contract_whose_time_is_over_expires_and_can_be_revised(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    tenant.execute(
        "UPDATE contracts SET valid_until = now() - interval '1 second'"
        f" WHERE id = '{contract['id']}'"
    )
    assert api.get(f"/api/public/contracts/{contract['token']}").json["status"] == "Expired"
    assert sign(api, contract).status == 409
    assert api.post(f"{PATH}/{contract['id']}/sign").status == 409
    assert tenant.run(expire_contracts) == 1
    assert api.get(f"{PATH}/{contract['id']}").json["status"] == "Expired"
    revised = api.made(f"{PATH}/{contract['id']}/revise")
    assert (revised["status"], revised["content_sha256"]) == ("Draft", None)
    assert sign(api, contract).status == 410
    assert api.put(f"{PATH}/{contract['id']}", {"name": "Anew"}).status == 200
    assert api.made(f"{PATH}/{contract['id']}/send")["status"] == "Sent"


def test_a_contracts_link_opens_no_proposal_and_the_other_way_round(api: Api) -> None:
    contract, proposal = sent(api), api.send_proposal()
    assert api.get(f"/api/public/proposals/{contract['token']}").status == 404
    assert api.get(f"/api/public/contracts/{proposal['token']}").status == 404
    assert sign(api, {**contract, "token": proposal["token"]}).status == 404


def test_what_was_signed_must_be_what_was_shown(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    assert sign(api, {**contract, "content_sha256": "0" * 64}).status == 409
    assert tenant.count("signatures") == 0


def test_the_page_is_read_signed_and_says_what_became_of_the_contract(
    app: Flask, api: Api, tenant: Tenant
) -> None:
    contract = sent(api)
    client = app.test_client()
    page = client.get(f"/contract/{contract['token']}").text
    for text in ("Care plan", "We <strong>care</strong>", "1 January 2026", "EUR 1,200.00"):
        assert text in page, text
    form = {
        "signer_name": "Robin Ray",
        "signer_email": "robin@juniper.example",
        "method": "typed",
        "signature": "Robin Ray",
        "consent": "yes",
        "content_sha256": contract["content_sha256"],
    }
    wrong = client.post(f"/contract/{contract['token']}", data={**form, "consent": ""})
    assert wrong.status_code == 422
    assert "Tick the box" in wrong.text
    assert client.post(f"/contract/{contract['token']}", data=form).status_code == 303
    assert "Signed. Thank you." in client.get(f"/contract/{contract['token']}").text
    withdrawn = sent(api, name="Other")
    api.made(f"{PATH}/{withdrawn['id']}/cancel")
    gone = client.get(f"/contract/{withdrawn['token']}")
    assert gone.status_code == 410
    assert "was withdrawn" in gone.text
    assert client.get(f"/contract/{'x' * 43}").status_code == 404


def test_a_link_goes_with_the_purge_of_its_contract(api: Api, tenant: Tenant) -> None:
    contract = sent(api)
    api.delete(f"{PATH}/{contract['id']}")
    tenant.execute(
        "UPDATE contracts SET deleted_at = now() - interval '400 days'"
        f" WHERE id = '{contract['id']}'"
    )
    assert purge(tenant) == {"contracts": 1, "credentials": 1, "signing_links": 1}
    assert tenant.count("contracts") == tenant.count("signing_links") == 0
