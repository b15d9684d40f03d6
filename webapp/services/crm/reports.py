"""Why deals are lost, from which stage, and when (rulings.md, *Reports*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from models.db.queries import CompiledQuery

BY = ("reason", "stage", "month")
# Months and days are the organization's. What the rows are not told by is null in all of them.
_LOST = CompiledQuery.of_sql("""
    WITH o AS MATERIALIZED (SELECT timezone FROM organizations)
    SELECT CASE WHEN %(by_reason)s THEN btrim(d.lost_reason) END AS reason,
           CASE WHEN %(by_stage)s THEN d.lost_from END AS stage,
           CASE WHEN %(by_month)s
                THEN to_char(d.closed_at AT TIME ZONE o.timezone, 'YYYY-MM') END AS month,
           d.currency, count(*) AS count, sum(d.value) AS value
    FROM deals d CROSS JOIN o
    WHERE d.stage = 'lost' AND d.deleted_at IS NULL
      AND (%(lost_from)s::date IS NULL
           OR d.closed_at >= %(lost_from)s::timestamp AT TIME ZONE o.timezone)
      AND (%(lost_until)s::date IS NULL
           OR d.closed_at < (%(lost_until)s::date + 1)::timestamp AT TIME ZONE o.timezone)
    GROUP BY 1, 2, 3, 4 ORDER BY 3, 5 DESC, 1, 2, 4""")


def lost_deals(
    by: Collection[str], lost_from: dt.date | None = None, lost_until: dt.date | None = None
) -> list[dict[str, Any]]:
    """How many deals were lost, and what they were worth, for each currency.

    `by` says what they are told by: reason, the stage they were lost from, month.
    """
    told = {f"by_{name}": name in by for name in BY}
    rows = _LOST.all(**told, lost_from=lost_from, lost_until=lost_until)
    return [
        {name: value for name, value in row.items() if name not in BY or name in by} for row in rows
    ]
