"""What follows once an invoice is final: its document, its mail, reminders, and the report."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

from tests.support.billing import Billing
from tests.support.pdf import squeezed, text_of
from tests.support.tenants import Api, Tenant
from webapp.services.billing.documents import render_documents
from webapp.services.billing.reminders import notice_overdue


def test_the_document_is_made_once_and_stays_as_it_is(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    path = f"/api/invoices/{final['id']}/invoice.pdf"
    waiting = api.get(path)
    assert (waiting.status, "being made" in waiting.json["detail"]) == (404, True)
    tenant.run_jobs("billing.render_document")
    answer = api.get(path)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert f"{final['number']}.pdf" in answer.headers["Content-Disposition"]
    text = text_of(answer.content)
    for told in (final["number"], "Juniper Ltd", "119.00", "DE136695976", "Hauptstr. 1"):
        assert squeezed(told) in text
    billing.pay(final, "19.00")
    tenant.run(lambda: render_documents([{"invoice_id": final["id"]}]))
    assert api.get(path).content == answer.content


def test_a_draft_has_no_document(api: Api, billing: Billing) -> None:
    answer = api.get(f"/api/invoices/{billing.draft()['id']}/invoice.pdf")
    assert (answer.status, "draft" in answer.json["detail"]) == (404, True)


def test_a_credit_note_has_a_document_too(api: Api, billing: Billing, tenant: Tenant) -> None:
    final = billing.final()
    note = billing.act(final, "credit", {"amount": "10.00", "reason": "Goodwill"})
    tenant.run_jobs("billing.render_document")
    text = text_of(api.get(f"/api/credit-notes/{note['id']}/credit-note.pdf").content)
    assert note["number"] in text
    assert final["number"] in text


def test_an_invoice_is_mailed_to_the_contact_with_its_document(
    billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    sent = billing.act(final, "send")
    assert sent["sent_at"]
    tenant.run_jobs("billing.mail_invoice")
    [mail] = billing.mails("invoice", final)
    assert "robin@juniper.example" in mail["To"]
    assert final["number"] in mail["Subject"]
    [document] = [part for part in mail.walk() if part.get_content_type() == "application/pdf"]
    assert document.get_filename() == f"{final['number']}.pdf"
    assert final["number"] in text_of(document.get_payload(decode=True))


def test_a_draft_or_one_without_an_address_cannot_be_sent(api: Api, billing: Billing) -> None:
    assert api.post(f"/api/invoices/{billing.draft()['id']}/send").status == 409
    final = billing.act(billing.draft(contact_id=None), "finalize")
    assert final["contact_id"], "the engagement's contact stands in"


def overdue(billing: Billing, days: int) -> dict[str, Any]:
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)
    made = billing.final(issued_on=day.isoformat(), due_date=day.isoformat())
    billing.act(made, "send")
    return made


def test_that_an_invoice_became_overdue_is_told_once_and_reminded_of_in_steps(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    late = overdue(billing, 8)  # of the steps 1, 7 and 14 days, the second is due
    for _ in range(2):
        tenant.run(notice_overdue)
    tenant.run_jobs()
    events = tenant.rows(
        "SELECT type FROM activity_events WHERE organization_id = %(organization_id)s"
        " AND entity_type = 'invoice'"
    )
    assert [row["type"] for row in events].count("became_overdue") == 1
    [mail] = billing.mails("invoice_reminder", late)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "119.00 EUR" in body.get_content()
    [invoice] = api.get("/api/invoices").json["data"]
    assert invoice["reminders"] == 2


def test_a_reminder_is_not_sent_for_what_was_paid_or_never_sent(
    billing: Billing, tenant: Tenant
) -> None:
    day = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=8)).isoformat()
    unsent = billing.final(issued_on=day, due_date=day)
    paid = billing.final(issued_on=day, due_date=day)
    billing.act(paid, "send")
    tenant.run(notice_overdue)
    billing.pay(paid, "119.00")
    tenant.run_jobs()
    assert billing.mails("invoice_reminder", paid) == []
    assert billing.mails("invoice_reminder", unsent) == []


def test_the_aging_report_sorts_what_is_open_by_how_long_it_is_overdue(
    api: Api, billing: Billing
) -> None:
    today = dt.datetime.now(dt.UTC).date()

    def due(days: int) -> dict[str, str]:
        day = (today - dt.timedelta(days=days)).isoformat()
        return {"issued_on": day, "due_date": day}

    for days in (0, 1, 30, 31, 90, 91):
        billing.final("100.00", **due(days))
    part = billing.final("100.00", **due(60))
    billing.pay(part, "19.00")
    report = api.get("/api/reports/aging").json
    assert report["as_of"] == today.isoformat()
    assert report["data"] == [
        {
            "currency": "EUR",
            "current": "119.00",
            "days_1_30": "238.00",
            "days_31_60": "219.00",
            "days_61_90": "119.00",
            "days_over_90": "119.00",
            "total": "814.00",
        }
    ]
    as_csv = api.get("/api/reports/aging.csv")
    [row] = csv.DictReader(io.StringIO(as_csv.text))
    assert (as_csv.headers["Content-Type"].partition(";")[0], row["total"]) == (
        "text/csv",
        "814.00",
    )


def test_the_aging_of_a_day_counts_what_had_been_paid_and_credited_by_then(
    api: Api, billing: Billing
) -> None:
    final = billing.final(issued_on="2026-01-01", due_date="2026-01-31")
    billing.pay(final, "19.00", received_at="2026-02-15T12:00:00Z")
    billing.act(final, "credit", {"amount": "50.00", "reason": "x"})

    def total(day: str) -> str | None:
        rows = api.get(f"/api/reports/aging?as_of={day}").json["data"]
        return rows[0]["total"] if rows else None

    assert total("2025-12-31") is None
    assert total("2026-02-14") == "119.00"
    assert total("2026-02-15") == "100.00"
    assert total(dt.datetime.now(dt.UTC).date().isoformat()) == "50.00"
