"""A bank's credits: what they may settle, in which order, and that each is a payment once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.bank import booking, camt, entries, imported, transaction
from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant

ENTRIES = "/api/bank-entries"


def credit(
    api: Api, amount: str, purpose: str = "", *, name: str = "Nobody Known", reference: str = "R-1",
    currency: str = "EUR",
) -> dict[str, Any]:  # fmt: skip
    """The one entry of a new statement."""
    entry = booking(amount, transaction(name, purpose), reference=reference, currency=currency)
    [found] = entries(api, imported(api, camt(entry)))
    return found


def numbers(entry: dict[str, Any]) -> list[tuple[list[str], list[str]]]:
    """The numbers and reasons of each proposal."""
    return [([a["number"] for a in p["allocations"]], p["reasons"]) for p in entry["proposals"]]


def test_the_number_in_the_text_is_found_however_it_is_written(api: Api, billing: Billing) -> None:
    number = billing.final()["number"]
    year, serial = number.split("-")
    broken = f"{year}-{serial[:3]}|{serial[3:]}"
    texts = [number, f"RE{number}", f"Inv. {year} / {serial}, thanks", broken, f"{year}{serial}"]
    found = {}
    for n, text in enumerate(texts):
        entry = credit(api, "50.00", text, reference=f"R-{n}")
        found[text] = numbers(entry)
    assert found == {text: [([number], ["number"])] for text in texts}


def test_proposals_are_ranked_by_number_then_amount_then_name(api: Api, billing: Billing) -> None:
    first, second, third = billing.final("200.00"), billing.final("100.00"), billing.final("300.00")
    entry = credit(api, "119.00", first["number"], name="JUNIPER")
    assert numbers(entry) == [
        ([first["number"]], ["number", "client_name"]),
        ([second["number"]], ["amount", "client_name"]),
        ([third["number"]], ["client_name"]),
    ]
    [allocation] = entry["proposals"][0]["allocations"]
    assert allocation == {
        "invoice_id": first["id"], "number": first["number"], "amount": "119.00",
    }  # fmt: skip
    assert entry["proposals"][0]["rest"] == "0.00"


def test_the_same_question_has_the_same_answer_and_what_is_due_first_comes_first(
    api: Api, billing: Billing
) -> None:
    later = billing.final(due_date="2999-02-01")
    sooner = billing.final(due_date="2999-01-01")
    entry = credit(api, "119.00")
    assert numbers(entry) == [([sooner["number"]], ["amount"]), ([later["number"]], ["amount"])]
    assert api.get(f"{ENTRIES}/{entry['id']}").json == entry


def test_one_transfer_for_several_numbers_is_proposed_as_one(api: Api, billing: Billing) -> None:
    first, second = billing.final(), billing.final("50.00")
    entry = credit(api, "178.50", f"{second['number']} {first['number']}")
    assert numbers(entry)[0] == ([first["number"], second["number"]], ["number", "amount"])
    api.made(f"{ENTRIES}/{entry['id']}/accept")
    assert {billing.read(first)["status"], billing.read(second)["status"]} == {"Paid"}


def test_nothing_is_proposed_in_another_currency_or_of_what_is_paid_or_a_draft(
    api: Api, billing: Billing
) -> None:
    paid, _draft = billing.final(), billing.draft()
    billing.pay(paid, "119.00")
    assert credit(api, "119.00", paid["number"], name="Juniper")["proposals"] == []
    open_one = billing.final()
    other = credit(api, "119.00", open_one["number"], reference="R-2", currency="USD")
    assert other["proposals"] == []


def test_accepting_records_the_first_proposal_as_a_payment(api: Api, billing: Billing) -> None:
    final = billing.final()
    entry = credit(api, "119.00", final["number"])
    answer = api.post(f"{ENTRIES}/{entry['id']}/accept")
    assert answer.status == 200, answer.text
    accepted = answer.json
    assert (accepted["status"], accepted["proposals"]) == ("Accepted", [])
    payment = api.get(f"/api/payments/{accepted['payment_id']}").json
    assert (payment["amount"], payment["reference"], payment["method"]) == (
        "119.00", "R-1", "bank_transfer",
    )  # fmt: skip
    assert payment["received_at"].startswith("2026-03-0")
    assert billing.read(final)["status"] == "Paid"


def test_a_part_leaves_the_rest_open_and_too_much_is_kept_only_when_asked(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    part = credit(api, "100.00", final["number"])
    api.made(f"{ENTRIES}/{part['id']}/accept")
    assert billing.read(final)["open"] == "19.00"
    much = credit(api, "20.00", final["number"], reference="R-2")
    path = f"{ENTRIES}/{much['id']}/accept"
    refused = api.post(path)
    assert (refused.status, list(refused.json["errors"])) == (422, ["keep_excess"])
    assert api.get(f"{ENTRIES}/{much['id']}").json["status"] == "Pending"
    kept = api.made(path, {"keep_excess": True})
    assert api.get(f"/api/payments/{kept['payment_id']}").json["credit"] == "1.00"
    assert billing.read(final)["status"] == "Paid"


def test_other_allocations_than_those_proposed_can_be_chosen(api: Api, billing: Billing) -> None:
    first, second = billing.final(), billing.final()
    entry = credit(api, "119.00", first["number"])
    path = f"{ENTRIES}/{entry['id']}/accept"
    chosen = {"allocations": [{"invoice_id": second["id"], "amount": "119.00"}]}
    api.made(path, chosen)
    assert (billing.read(first)["status"], billing.read(second)["status"]) == ("Open", "Paid")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"allocations": [{"invoice_id": "0" * 32, "amount": "1.00"}]}, "keep_excess"),
        (
            {"allocations": [{"invoice_id": "0" * 32, "amount": "119.00"}]},
            "allocations.0.invoice_id",
        ),
        ({"allocations": [{"invoice_id": "0" * 32, "amount": "120.00"}]}, "allocations"),
        ({}, "allocations"),
        ({"client_company_id": "0" * 32, "allocations": []}, "client_company_id"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(
    api: Api, billing: Billing, tenant: Tenant, body: dict[str, Any], field: str
) -> None:
    entry = credit(api, "119.00")
    answer = api.post(f"{ENTRIES}/{entry['id']}/accept", body)
    assert (answer.status, list(answer.json["errors"])) == (422, [field]), answer.text
    assert tenant.count("payments") == 0
    assert api.get(f"{ENTRIES}/{entry['id']}").json["status"] == "Pending"


def test_an_entry_for_no_invoice_can_be_kept_as_credit(api: Api, billing: Billing) -> None:
    entry = credit(api, "500.00")
    body = {"allocations": [], "client_company_id": billing.company["id"]}
    kept = api.made(f"{ENTRIES}/{entry['id']}/accept", body)
    payment = api.get(f"/api/payments/{kept['payment_id']}").json
    assert (payment["credit"], payment["client_company_id"]) == ("500.00", billing.company["id"])


def test_an_entry_is_accepted_once_however_many_try_at_once(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    entry = credit(api, "10.00", final["number"])

    def accept(_: int) -> int:
        return api.post(f"{ENTRIES}/{entry['id']}/accept").status

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(accept, range(6)))
    assert answers == [200, 409, 409, 409, 409, 409]
    assert tenant.count("payments") == 1
    assert billing.read(final)["open"] == "109.00"
    other = {
        "reference": "Another transfer",
        "allocations": [{"invoice_id": final["id"], "amount": "10.00"}],
    }
    assert api.post(f"{ENTRIES}/{entry['id']}/accept", other).status == 409
    assert tenant.count("payments") == 1


def test_a_transfer_that_was_recorded_by_hand_is_not_counted_again(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    billing.pay(final, "19.00", reference="R-1")
    entry = credit(api, "19.00", final["number"])
    answer = api.post(f"{ENTRIES}/{entry['id']}/accept")
    assert (answer.status, list(answer.json["errors"])) == (409, ["reference"])
    assert api.get(f"{ENTRIES}/{entry['id']}").json["status"] == "Pending"
    named = api.post(f"{ENTRIES}/{entry['id']}/accept", {"reference": "Another transfer"})
    assert named.status == 200
    assert tenant.count("payments") == 2


def test_a_dismissed_entry_is_proposed_no_more_and_can_still_be_accepted(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    entry = credit(api, "119.00", final["number"])
    dismissed = api.made(f"{ENTRIES}/{entry['id']}/dismiss")
    assert (dismissed["status"], dismissed["proposals"]) == ("Dismissed", [])
    assert api.post(f"{ENTRIES}/{entry['id']}/dismiss").status == 409
    assert api.post(f"{ENTRIES}/{entry['id']}/accept").status == 422
    body = {"allocations": [{"invoice_id": final["id"], "amount": "119.00"}]}
    assert api.post(f"{ENTRIES}/{entry['id']}/accept", body).status == 200
    assert api.post(f"{ENTRIES}/{entry['id']}/dismiss").status == 409


def test_money_that_went_out_settles_nothing(api: Api, billing: Billing, tenant: Tenant) -> None:
    billing.final()
    entry = booking("119.00", transaction(payer="Cdtr"), direction="DBIT", reference="R-1")
    [debit] = entries(api, imported(api, camt(entry)))
    assert debit["proposals"] == []
    answer = api.post(f"{ENTRIES}/{debit['id']}/accept", {"allocations": []})
    assert (answer.status, answer.json["detail"]) == (
        409, "This money went out; it settles no invoice.",
    )  # fmt: skip
    assert tenant.count("payments") == 0


def test_an_entry_of_a_day_to_come_is_received_now(api: Api, billing: Billing) -> None:
    final = billing.final()
    entry = booking("119.00", transaction("x", final["number"]), reference="R-1", day="2999-01-01")
    [found] = entries(api, imported(api, camt(entry)))
    assert api.post(f"{ENTRIES}/{found['id']}/accept").status == 200


def test_a_stale_version_is_refused(api: Api, billing: Billing) -> None:
    final = billing.final()
    entry = credit(api, "119.00", final["number"])
    path = f"{ENTRIES}/{entry['id']}"
    tag = api.get(path).headers["ETag"]
    assert api.post(f"{path}/dismiss", If_Match=tag).status == 200
    body = {"allocations": [{"invoice_id": final["id"], "amount": "119.00"}]}
    assert api.post(f"{path}/accept", body, If_Match=tag).status == 412


def test_entries_are_listed_over_all_statements_by_state(api: Api, billing: Billing) -> None:
    final = billing.final()
    first = credit(api, "1.00", final["number"])
    second = credit(api, "2.00", final["number"], reference="R-2")
    api.made(f"{ENTRIES}/{first['id']}/accept")
    listed = api.get(f"{ENTRIES}?status=Pending").json["data"]
    assert [entry["id"] for entry in listed] == [second["id"]]
