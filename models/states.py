"""Every state machine of the product, declared once, as data.

Services, schemas, the OpenAPI document and the docs all read these tables
(rulings.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CheckConstraint


@dataclass(frozen=True)
class State:
    """One state: its number and label on the wire, and the states it may move to.

    `reason_for` names the moves that need a reason in words.
    """

    number: int
    label: str
    to: tuple[str, ...] = ()
    reason_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateMachine:
    """The states of one thing by slug; the slug is what the database holds."""

    name: str
    states: dict[str, State]
    column: str = "status"
    _by_token: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for slug, state in self.states.items():
            unknown = set(state.to) - set(self.states)
            if unknown or set(state.reason_for) - set(state.to):
                raise ValueError(f"{self.name}.{slug}: bad targets {state.to} {state.reason_for}")
            for token in (slug, state.label.lower(), str(state.number)):
                if self._by_token.setdefault(token, slug) != slug:
                    raise ValueError(f"{self.name}: {token!r} names two states")

    @property
    def initial(self) -> str:
        """The slug of the state things start in: the first one declared."""
        return next(iter(self.states))

    def parse(self, value: Any) -> str | None:
        """The slug meant by a number, a label or a slug in any letter case; None if none is."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return None
        return self._by_token.get(str(value).strip().lower())

    def label(self, slug: str) -> str:
        return self.states[slug].label

    def number(self, slug: str) -> int:
        return self.states[slug].number

    def labels(self, slugs: tuple[str, ...]) -> list[str]:
        return [self.states[slug].label for slug in slugs]

    def allows(self, current: str, target: str) -> bool:
        """Whether a thing in state `current` may move to `target`."""
        return target in self.states[current].to

    def needs_reason(self, current: str, target: str) -> bool:
        return target in self.states[current].reason_for

    def check(self) -> CheckConstraint:
        """The CHECK that keeps the column inside the machine."""
        slugs = ", ".join(f"'{slug}'" for slug in self.states)
        return CheckConstraint(f"{self.column} IN ({slugs})", name=f"{self.column}_known")


DEAL = StateMachine(
    "deal",
    {
        "lead": State(1, "Lead", ("qualified", "proposal", "negotiation", "won", "lost")),
        "qualified": State(2, "Qualified", ("lead", "proposal", "negotiation", "won", "lost")),
        "proposal": State(3, "Proposal", ("qualified", "negotiation", "won", "lost")),
        "negotiation": State(4, "Negotiation", ("proposal", "won", "lost")),
        "won": State(5, "Won"),
        "lost": State(6, "Lost", ("lead",)),
    },
    column="stage",
)

PROPOSAL = StateMachine(
    "proposal",
    {
        "draft": State(0, "Draft", ("sent",)),
        "sent": State(1, "Sent", ("signed", "declined", "expired", "draft")),
        "signed": State(2, "Signed"),
        "declined": State(3, "Declined", ("draft",)),
        "expired": State(4, "Expired", ("draft",)),
    },
)

CONTRACT = StateMachine(
    "contract",
    {
        "draft": State(0, "Draft", ("sent", "signed", "cancelled")),
        "sent": State(1, "Sent", ("signed", "expired", "cancelled")),
        "signed": State(2, "Signed"),
        "expired": State(3, "Expired", ("draft", "cancelled")),
        "cancelled": State(4, "Cancelled"),
    },
)

ENGAGEMENT = StateMachine(
    "engagement",
    {
        "active": State(1, "Active", ("on_hold", "completed", "cancelled")),
        "on_hold": State(2, "Paused", ("active", "completed", "cancelled")),
        "completed": State(3, "Closed", ("cancelled",)),
        "cancelled": State(4, "Cancelled"),
    },
)

PROJECT = StateMachine(
    "project",
    {
        "active": State(1, "Active", ("on_hold", "completed", "cancelled")),
        "on_hold": State(2, "Paused", ("active", "completed", "cancelled")),
        "completed": State(3, "Completed", ("active",), reason_for=("active",)),
        "cancelled": State(4, "Cancelled"),
    },
)

PHASE = StateMachine(
    "phase",
    {
        "kickoff": State(1, "Kickoff", ("setup",)),
        "setup": State(2, "Setup", ("build",)),
        "build": State(3, "Build", ("testing",)),
        "testing": State(4, "Testing", ("deployment", "build"), reason_for=("build",)),
        "deployment": State(5, "Deployment", ("handoff",)),
        "handoff": State(6, "Handoff"),
    },
    column="phase",
)

TASK = StateMachine(
    "task",
    {
        "todo": State(1, "To-do", ("in_progress", "completed", "cancelled")),
        "in_progress": State(2, "In progress", ("todo", "review", "completed", "cancelled")),
        "review": State(3, "Review", ("in_progress", "completed", "cancelled")),
        "completed": State(4, "Completed", ("todo",)),
        "cancelled": State(5, "Cancelled", ("todo",)),
    },
)

CONVERSATION = StateMachine(
    "conversation",
    {"open": State(1, "Open", ("closed",)), "closed": State(2, "Closed", ("open",))},
)

ORDER = StateMachine(
    "order",
    {
        "unpaid": State(1, "Unpaid", ("partially_paid", "paid", "cancelled")),
        "partially_paid": State(2, "Partially paid", ("unpaid", "paid", "cancelled")),
        "paid": State(3, "Paid", ("partially_paid", "unpaid", "refunded")),
        "cancelled": State(4, "Cancelled"),
        "refunded": State(5, "Refunded"),
    },
)

# Sent, viewed, partially paid and overdue are facts beside these; 2 and 4 were such states once.
INVOICE = StateMachine(
    "invoice",
    {
        "draft": State(0, "Draft", ("open", "void")),
        "open": State(1, "Open", ("paid", "void", "uncollectible"), ("uncollectible",)),
        "paid": State(3, "Paid", ("open",)),
        "void": State(5, "Void"),
        "uncollectible": State(6, "Uncollectible", ("paid",)),
    },
)

BANK_ENTRY = StateMachine(
    "bank_entry",
    {
        "pending": State(0, "Pending", ("accepted", "dismissed")),
        "accepted": State(1, "Accepted"),
        "dismissed": State(2, "Dismissed", ("accepted",)),
    },
)

MACHINES = {
    machine.name: machine
    for machine in (
        DEAL, PROPOSAL, CONTRACT, ENGAGEMENT, PROJECT, PHASE, TASK, CONVERSATION, ORDER, INVOICE,
        BANK_ENTRY,
    )
}  # fmt: skip


def state_label(entity_type: str, event_type: str, slug: str | None) -> str | None:
    """A state that an event tells of, by its label, as the record itself shows it."""
    machine = MACHINES.get("phase" if event_type == "phase_changed" else entity_type)
    if slug is None or machine is None or slug not in machine.states:
        return slug
    return machine.label(slug)
