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
