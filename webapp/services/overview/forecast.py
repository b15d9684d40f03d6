"""What the open deals may bring, weighted by how likely they are (rulings.md, *Forecast*)."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from models.db.queries import CompiledQuery
from models.states import DEAL
from webapp.services.identity.organization import DEFAULTS

OPEN_STAGES = tuple(DEFAULTS["stage_probabilities"])
# How likely a deal in each open stage is, by the organization's settings; and each open deal that
# has a value, rounded by itself, so that stages, months and totals add up to the same.
_STAGES = ", ".join(f"('{stage}', {n})" for stage, n in DEFAULTS["stage_probabilities"].items())
STAGES_AND_DEALS = f"""
    stages AS MATERIALIZED (
        SELECT v.stage, (now() AT TIME ZONE o.timezone)::date AS day,
               coalesce((o.settings -> 'stage_probabilities' ->> v.stage)::int, v.probability)
                 AS probability
        FROM organizations o CROSS JOIN (VALUES {_STAGES}) v (stage, probability)),
    open_deals AS MATERIALIZED (
        SELECT e.stage, e.currency, e.value, e.expected_close_date,
               round(e.value * coalesce(e.probability, s.probability) / 100, 2) AS weighted
        FROM stages s JOIN deals e ON e.stage = s.stage
        WHERE e.deleted_at IS NULL
          AND (%(deal_owner_id)s::text IS NULL OR e.owner_id = %(deal_owner_id)s))"""  # noqa: S608
SUMS = "count(*) AS count, sum(value)::text AS value, sum(weighted)::text AS weighted"
_FORECAST = CompiledQuery.of_sql(
    f"""
    WITH {STAGES_AND_DEALS}
    SELECT
        (SELECT to_char(min(day), 'YYYY-MM') FROM stages) AS this_month,
        (SELECT json_agg(s) FROM (
            SELECT s.stage, s.probability, count(d.stage) AS count
            FROM stages s LEFT JOIN open_deals d ON d.stage = s.stage GROUP BY 1, 2) s) AS stages,
        (SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT stage, currency, {SUMS} FROM open_deals WHERE value IS NOT NULL
            GROUP BY stage, currency ORDER BY currency) a) AS by_stage,
        (SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT to_char(expected_close_date, 'YYYY-MM') AS month, currency, {SUMS}
            FROM open_deals WHERE value IS NOT NULL
            GROUP BY month, currency ORDER BY month NULLS LAST, currency) a) AS by_month,
        (SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT currency, {SUMS} FROM open_deals WHERE value IS NOT NULL
            GROUP BY currency ORDER BY currency) a) AS totals,
        (SELECT count(*) FROM open_deals WHERE value IS NULL) AS without_value"""  # noqa: S608
)


def forecast(owner_id: str | None = None) -> dict[str, Any]:
    """The open deals by stage and by the month they are expected to close, each currency by itself.

    `weighted` is the value times the probability. Each number comes with the path of the list that
    it counts. With `owner_id` it is about the deals of that owner alone.
    """
    [row] = _FORECAST.all(deal_owner_id=owner_id)
    owner = {} if owner_id is None else {"owner_id": owner_id}
    everything = {"stage": open_stages(), **owner}
    stages = {each["stage"]: each for each in row["stages"]}
    return {
        "stages": [
            {
                **stages[stage],
                "query": deals(stage=DEAL.label(stage), **owner),
                "amounts": amounts(
                    (each for each in row["by_stage"] if each["stage"] == stage),
                    {"stage": DEAL.label(stage), **owner},
                ),
            }
            for stage in OPEN_STAGES
        ],
        "months": [
            {
                "month": month,
                "is_past": month is not None and month < row["this_month"],
                "amounts": amounts(
                    (each for each in row["by_month"] if each["month"] == month),
                    {**everything, **_within(month)},
                ),
            }
            for month in dict.fromkeys(each["month"] for each in row["by_month"])
        ],
        "totals": amounts(row["totals"], everything),
        "without_value": {
            "count": row["without_value"],
            "query": deals(**everything, has_value="false"),
        },
    }


def open_stages() -> str:
    """The open stages, as the list of deals is filtered by them."""
    return ",".join(DEAL.labels(OPEN_STAGES))


def deals(**filters: str) -> str:
    """The path of the list of deals with these filters."""
    return f"/api/deals?{urlencode(filters)}"


def amounts(found: Iterable[Mapping[str, Any]], filters: Mapping[str, str]) -> list[dict[str, Any]]:
    """The sums of deals with these filters, each with the path of the list of its currency."""
    return [
        {**each, "query": deals(**filters, currency=each["currency"], has_value="true")}
        for each in found
    ]


def _within(month: str | None) -> dict[str, str]:
    if month is None:
        return {"has_expected_close_date": "false"}
    first = dt.date.fromisoformat(f"{month}-01")
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    return {
        "expected_close_from": first.isoformat(),
        "expected_close_until": last.isoformat(),
    }
