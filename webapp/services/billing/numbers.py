"""Numbers for people: one series for each kind of document and organization."""

from __future__ import annotations

from models.db.base import uuid7
from models.db.queries import execute
from models.db.tenancy import current_organization_id

PREFIXES = {"proposal": "P", "contract": "C", "order": "O", "invoice": "INV"}

_NEXT = """
    INSERT INTO number_series (organization_id, id, series, last)
    VALUES (%(organization_id)s, %(id)s, %(series)s, 1)
    ON CONFLICT (organization_id, series) DO UPDATE SET last = number_series.last + 1
    RETURNING last"""


def next_number(series: str) -> str:
    """The next number of a series, such as `O-00042`; a rollback gives it back.

    The series stays locked until the transaction ends, so take it as late as can be.
    """
    keys = {"organization_id": current_organization_id(), "id": uuid7(), "series": series}
    [row] = execute(_NEXT, keys)
    return f"{PREFIXES[series]}-{row['last']:05d}"
