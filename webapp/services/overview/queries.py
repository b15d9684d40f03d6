"""What the console's first page shows: the latest of everything, one statement each."""

from __future__ import annotations

from dataclasses import replace

from models.db.queries import Row
from webapp.services.common.reads import PageRequest
from webapp.services.engagements.queries import ENGAGEMENTS, PROJECTS
from webapp.services.sales.queries import PROPOSALS

_LATEST = PageRequest(limit=10)
_ENGAGEMENTS = replace(ENGAGEMENTS, extra={**ENGAGEMENTS.extra, "projects": PROJECTS})


def latest_proposals() -> list[Row]:
    """The organization's ten newest proposals."""
    return PROPOSALS.page(_LATEST).rows


def latest_engagements() -> list[Row]:
    """The organization's ten newest engagements, with their projects."""
    return _ENGAGEMENTS.page(_LATEST).rows
