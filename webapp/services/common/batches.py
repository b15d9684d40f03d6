"""Deleting rows in bounded batches: what purging and pruning have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, any_, delete, func, select

from models.db.base import db
from models.db.tenancy import current_organization_id


def delete_batch(
    model: Any, condition: ColumnElement[bool], limit: int, values: Mapping[str, Any] | None = None
) -> int:
    """Delete up to `limit` rows of `model` in this organization; returns how many there were.

    `values` are those of the parameters that `condition` leaves open.
    """
    organization_id = current_organization_id()
    found = (
        select(model.id)
        .where(model.organization_id == organization_id, condition)
        .limit(limit)
        .correlate(None)
    )
    # As an array the query runs once; as a joined subquery it might run, and be cut, repeatedly.
    chosen = func.array(found.scalar_subquery())
    statement = delete(model).where(
        model.organization_id == organization_id, model.id == any_(chosen)
    )
    result = db.session.execute(
        statement, values or {}, execution_options={"synchronize_session": False}
    )
    return cast("CursorResult[Any]", result).rowcount
