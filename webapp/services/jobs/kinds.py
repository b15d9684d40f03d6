"""The kinds of jobs, in one table: web, worker, dispatcher and beat all read it.

A name is for ever: rows with it are in databases. What a job of a kind does is in `tasks/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.jobs import MAX_ATTEMPTS

LONGEST_PAUSE = 300  # seconds


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are treated.

    `urgent` ones are hinted at and run before all others, because somebody waits for them.
    `batch` is how many waiting jobs of one organization one transaction takes; 0 means that each
    is run by itself. `max_attempts` counts every try, also one whose process died. `queue` is the
    broker's queue that its hints go to.
    """

    name: str
    urgent: bool = False
    batch: int = 0
    max_attempts: int = MAX_ATTEMPTS
    queue: str = "jobs"

    def pause(self, attempt: int) -> int:
        """The seconds before the next try, after the failure of this one (counted from 1)."""
        return int(min(LONGEST_PAUSE, 2**attempt))


KINDS: dict[str, JobKind] = {
    kind.name: kind
    for kind in (
        JobKind("sales.fulfil_signature", urgent=True),
        JobKind("sales.render_signed_document"),
        JobKind("sales.mail_signing_link"),
        JobKind("sales.mail_signed"),
        JobKind("sales.mail_signed_owner"),
        JobKind("sales.mail_declined"),
        JobKind("sales.expire_proposals"),
        JobKind("activity.record", batch=500),
        JobKind("conversations.touch", batch=200),
        JobKind("deletion.purge"),
        JobKind("jobs.prune"),
    )
}
QUEUES = tuple(dict.fromkeys(kind.queue for kind in KINDS.values()))


def kind_of_row(name: str) -> JobKind:
    """The kind of a stored job; one that only a newer version knows is treated as any other."""
    return KINDS.get(name) or JobKind(name)


def kind_named(name: str) -> JobKind:
    """The kind of this name. Raises ValueError for one that is not in the table."""
    if name not in KINDS:
        raise ValueError(f"no such kind of job: {name}")
    return KINDS[name]
