"""How the firm is doing: numbers, each with the list it counts (rulings.md, *Dashboard*)."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from models.db.queries import CompiledQuery, Row
from webapp.services.overview.forecast import (
    STAGES_AND_DEALS,
    SUMS,
    amounts,
    deals,
    open_stages,
)

# One statement; each part goes through an index of its own. Months are the organization's.
_NUMBERS = CompiledQuery.of_sql(
    f"""
    WITH {STAGES_AND_DEALS}, d AS MATERIALIZED (
        SELECT t.timezone, t.day, date_trunc('month', t.day)::date AS this_month,
               (date_trunc('month', t.day) - interval '1 month')::date AS last_month
        FROM (SELECT o.timezone, (now() AT TIME ZONE o.timezone)::date AS day
              FROM organizations o) t)
    SELECT d.*,
        (SELECT coalesce(json_agg(e), '[]') FROM (
            SELECT status, health, count(*) AS count FROM engagements
            WHERE deleted_at IS NULL GROUP BY status, health ORDER BY status, health) e)
          AS engagements,
        (SELECT coalesce(json_agg(r), '[]') FROM (
            SELECT kind, count(*) AS count FROM engagement_health h
            CROSS JOIN LATERAL (
                SELECT DISTINCT x ->> 'kind' AS kind FROM jsonb_array_elements(h.reasons) x) k
            WHERE h.status <> 'ok' GROUP BY kind ORDER BY kind) r) AS reasons,
        (SELECT coalesce(json_agg(i), '[]') FROM (
            SELECT currency, count(*) AS count, sum(total - paid - credited)::text AS amount
            FROM invoices WHERE status = 'open' AND due_date < d.day
            GROUP BY currency ORDER BY currency) i) AS overdue_invoices,
        (SELECT count(*) FROM tasks
         WHERE deleted_at IS NULL AND due_date < d.day
           AND status NOT IN ('completed', 'cancelled')) AS overdue_tasks,
        (SELECT count(*) FROM proposals WHERE deleted_at IS NULL AND status = 'sent')
          AS signatures_waiting,
        (SELECT coalesce(json_agg(s), '[]') FROM (
            SELECT currency,
                   coalesce(sum(total) FILTER (WHERE month = d.this_month), 0)::text AS this_month,
                   coalesce(sum(total) FILTER (WHERE month = d.last_month), 0)::text AS last_month
            FROM (SELECT currency, total,
                         date_trunc('month', created_at AT TIME ZONE d.timezone)::date AS month
                  FROM orders
                  WHERE created_at >= (d.last_month::timestamp AT TIME ZONE d.timezone)) m
            GROUP BY currency ORDER BY currency) s) AS signed,
        (SELECT coalesce(json_agg(b), '[]') FROM (
            SELECT currency,
                   coalesce(sum(subtotal) FILTER (WHERE issued_on >= d.this_month), 0)::text
                     AS this_month,
                   coalesce(sum(subtotal) FILTER (WHERE issued_on < d.this_month), 0)::text
                     AS last_month
            FROM invoices
            WHERE issued_on >= d.last_month AND number IS NOT NULL AND status <> 'void'
            GROUP BY currency ORDER BY currency) b) AS billed,
        (SELECT coalesce(json_agg(f), '[]') FROM (
            SELECT currency, {SUMS} FROM open_deals WHERE value IS NOT NULL
            GROUP BY currency ORDER BY currency) f) AS forecast
    FROM d""",  # noqa: S608
    deal_owner_id=None,
)


def dashboard() -> dict[str, Any]:
    """The firm's numbers as of now, each with the path of the list it counts."""
    [row] = _NUMBERS.all()
    zone = ZoneInfo(row["timezone"])
    this_month, last_month = _bounds(row, zone)
    return {
        "engagements": [
            {
                **group,
                "query": _list("engagements", status=group["status"], health=group["health"]),
            }
            for group in row["engagements"]
        ],
        "health_reasons": [
            {**reason, "query": _list("engagements", health_reason=reason["kind"])}
            for reason in row["reasons"]
        ],
        "overdue_invoices": {
            "amounts": row["overdue_invoices"],
            "count": sum(each["count"] for each in row["overdue_invoices"]),
            "query": _list("invoices", overdue="true"),
        },
        "overdue_tasks": {
            "count": row["overdue_tasks"],
            "query": _list("tasks", overdue="true"),
        },
        "signatures_waiting": {
            "count": row["signatures_waiting"],
            "query": _list("proposals", status="sent"),
        },
        "signed": {
            "amounts": row["signed"],
            "query": _list("orders", created_from=_moment(this_month)),
            "last_query": _list(
                "orders", created_from=_moment(last_month), created_before=_moment(this_month)
            ),
        },
        "billed": {
            "amounts": row["billed"],
            "query": _list("invoices", issued_from=row["this_month"].isoformat()),
            "last_query": _list(
                "invoices",
                issued_from=row["last_month"].isoformat(),
                issued_until=(row["this_month"] - dt.timedelta(days=1)).isoformat(),
            ),
        },
        "forecast": {
            "amounts": amounts(row["forecast"], {"stage": open_stages()}),
            "query": deals(stage=open_stages(), has_value="true"),
        },
    }


def _bounds(row: Row, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """When this month and the last one began, where the organization is."""
    this, last = (
        dt.datetime.combine(row[name], dt.time(), zone) for name in ("this_month", "last_month")
    )
    return this, last


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _list(name: str, **filters: str) -> str:
    return f"/api/{name}?{urlencode(filters)}"
