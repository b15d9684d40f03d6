"""No signature is refused for load: an answer 429 or 503 needs a fault that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.chaos.clients import TurnedAway

# What was broken works again, and connections to it are still being made anew.
GRACE_SECONDS = 3.0


def unexplained(
    turned_away: Iterable[TurnedAway], broken: Sequence[tuple[float, float]]
) -> list[TurnedAway]:
    """Those asked for and answered while web and PostgreSQL, by the stretches `broken`, worked."""
    return [
        one
        for one in turned_away
        if not any(
            begin <= one.answered and one.sent <= end + GRACE_SECONDS for begin, end in broken
        )
    ]
