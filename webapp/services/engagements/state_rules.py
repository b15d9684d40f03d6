"""What an engagement's state forbids (E, *Status*; rulings.md, *Engagement moves*)."""

from __future__ import annotations

from models.engagements import Engagement
from models.states import ENGAGEMENT
from webapp.services.common.exceptions import Conflict

OVER = ("completed", "cancelled")


def refuse_if_over(engagement: Engagement, what: str) -> None:
    """Raises Conflict naming the state, and `what`, when the engagement is closed or cancelled."""
    if engagement.status in OVER:
        raise Conflict(f"The engagement is {ENGAGEMENT.label(engagement.status)} and {what}.")
