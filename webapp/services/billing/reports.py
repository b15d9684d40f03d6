"""Reports about money: what is open, and for how long (rulings.md, *Reports*)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from models.db.queries import CompiledQuery

# What was open at the end of a day: what had been issued, less what had been paid and credited by
# then, unless it had been withdrawn or written off. The day is today, where the organization is,
# unless one is given.
_OPEN_ON = """
    SELECT i.currency, i.due_date, d.day,
           i.total - coalesce((
               SELECT sum(a.amount) FROM payment_allocations a
               WHERE a.organization_id = i.organization_id AND a.invoice_id = i.id
                 AND (a.allocated_at AT TIME ZONE d.timezone)::date <= d.day), 0)
           - coalesce((
               SELECT sum(c.amount) FROM credit_notes c
               WHERE c.organization_id = i.organization_id AND c.invoice_id = i.id
                 AND c.issued_on <= d.day), 0) AS open
    FROM invoices i CROSS JOIN d
    WHERE i.number IS NOT NULL AND i.issued_on <= d.day
      AND (i.voided_at IS NULL OR (i.voided_at AT TIME ZONE d.timezone)::date > d.day)
      AND (i.written_off_at IS NULL OR (i.written_off_at AT TIME ZONE d.timezone)::date > d.day)"""
_AGING = CompiledQuery.of_sql(
    f"""
    WITH d AS MATERIALIZED (
        SELECT coalesce(%(as_of)s::date, (now() AT TIME ZONE o.timezone)::date) AS day, o.timezone
        FROM organizations o),
    o AS ({_OPEN_ON}),
    b AS (
        SELECT currency, sum(open) AS total,
               coalesce(sum(open) FILTER (WHERE day <= due_date), 0) AS current,
               coalesce(sum(open) FILTER (WHERE day - due_date BETWEEN 1 AND 30), 0) AS days_1_30,
               coalesce(sum(open) FILTER (WHERE day - due_date BETWEEN 31 AND 60), 0)
                 AS days_31_60,
               coalesce(sum(open) FILTER (WHERE day - due_date BETWEEN 61 AND 90), 0)
                 AS days_61_90,
               coalesce(sum(open) FILTER (WHERE day - due_date > 90), 0) AS days_over_90
        FROM o WHERE open > 0 GROUP BY currency)
    SELECT d.day AS as_of, b.* FROM d LEFT JOIN b ON true ORDER BY b.currency"""  # noqa: S608
)


def aging(as_of: dt.date | None = None) -> dict[str, Any]:
    """What was open at the end of a day, today by itself, by how long it had been overdue.

    One row for each currency; amounts in `Decimal`.
    """
    rows = _AGING.all(as_of=as_of)
    return {"as_of": rows[0]["as_of"], "data": [row for row in rows if row["currency"]]}


# Final invoices that are not void, net of tax, less what was credited in their proportion.
_REVENUE = """
    SELECT i.currency, to_char(i.issued_on, 'YYYY-MM') AS month, i.client_company_id,
           coalesce(s.name, '') AS service, l.total AS net,
           round(CASE WHEN i.total = 0 THEN 0 ELSE l.total * i.credited / i.total END, 2)
             AS credited
    FROM invoices i
    JOIN invoice_lines l ON l.organization_id = i.organization_id AND l.invoice_id = i.id
    LEFT JOIN order_items o
      ON o.organization_id = l.organization_id AND o.id = l.order_item_id
    LEFT JOIN services s ON s.organization_id = o.organization_id AND s.id = o.service_id
    WHERE i.number IS NOT NULL AND i.status <> 'void'
      AND i.issued_on BETWEEN %(issued_from)s AND %(issued_until)s"""
_BY = {
    "month": ("r.month", ""),
    "service": ("r.service", ""),
    "client": (
        "coalesce(c.name, '')",
        "LEFT JOIN client_companies c ON c.id = r.client_company_id",
    ),
}
_REVENUE_BY = {
    by: CompiledQuery.of_sql(
        f"WITH r AS ({_REVENUE}) SELECT {shown} AS name, r.currency, sum(r.net) AS billed,"  # noqa: S608
        f" sum(r.credited) AS credited, sum(r.net - r.credited) AS revenue FROM r {joined}"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for by, (shown, joined) in _BY.items()
}
_UNBILLED = CompiledQuery.of_sql("""
    SELECT e.id AS engagement_id, e.name, coalesce(e.currency, o.currency) AS currency,
           sum(t.minutes) AS minutes,
           coalesce(sum(round(t.minutes * t.rate / 60, 2)), 0) AS amount,
           coalesce(sum(t.minutes) FILTER (WHERE t.rate IS NULL), 0) AS minutes_without_rate
    FROM time_entries t
    JOIN projects p ON p.organization_id = t.organization_id AND p.id = t.project_id
    JOIN engagements e ON e.organization_id = p.organization_id AND e.id = p.engagement_id
    JOIN organizations o ON o.id = e.organization_id
    WHERE t.is_billable AND t.invoice_line_id IS NULL AND t.started_at IS NULL
    GROUP BY e.id, e.name, 3 ORDER BY e.name, e.id""")


def revenue(by: str, issued_from: dt.date, issued_until: dt.date) -> list[dict[str, Any]]:
    """What was billed, net of tax, and what of it was credited, by client, service or month."""
    return _REVENUE_BY[by].all(issued_from=issued_from, issued_until=issued_until)


def unbilled_work() -> list[dict[str, Any]]:
    """The billable time that no invoice has, by engagement, with what it comes to by its rates."""
    return _UNBILLED.all()
