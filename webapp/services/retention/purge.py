"""The purge: what was trashed long ago goes for good, children first, in bounded batches.

What may go, and what holds it back, is the table in `retention`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, not_, select, text, update

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.identity import Organization
from models.sales import Signature, SignedDocument
from webapp.services.common.batches import delete_batch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.retention.rules import GONE_BEFORE, IDS, RULES, TENANT, Rule

LIMIT = 1000
# The application's role cannot delete these; a function of the database does, by rules of its own.
EVIDENCE = (Signature, SignedDocument)


def purge(limit: int = LIMIT) -> dict[str, int]:
    """Hard-delete up to `limit` rows past their retention; returns how many of each table.

    When the bound was reached it asks for the next run itself (retention.md, *Purge*).
    """
    counts: dict[str, int] = {}
    values = _ends_of_retention()
    left = limit
    for rule in RULES:
        values["ids"] = _take(rule, left, values)
        if not values["ids"]:
            continue
        if rule.model is Engagement:
            _mark_begun(values["ids"])
        # The records at hand are locked, so nobody restores one while it loses what is below.
        for model, condition in (*rule.below, (rule.model, rule.model.id == any_(IDS))):
            count = _delete(model, condition, left, values)
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


def _mark_begun(engagement_ids: Sequence[UUID]) -> None:
    """From now on the engagements cannot be restored: a part of them may be gone already."""
    db.session.execute(
        update(Engagement)
        .where(
            Engagement.organization_id == current_organization_id(),
            Engagement.id.in_(engagement_ids),
            Engagement.purge_started_at.is_(None),
        )
        .values(purge_started_at=func.now())
        .execution_options(synchronize_session=False)
    )


def _delete(
    model: Any, condition: ColumnElement[bool], limit: int, values: Mapping[str, Any]
) -> int:
    """Delete up to `limit` rows of `model` in this organization; returns how many there were.

    Evidence goes through the function that keeps what is inside its years or on hold.
    """
    if model not in EVIDENCE:
        return delete_batch(model, condition, limit, values)
    found = (
        select(model.id)
        .where(model.organization_id == current_organization_id(), condition)
        .limit(limit)
    )
    ids = list(db.session.scalars(found, values))
    purged = db.session.scalar(_PURGE_EVIDENCE, {"table": model.__tablename__, "ids": ids})
    return int(purged or 0)


_PURGE_EVIDENCE = text("SELECT purge_evidence(:table, CAST(:ids AS uuid[]))")
