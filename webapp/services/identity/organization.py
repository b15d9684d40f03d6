"""What an organization has set: its own data, and how it works and bills.

What it has not set has the default here (docs/reference/rulings.md, *Organization*).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from typing import Any

from sqlalchemy import select

from models.db.base import db
from models.db.queries import CompiledQuery, Row
from models.db.tenancy import current_organization_id
from models.identity import WEEKDAYS, Organization
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import StaleVersion
from webapp.services.common.writes import organization_row, refuse_duplicate, touch
from webapp.services.identity.audit import record_audit
from webapp.services.jobs.enqueue import enqueue

DEFAULTS: Mapping[str, Any] = {
    "tax_id": None,
    "address": None,
    "bank": None,
    "brand": {"colour": "#1f4f82"},
    "default_tax": {"category": "zero", "rate": "0.00"},
    "payment_days": 14,
    "payment_terms": None,
    "tax_exemption_reason": None,
    "invoice_number_pattern": "{year}-{n:05}",
    "reminder_days": [1, 7, 14],
    "late_fee": None,
    "working_hours": {day: [["09:00", "17:00"]] if n < 5 else [] for n, day in enumerate(WEEKDAYS)},
    "holidays_region": None,
    "thresholds": {
        "idle_days": 14,
        "unanswered_hours": 8,
        "contract_ending_days": 30,
        "at_risk_days": 14,
    },
    # How likely a deal in this stage is won, in percent.
    "stage_probabilities": {"lead": 10, "qualified": 25, "proposal": 50, "negotiation": 75},
}
_COLUMNS = (
    "name", "slug", "timezone", "currency", "link_days", "retention_days",
    "financial_retention_years",
)  # fmt: skip
# What is set in parts: one that is left out keeps its value.
_TELL_ON_HEALTH = {"timezone", "working_hours", "holidays_region", "thresholds"}
_IN_PARTS = ("thresholds", "working_hours", "brand", "stage_probabilities")

# Row-level security shows one organization: the caller's.
_MINE = CompiledQuery.of(select(Organization))


def organization() -> Row:
    """The caller's organization, with every setting."""
    [row] = _MINE.all()
    own = row.pop("settings")
    found = {**row, **DEFAULTS, **{name: own[name] for name in DEFAULTS if name in own}}
    return found | {name: {**DEFAULTS[name], **found[name]} for name in _IN_PARTS}


def update_organization(
    values: Mapping[str, Any], *, expected_row_version: int | None = None
) -> None:
    """Change what the organization has set. Raises StaleVersion, and Conflict for a taken slug."""
    mine = select(Organization).where(Organization.id == current_organization_id())
    found = db.session.scalars(
        mine.with_for_update().execution_options(populate_existing=True)
    ).one()
    if expected_row_version not in (None, found.row_version):
        raise StaleVersion()
    settings = dict(found.settings)
    for name in values.keys() & DEFAULTS.keys():
        part = name in _IN_PARTS
        settings[name] = {**settings.get(name, {}), **values[name]} if part else values[name]
    changed = [
        name for name in _COLUMNS if values.get(name, getattr(found, name)) != getattr(found, name)
    ]
    changed += [name for name in DEFAULTS if settings.get(name) != found.settings.get(name)]
    if not changed:
        return
    taken = f"The slug {values.get('slug')} is taken."
    with refuse_duplicate("uq_organizations_slug", "slug", taken):
        for name in set(changed) & set(_COLUMNS):
            setattr(found, name, values[name])
        found.settings = settings
        touch(found)
    record_activity(found, "updated", metadata={"fields": sorted(changed)})
    record_audit("settings_changed", found, fields=sorted(changed))
    if not _TELL_ON_HEALTH.isdisjoint(changed):
        enqueue("engagements.sweep_health", f"settings:{found.row_version}", {"all": True})


def default_tax() -> Mapping[str, str]:
    """How a line is taxed that does not say so itself: `category`, and `rate` in percent."""
    own: Mapping[str, str] = organization_row()["settings"].get(
        "default_tax", DEFAULTS["default_tax"]
    )
    return own


def public_holidays(region: str | None) -> Container[dt.date]:
    """The public holidays of a region such as `DE` or `DE-BY`; none without one."""
    if region is None:
        return frozenset()
    import holidays  # takes long to load, and few need it

    country, _, subdivision = region.partition("-")
    found: Container[dt.date] = holidays.country_holidays(country, subdiv=subdivision or None)
    return found
