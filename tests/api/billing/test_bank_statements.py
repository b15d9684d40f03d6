"""Bank statements: imported once, whatever banks write, and nothing that harms is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.bank import (
    ACCOUNT,
    STATEMENTS,
    booking,
    camt,
    entries,
    imported,
    send_file,
    transaction,
)
from tests.support.tenants import Api, Tenant

CSV = "text/csv"


@pytest.mark.parametrize("version", ["02", "08"])
def test_both_versions_of_camt_are_read(api: Api, version: str) -> None:
    paid = transaction("Müller & Co", "Invoice 2026-|00042", version=version)
    sent = transaction("Landlord", "Rent", payer="Cdtr", version=version)
    statement = imported(
        api,
        camt(
            booking("119.00", paid, reference="R-1", version=version),
            booking("800.5", sent, reference="R-2", direction="DBIT", version=version),
            booking("5.00", paid, reference="R-3", status="PDNG", version=version),
            version=version,
        ),
    )
    assert (statement["format"], statement["account"]) == ("camt.053", ACCOUNT)
    assert (statement["entries"], statement["added"]) == (2, 2)
    credit, debit = entries(api, statement)
    assert (
        credit
        | {
            "status": "Pending",
            "direction": "credit",
            "amount": "119.00",
            "currency": "EUR",
            "booked_on": "2026-03-02",
            "account": ACCOUNT,
            "counterparty": "Müller & Co",
            "counterparty_account": "DE02120300000000202051",
            "remittance": "Invoice 2026-\n00042",
            "reference": "R-1",
        }
        == credit
    )
    assert (debit["direction"], debit["amount"], debit["status"], debit["proposals"]) == (
        "debit", "800.50", "Dismissed", [],
    )  # fmt: skip
    assert debit["counterparty"] == "Landlord"


def test_a_collective_booking_becomes_its_transactions_where_they_add_up(api: Api) -> None:
    parts = [transaction("A", amount="10.00"), transaction("B", amount="20.00", reference="T-2")]
    wrong = [transaction("A", amount="10.00"), transaction("B", amount="21.00")]
    statement = imported(
        api,
        camt(booking("30.00", *parts, reference="R"), booking("30.00", *wrong, reference="S")),
    )
    found = [(e["counterparty"], e["amount"], e["reference"]) for e in entries(api, statement)]
    assert found == [("A", "10.00", "R/1"), ("B", "20.00", "T-2"), ("A", "30.00", "S")]


def test_the_same_file_is_imported_once(api: Api, tenant: Tenant) -> None:
    file = camt(booking("1.00", transaction(), reference="R-1"))
    first, again = send_file(api, file), send_file(api, file)
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.headers["Location"] == f"{STATEMENTS}/{first.json['id']}"
    assert (tenant.count("bank_statements"), tenant.count("bank_entries")) == (1, 1)


def test_statements_that_overlap_add_an_entry_once(api: Api, tenant: Tenant) -> None:
    known = booking("1.00", transaction(), reference="R-1")
    imported(api, camt(known))
    second = imported(api, camt(known, booking("2.00", reference="R-2"), number="2"))
    assert (second["entries"], second["added"]) == (2, 1)
    assert [entry["reference"] for entry in entries(api, second)] == ["R-2"]
    assert tenant.count("bank_entries") == 2


def test_without_a_reference_two_alike_in_one_file_are_two_and_in_two_files_one(
    api: Api, tenant: Tenant
) -> None:
    alike = booking("5.00", transaction("A", "Coffee"), reference="NONREF")
    assert imported(api, camt(alike))["added"] == 1
    both = imported(api, camt(alike, alike, number="2"))
    assert (both["entries"], both["added"]) == (2, 1)
    assert tenant.count("bank_entries") == 2
    [reference] = {entry["reference"][:5] for entry in entries(api, both)}
    assert reference == "bank-"


def test_the_same_file_at_once_is_imported_once(api: Api, tenant: Tenant) -> None:
    file = camt(*(booking(f"{n}.00", reference=f"R-{n}") for n in range(1, 30)))
    with ThreadPoolExecutor(4) as pool:
        answers = [answer.status for answer in pool.map(lambda _: send_file(api, file), range(4))]
    assert answers.count(201) == 1
    assert set(answers) <= {200, 201, 409}
    assert (tenant.count("bank_statements"), tenant.count("bank_entries")) == (1, 29)


def test_the_same_entries_in_other_files_at_once_are_added_once(api: Api, tenant: Tenant) -> None:
    shared = [booking(f"{n}.00", reference=f"R-{n}") for n in range(1, 30)]
    files = [camt(*shared, number=str(n)) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = [answer.status for answer in pool.map(lambda f: send_file(api, f), files)]
    assert set(answers) <= {201, 409}
    assert tenant.count("bank_entries") == 29


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
ELSEWHERE = '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">'


@pytest.mark.parametrize("prolog", [BOMB, OUTSIDE, ELSEWHERE])
def test_entities_and_document_types_are_refused_before_anything_is_read(
    api: Api, tenant: Tenant, prolog: str
) -> None:
    entity = "&a;" if "ENTITY" in prolog else "x"
    file = camt(booking("1.00", reference="R-1"), prolog=prolog).replace(
        "<MsgId>M", f"<MsgId>{entity}"
    )
    answer = send_file(api, file)
    assert answer.status == 422
    assert answer.json["errors"] == {"file": ["A document type and entities are not accepted."]}
    assert tenant.count("bank_statements") == 0


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("<a", "This is not well-formed XML."),
        ("<a/>", "Send a CAMT.053 file of version camt.053.001.02 or camt.053.001.08."),
        (camt().replace("053.001", "054.001"), "Send a CAMT.053 file of version"),
        (camt(version="04"), "Send a CAMT.053 file of version"),
        (camt(), "There is no booked entry in this file."),
        ("<a>" * 100_000, "This is not a CAMT.053 file: it is nested too deep."),
        ('<?xml version="1.0" encoding="x-none"?><a/>', "This is not well-formed XML."),
    ],
)
def test_what_is_no_statement_is_refused(api: Api, file: str, message: str) -> None:
    answer = send_file(api, file)
    assert answer.status == 422
    assert answer.json["errors"]["file"][0].startswith(message)


def test_wrong_entries_are_named_and_nothing_is_imported(api: Api, tenant: Tenant) -> None:
    answer = send_file(
        api,
        camt(
            booking("1.00", reference="R-1"),
            booking("1.005", reference="R-2"),
            booking("x", reference="R-3"),
            booking("1.00", direction="IN", day="2026-02-30"),
            booking("99999999999.00"),
        ),
    )
    assert answer.status == 422
    assert set(answer.json["errors"]) == {
        "entries.1.Amt", "entries.2.Amt", "entries.3.CdtDbtInd", "entries.3.BookgDt",
        "entries.4.Amt",
    }  # fmt: skip
    assert tenant.count("bank_entries") == 0


@pytest.mark.parametrize(
    ("kind", "status"), [("application/json", 415), ("application/octet-stream", 415)]
)
def test_a_file_of_another_type_is_refused(api: Api, kind: str, status: int) -> None:
    assert send_file(api, camt(), kind).status == status


def test_a_file_that_is_too_large_is_refused(api: Api) -> None:
    assert send_file(api, b" " * (1024 * 1024 + 1)).status == 413


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("119", "119.00"), ("119.5", "119.50"), ("119,50", "119.50"), ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"), ("1'234.56", "1234.56"), ("1 234,56", "1234.56"),
        ("1.234.567", "1234567.00"), ("+5,00", "5.00"),
    ],
)  # fmt: skip
def test_a_csv_is_read_with_points_and_commas(api: Api, written: str, amount: str) -> None:
    file = f'date;amount;name;purpose\n02.03.2026;"{written}";Müller;"a;b\nc"\n;;;\n'
    statement = imported(api, file, CSV)
    [entry] = entries(api, statement)
    assert (statement["format"], entry["amount"], entry["currency"]) == ("csv", amount, "EUR")
    assert (entry["booked_on"], entry["counterparty"]) == ("2026-03-02", "Müller")
    assert entry["remittance"] == "a;b\nc"


def test_a_csv_with_commas_marks_and_old_letters_is_read(api: Api) -> None:
    file = "Date,Amount,Currency,Name,Reference,Account\n2026-03-02,-7.10,USD,Café,R-1,DE1\n"
    for n, content in enumerate([file.encode("utf-8-sig"), file.encode("cp1252")]):
        statement = imported(api, content.replace(b"R-1", f"R-{n}".encode()), CSV)
        [entry] = entries(api, statement)
        assert (entry["direction"], entry["currency"], entry["counterparty"]) == (
            "debit", "USD", "Café",
        )  # fmt: skip
        assert statement["account"] == "DE1"


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("date,amount\n2026-03-02,1.234\n", "lines.2.amount"),
        ("date;amount\n2026-03-02;1,234\n", "lines.2.amount"),
        ("date;amount\n2026-03-02;1,234,56\n", "lines.2.amount"),
        ("date,amount\n2026-03-02,\n", "lines.2.amount"),
        ("date,amount\n2026-03-02,0\n", "lines.2.amount"),
        ("date,amount\n2026-03-02,99999999999\n", "lines.2.amount"),
        ("date,amount\n\n2026-02-30,1\n", "lines.3.date"),
        ("date,amount,currency\n2026-03-02,1,eur\n", "lines.2.currency"),
        ("date,amount\n2026-03-02,1,2\n", "lines.2"),
        ("date,amount,amount\n2026-03-02,1,2\n", "file"),
        ("date,amount,colour\n2026-03-02,1,red\n", "file"),
        ("day,amount\n2026-03-02,1\n", "file"),
        ('date,amount\n2026-03-02,"1\n', "file"),
        ("date,amount\n", "file"),
        ("date,amount\n2026-03-02,1\0\n", "file"),
    ],
)
def test_a_csv_that_is_wrong_is_refused_by_line_and_column(
    api: Api, tenant: Tenant, file: str, place: str
) -> None:
    answer = send_file(api, file, CSV)
    assert (answer.status, list(answer.json["errors"])) == (422, [place]), answer.text
    assert tenant.count("bank_entries") == 0


def test_only_who_may_write_bills_imports(api: Api, tenant: Tenant) -> None:
    file = camt(booking("1.00", reference="R-1"))
    statement = imported(api, file)
    viewer = Api(app=api.app, api_key=tenant.key("viewer"))
    assert send_file(viewer, file).status == 403
    assert [e["amount"] for e in entries(viewer, statement)] == ["1.00"]


def test_the_same_entry_at_two_firms_is_each_ones_own(api: Api, other_tenant: Tenant) -> None:
    file = camt(booking("1.00", reference="R-1"))
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    mine, theirs = imported(api, file), imported(stranger, file)
    assert (mine["added"], theirs["added"]) == (1, 1)
    assert stranger.get(f"{STATEMENTS}/{mine['id']}/entries").status == 404
