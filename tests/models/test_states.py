"""Each state machine against its ruling, move by move (rulings.md)."""

from __future__ import annotations

from itertools import product

import pytest

from models.states import MACHINES, State, StateMachine

# slug, number and label of every state, in order; the first is where things start.
STATES = {
    "deal": [
        ("lead", 1, "Lead"),
        ("qualified", 2, "Qualified"),
        ("proposal", 3, "Proposal"),
        ("negotiation", 4, "Negotiation"),
        ("won", 5, "Won"),
        ("lost", 6, "Lost"),
    ],
    "proposal": [
        ("draft", 0, "Draft"),
        ("sent", 1, "Sent"),
        ("signed", 2, "Signed"),
        ("declined", 3, "Declined"),
        ("expired", 4, "Expired"),
    ],
    "contract": [
        ("draft", 0, "Draft"),
        ("sent", 1, "Sent"),
        ("signed", 2, "Signed"),
        ("expired", 3, "Expired"),
        ("cancelled", 4, "Cancelled"),
    ],
    "engagement": [
        ("active", 1, "Active"),
        ("on_hold", 2, "Paused"),
        ("completed", 3, "Closed"),
        ("cancelled", 4, "Cancelled"),
    ],
    "project": [
        ("active", 1, "Active"),
        ("on_hold", 2, "Paused"),
        ("completed", 3, "Completed"),
        ("cancelled", 4, "Cancelled"),
    ],
    "phase": [
        ("kickoff", 1, "Kickoff"),
        ("setup", 2, "Setup"),
        ("build", 3, "Build"),
        ("testing", 4, "Testing"),
        ("deployment", 5, "Deployment"),
        ("handoff", 6, "Handoff"),
    ],
    "task": [
        ("todo", 1, "To-do"),
        ("in_progress", 2, "In progress"),
        ("review", 3, "Review"),
        ("completed", 4, "Completed"),
        ("cancelled", 5, "Cancelled"),
    ],
    "conversation": [("open", 1, "Open"), ("closed", 2, "Closed")],
    "order": [
        ("unpaid", 1, "Unpaid"),
        ("partially_paid", 2, "Partially paid"),
        ("paid", 3, "Paid"),
        ("cancelled", 4, "Cancelled"),
        ("refunded", 5, "Refunded"),
    ],
    "invoice": [
        ("draft", 0, "Draft"),
        ("open", 1, "Open"),
        ("paid", 3, "Paid"),
        ("void", 5, "Void"),
        ("uncollectible", 6, "Uncollectible"),
    ],
    "bank_entry": [
        ("pending", 0, "Pending"),
        ("accepted", 1, "Accepted"),
        ("dismissed", 2, "Dismissed"),
    ],
}

