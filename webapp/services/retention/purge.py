"""The purge: what was trashed long ago goes for good, children first, in bounded batches.

What may go, and what holds it back, is the table in `retention`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import any_, func, not_, select

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.identity import Organization
from webapp.services.common.batches import delete_batch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.retention.rules import GONE_BEFORE, IDS, RULES, TENANT, Rule

LIMIT = 1000


def purge(limit: int = LIMIT) -> dict[str, int]:
    """Hard-delete up to `limit` rows past their retention; returns how many of each table.

    When the bound was reached it asks for the next run itself (product.md, *Purge*).
    """
    counts: dict[str, int] = {}
    values = _ends_of_retention()
    left = limit
    for rule in RULES:
        values["ids"] = _take(rule, left, values)
        if not values["ids"]:
            continue
        # The records at hand are locked, so nobody restores one while it loses what is below.
        for model, condition in (*rule.below, (rule.model, rule.model.id == any_(IDS))):
            count = delete_batch(model, condition, left, values)
            if count:
                counts[model.__tablename__] = counts.get(model.__tablename__, 0) + count
                left -= count
            if left == 0:
                enqueue("deletion.purge", f"more:{uuid7()}", {})
                return counts
    return counts


def _ends_of_retention() -> dict[str, Any]:
    """The times before which trash, and money, need not be kept any more; by the database."""
    organization_id = current_organization_id()
    days, years = Organization.retention_days, Organization.financial_retention_years
    gone_before, settled_before = db.session.execute(
        select(
            func.now() - func.make_interval(0, 0, 0, days), func.now() - func.make_interval(years)
        ).where(Organization.id == organization_id)
    ).one()
    return {
        "organization_id": organization_id,
        "gone_before": gone_before,
        "settled_before": settled_before,
    }


def _take(rule: Rule, limit: int, values: dict[str, Any]) -> list[Any]:
    """Lock up to `limit` records that may go, the longest deleted first, and return their ids.

    What somebody else has locked is left for the next run.
    """
    model = rule.model
    statement = (
        select(model.id)
        .where(model.organization_id == TENANT, model.deleted_at < GONE_BEFORE, not_(rule.kept))
        .order_by(model.deleted_at)
        .limit(limit)
        .with_for_update(of=model, skip_locked=True)
    )
    return list(db.session.scalars(statement, values))
