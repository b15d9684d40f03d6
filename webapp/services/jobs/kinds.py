"""The kinds of jobs and the lanes they wait in, in one table: all processes read it.

A name is for ever: rows with it are in databases. What a job of a kind does is in `tasks/`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from models.jobs import MAX_ATTEMPTS

FOR_EVER = None
A_DAY, THREE_DAYS = dt.timedelta(days=1), dt.timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Lane:
    """Jobs that may wait for each other; those of a lane above never wait for one below.

    `aim` is how many seconds after it is due a job should have begun, `consumers` how many
    processes of one worker take jobs from it. They yield the processors to those of a lane with a
    lower `niceness` (nice(2)). No more than `wake_ups` wait in the broker at a time, and each web
    process sends one at once and then, for all jobs that come meanwhile, one every `pause` seconds.
    """

    name: str
    aim: float
    consumers: int
    niceness: int
    pause: float
    wake_ups: int = 20

    @property
    def queue(self) -> str:
        """The broker's queue of its wake-ups."""
        return f"jobs.{self.name}"

    @property
    def task(self) -> str:
        """The Celery task that a wake-up calls."""
        return f"lanes.{self.name}"


# From the most urgent to the least (jobs.md, *Lanes*).
LANES: dict[str, Lane] = {
    lane.name: lane
    for lane in (
        Lane("signature", aim=5, consumers=2, niceness=0, pause=0.02),
        Lane("short", aim=10, consumers=1, niceness=2, pause=0.25),
        Lane("document", aim=60, consumers=2, niceness=5, pause=0.25),
        Lane("outside", aim=60, consumers=2, niceness=5, pause=0.25),
        Lane("webhook", aim=60, consumers=2, niceness=5, pause=0.25),
        Lane("bulk", aim=600, consumers=1, niceness=10, pause=0.25),
    )
}


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are treated.

    `lane` names the line they wait in. `batch` is how many due jobs of one organization one
    transaction takes; 0 means that each is run by itself. Only kinds without an effect outside the
    database have one.

    `max_attempts` counts the tries that failed by an error of the job's own, or whose process died.
    One that an outage ended is excused for as long as `patience` says, from the first try on, or
    for ever; then it counts as well. The pause after a failure is `first_pause` seconds, doubled
    with each try, at most `longest_pause`.
    """

    name: str
    lane: str = "short"
    batch: int = 0
    max_attempts: int = MAX_ATTEMPTS
    first_pause: int = 2
    longest_pause: int = 300
    patience: dt.timedelta | None = A_DAY

    def pause(self, attempt: int) -> int:
        """The seconds before the next try, after the failure of this one (counted from 1)."""
        doublings = min(attempt - 1, 16)  # it has reached the longest pause long before
        return min(self.longest_pause, self.first_pause << doublings)


# A mail server comes back within days; a mail that comes later is of no use to anybody.
_MAIL: dict[str, Any] = {"lane": "outside", "patience": THREE_DAYS}


KINDS: dict[str, JobKind] = {
    kind.name: kind
    for kind in (
        # Somebody waits for it.
        JobKind("sales.fulfil_signature", "signature", batch=8, first_pause=1, patience=FOR_EVER),
        JobKind("sales.fulfil_contract", "signature", first_pause=1, patience=FOR_EVER),
        # In the database only, and quick.
        JobKind("activity.record", "short", batch=500),
        JobKind("conversations.touch", "short", batch=200),
        JobKind("engagements.refresh_health", "short", batch=200),
        JobKind("sales.expire_proposals", "short"),
        JobKind("sales.expire_contracts", "short"),
        JobKind("billing.notice_overdue", "short"),
        JobKind("billing.draft_due_invoices", "short"),
        JobKind("billing.carry_out_payment_event", "short", patience=FOR_EVER),
        # The processor's work.
        JobKind("sales.render_signed_document", "document", batch=8),
        JobKind("billing.render_document", "document", batch=8),
        # Waits for others' servers.
        JobKind("sales.mail_signing_link", **_MAIL),
        JobKind("sales.mail_signed", **_MAIL),
        JobKind("sales.mail_signed_owner", **_MAIL),
        JobKind("sales.mail_declined", **_MAIL),
        JobKind("sales.mail_signed_contract", **_MAIL),
        JobKind("sales.mail_signed_contract_owner", **_MAIL),
        JobKind("engagements.mail_owner", **_MAIL),
        JobKind("conversations.mail_mention", **_MAIL),
        JobKind("billing.mail_invoice", **_MAIL),
        JobKind("billing.mail_reminder", **_MAIL),
        JobKind("billing.expire_checkout", "outside"),
        JobKind("identity.mail_invitation", **_MAIL),
        JobKind("identity.mail_password_reset", **_MAIL),
        JobKind("identity.mail_password_changed", **_MAIL),
        # Waits for receivers' servers, which nobody here has chosen: apart from all others.
        JobKind(
            "webhooks.deliver",
            "webhook",
            max_attempts=3,
            first_pause=5,
            longest_pause=6 * 3600,
            patience=THREE_DAYS,
        ),
        JobKind("webhooks.mail_disabled", **_MAIL),
        # Much at a time, and nobody waits.
        JobKind("webhooks.prune", "bulk"),
        JobKind("deletion.purge", "bulk"),
        JobKind("jobs.prune", "bulk"),
        JobKind("billing.audit_money", "bulk"),
        JobKind("files.sweep", "bulk"),
        JobKind("files.check", "bulk"),
        JobKind("engagements.sweep_health", "bulk"),
        JobKind("identity.hand_over", "bulk"),
    )
}


def kind_named(name: str) -> JobKind:
    """The kind of this name. Raises ValueError for one that is not in the table."""
    if name not in KINDS:
        raise ValueError(f"no such kind of job: {name}")
    return KINDS[name]