# Every move that is allowed; whatever is not here is refused.
MOVES = {
    # Won only by a signature, from any open stage; lost from any open stage; lost -> lead reopens.
    "deal": {
        ("lead", "qualified"),
        ("lead", "proposal"),
        ("lead", "negotiation"),
        ("lead", "won"),
        ("lead", "lost"),
        ("qualified", "lead"),
        ("qualified", "proposal"),
        ("qualified", "negotiation"),
        ("qualified", "won"),
        ("qualified", "lost"),
        ("proposal", "qualified"),
        ("proposal", "negotiation"),
        ("proposal", "won"),
        ("proposal", "lost"),
        ("negotiation", "proposal"),
        ("negotiation", "won"),
        ("negotiation", "lost"),
        ("lost", "lead"),
    },
    # What left Draft comes back there by a revision only; signed is final.
    "proposal": {
        ("draft", "sent"),
        ("sent", "signed"),
        ("sent", "declined"),
        ("sent", "expired"),
        ("sent", "draft"),
        ("declined", "draft"),
        ("expired", "draft"),
    },
    # A proposal's contract is signed with it without having been sent on its own.
    "contract": {
        ("draft", "sent"),
        ("draft", "signed"),
        ("draft", "cancelled"),
        ("sent", "signed"),
        ("sent", "expired"),
        ("sent", "cancelled"),
        ("expired", "draft"),
        ("expired", "cancelled"),
    },
    # Active <-> Paused, both -> Closed, anything else -> Cancelled; Closed -> Active is refused.
    "engagement": {
        ("active", "on_hold"),
        ("active", "completed"),
        ("active", "cancelled"),
        ("on_hold", "active"),
        ("on_hold", "completed"),
        ("on_hold", "cancelled"),
        ("completed", "cancelled"),
    },
    # Completed -> Active reopens; cancelled is final.
    "project": {
        ("active", "on_hold"),
        ("active", "completed"),
        ("active", "cancelled"),
        ("on_hold", "active"),
        ("on_hold", "completed"),
        ("on_hold", "cancelled"),
        ("completed", "active"),
    },
    # One step forward at a time; the only way back is Testing -> Build.
    "phase": {
        ("kickoff", "setup"),
        ("setup", "build"),
        ("build", "testing"),
        ("testing", "deployment"),
        ("testing", "build"),
        ("deployment", "handoff"),
    },
    "task": {
        ("todo", "in_progress"),
        ("todo", "completed"),
        ("todo", "cancelled"),
        ("in_progress", "todo"),
        ("in_progress", "review"),
        ("in_progress", "completed"),
        ("in_progress", "cancelled"),
        ("review", "in_progress"),
        ("review", "completed"),
        ("review", "cancelled"),
        ("completed", "todo"),
        ("cancelled", "todo"),
    },
    "conversation": {("open", "closed"), ("closed", "open")},
    # A payment that turns out not to have come takes the order back a step.
    "order": {
        ("unpaid", "partially_paid"),
        ("unpaid", "paid"),
        ("unpaid", "cancelled"),
        ("partially_paid", "unpaid"),
        ("partially_paid", "paid"),
        ("partially_paid", "cancelled"),
        ("paid", "partially_paid"),
        ("paid", "unpaid"),
        ("paid", "refunded"),
    },
    # Void is final, and a paid invoice is not voided: a credit note takes it back.
    "invoice": {
        ("draft", "open"),
        ("draft", "void"),
        ("open", "paid"),
        ("open", "void"),
        ("open", "uncollectible"),
        ("paid", "open"),
        ("uncollectible", "paid"),
    },
    # A payment is not taken back by its entry; what was dismissed may turn out to be one.
    "bank_entry": {
        ("pending", "accepted"),
        ("pending", "dismissed"),
        ("dismissed", "accepted"),
    },
}

REASONED = {
    "phase": {("testing", "build")},
    "project": {("completed", "active")},
    "invoice": {("open", "uncollectible")},
}


def test_every_machine_has_its_expectation() -> None:
    assert set(MACHINES) == set(STATES) == set(MOVES)


@pytest.mark.parametrize("name", STATES)
def test_a_machine_has_the_ruled_states_in_order(name: str) -> None:
    machine = MACHINES[name]
    declared = [(slug, state.number, state.label) for slug, state in machine.states.items()]
    assert declared == STATES[name]
    assert machine.initial == STATES[name][0][0]


@pytest.mark.parametrize("name", MOVES)
def test_a_machine_allows_the_ruled_moves_and_no_other(name: str) -> None:
    machine = MACHINES[name]
    allowed = {
        (current, target)
        for current, target in product(machine.states, repeat=2)
        if machine.allows(current, target)
    }
    assert allowed == MOVES[name]


@pytest.mark.parametrize("name", MOVES)
def test_only_the_ruled_moves_need_a_reason(name: str) -> None:
    machine = MACHINES[name]
    reasoned = {
        (current, target)
        for current, target in product(machine.states, repeat=2)
        if machine.needs_reason(current, target)
    }
    assert reasoned == REASONED.get(name, set())


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_understood_by_number_label_and_slug_in_any_letter_case(name: str) -> None:
    machine = MACHINES[name]
    for slug, number, label in STATES[name]:
        for token in (number, str(number), slug, slug.upper(), label, label.lower(), f" {label} "):
            assert machine.parse(token) == slug, token
        assert machine.label(slug) == label
        assert machine.number(slug) == number


@pytest.mark.parametrize("value", [None, True, False, 99, -1, 1.0, "", "nonsense", [], {}])
def test_what_names_no_state_is_not_understood(value: object) -> None:
    assert [machine.parse(value) for machine in MACHINES.values()] == [None] * len(MACHINES)


def test_a_machine_with_an_unknown_target_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="bad targets"):
        StateMachine("lamp", {"off": State(0, "Off", ("on",))})


def test_a_machine_whose_states_share_a_name_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="names two states"):
        StateMachine("lamp", {"off": State(0, "Off"), "dark": State(1, "Off")})
