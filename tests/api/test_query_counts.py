"""How many statements an answer takes: the same for one row as for many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.bank import booking, camt, entries, imported, transaction
from tests.support.billing import ready_to_bill
from tests.support.talk import Talk
from tests.support.tenants import Api, Tenant


@pytest.fixture(autouse=True)
def connected(api: Api) -> None:
    """Both pools hold a connection: a new one asks the server about itself first."""
    api.made("/api/companies", {"name": "x"})
    assert api.get("/api/companies").status == 200


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that reach PostgreSQL meanwhile from this thread, by whatever way."""
    seen: list[str] = []
    here = threading.get_ident()  # another thread writes, now and then, when keys were used
    execute = psycopg.Cursor.execute

    def counting(self: psycopg.Cursor, query: str, *args: object, **options: object) -> object:
        if threading.get_ident() == here:
            seen.append(str(query))
        return execute(self, query, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counting)
        yield seen


def test_reading_one_record_takes_one_statement(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.made("/api/engagements", {"name": "x"})
    with counted(monkeypatch) as statements:
        assert api.get(f"/api/engagements/{made['id']}").status == 200
    assert len(statements) == 1, statements


def test_creating_a_record_takes_three_statements(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks; the record and its job, checked and read; the answer kept for a retry."""
    company = api.made("/api/companies", {"name": "x"})
    body = {"name": "x", "client_company_id": company["id"]}
    with counted(monkeypatch) as statements:
        made = api.made("/api/engagements", body, Idempotency_Key="once")
    assert made["client_company"] == {"id": company["id"], "name": "x"}
    assert made["projects"] == made["conversations"] == []
    assert len(statements) == 3, statements


def test_posting_a_message_takes_three_statements(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks; the look at its conversation; the message and its jobs."""
    engagement = api.made("/api/engagements", {"name": "x"})
    project = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    path = f"/api/projects/{project['id']}/conversations"
    talk = api.made(path, {"subject": "x"})
    with counted(monkeypatch) as statements:
        api.made(f"{path}/{talk['id']}/messages", {"content": "x"})
    assert len(statements) == 3, statements


def test_conversations_are_listed_with_their_counts_in_one_statement(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk.begin(api, tenant)
    talk.post(by=talk.colleague())
    path = f"/api/projects/{talk.project_id}/conversations"
    api.made(path, {"subject": "x"})
    with counted(monkeypatch) as statements:
        listed = api.get(f"{path}?unread=true").json["data"]
        assert [row["unread_count"] for row in listed] == [1]
    assert len(statements) == 1, statements


@pytest.mark.parametrize(
    "path", ["/api/engagements", "/api/proposals", "/api/projects", "/api/orders", "/api/companies"]
)
def test_a_list_takes_one_statement_however_long_it_is(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for _ in range(3):
        api.sign(api.send_proposal())
    tenant.run_jobs()
    with counted(monkeypatch) as statements:
        answer = api.get(f"{path}?limit=100")
    assert len(answer.json["data"]) >= 3
    assert len(statements) == 1, statements


def test_expanding_takes_one_statement_for_each_name(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        api.send_proposal()
    with counted(monkeypatch) as statements:
        answer = api.get("/api/contacts?expand=client_company")
    assert len(answer.json["data"]) == 3
    assert all(contact["client_company"]["created_at"] for contact in answer.json["data"])
    assert len(statements) == 2, statements


def test_a_proposal_of_many_items_is_fulfilled_in_as_many_statements_as_a_small_one(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for size in (1, 40):
        items = [{"name": f"Item {n}", "price": "1.00"} for n in range(size)]
        api.sign(api.send_proposal(items=items))
        with counted(monkeypatch) as statements:
            tenant.run_jobs("sales.fulfil_signature")
        counts.append(len(statements))
    assert counts[0] == counts[1], counts


def test_a_page_of_bank_entries_takes_three_statements_however_many_there_are(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entries, the invoices whose numbers stand in them, and the open ones."""
    billing = ready_to_bill(api, tenant)
    numbers = [billing.final()["number"] for _ in range(3)]
    paid = [booking("1.00", transaction("x", n), reference=f"R-{n}") for n in numbers]
    for file in (camt(booking("1.00", reference="R-0")), camt(*paid, number="2")):
        statement = imported(api, file)
        with counted(monkeypatch) as statements:
            entries(api, statement)
        assert len(statements) == 3, statements
