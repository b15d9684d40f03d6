"""Safeguards of online payment (nothing is believed that is not proven), and the audit of money."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

LINKS = "webapp/services/billing/payment_links.py"
EVENTS = "webapp/services/billing/payment_events.py"
AUDIT = "webapp/services/billing/audit.py"
UNITS = "webapp/services/billing/minor_units.py"
STRIPE = "webapp/core/checkout.py"

_audit = "tests/api/billing/test_audit.py::test_{}".format
_links = "tests/api/billing/online/test_payment_links.py::test_{}".format
_events = "tests/api/billing/online/test_payment_events.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the signature of a webhook",
        STRIPE,
        "        stripe.WebhookSignature.verify_header("
        "payload, signature, secret, TOLERANCE_SECONDS)\n",
        "",
        _events("a_forged_event_is_refused_and_leaves_nothing"),
    ),
    without(
        "how old a webhook's signature may be",
        STRIPE,
        "signature, secret, TOLERANCE_SECONDS)",
        "signature, secret, None)",
        _events("an_event_that_was_caught_and_sent_later_is_refused"),
    ),
    without(
        "that a payment event is kept once",
        EVENTS,
        "    ON CONFLICT (organization_id, event_id) DO NOTHING\n",
        "",
        _events("an_event_that_is_repeated_counts_once"),
    ),
    without(
        "that a payment event's invoice is its session's",
        EVENTS,
        'if session is None or session["invoice_id"] != event.invoice_id:',
        "if session is None:",
        _events("metadata_alone_proves_nothing"),
    ),
    without(
        "that a payment event's session at Stripe is the stored one",
        EVENTS,
        """    if told is not None and session["stripe_session_id"] not in (None, told):\n""",
        "    if False:\n",
        _events("metadata_alone_proves_nothing"),
    ),
    without(
        "the amount and currency of an online payment",
        EVENTS,
        '    if (facts.get("amount"), facts.get("currency")) != '
        "(amount, session.currency.lower()):\n",
        "    if False:\n",
        _events("another_amount_than_was_asked_for_is_not_taken_for_the_payment"),
    ),
    without(
        "that an online payment's session pays once",
        EVENTS,
        '    if session.status == "paid":\n        return "known"\n',
        "",
        _events("a_payment_that_was_given_back_in_part_is_not_paid_again"),
    ),
    without(
        "that a late event of payment takes nothing back",
        EVENTS,
        "    if session.status not in among:\n",
        "    if False:\n",
        _events("in_whatever_order_the_events_of_a_payment_come_it_is_one_payment"),
    ),
    without(
        "that an older refund event takes nothing back",
        EVENTS,
        "    if given_back <= session.refunded:\n",
        "    if False:\n",
        _events("refunds_that_are_told_before_the_payment_and_out_of_order_are_all_recorded"),
    ),
    without(
        "that refunds recorded by hand count",
        EVENTS,
        "    missing = min(session.refunded, payment.amount) - payment.refunded\n",
        "    missing = min(session.refunded, payment.amount)\n",
        _events("refunds_follow_stripe_as_far_as_they_were_not_recorded_by_hand"),
    ),
    without(
        "that an online payment of a void invoice is credit",
        EVENTS,
        '    elif invoice.status in ("draft", "void"):\n',
        "    elif False:\n",
        _events("what_comes_for_a_void_invoice_is_the_client_s_credit"),
    ),
    without(
        "that an online payment recorded by hand counts",
        EVENTS,
        "    if known is not None:  # somebody was faster, by hand\n",
        "    if False:\n",
        _events("a_payment_that_somebody_recorded_by_hand_is_not_counted_again"),
    ),
    without(
        "the idempotency key of a payment page",
        STRIPE,
        '{"idempotency_key": str(session["id"])}',
        "{}",
        _links("many_who_ask_at_once_get_one_page"),
    ),
    without(
        "that a payment link is for what is open",
        LINKS,
        "        if session.amount == amount and _lives(session):\n",
        "        if _lives(session):\n",
        _links("a_link_for_another_amount_is_replaced_and_its_page_closed"),
    ),
    without(
        "that no payment link is made while a debit is under way",
        LINKS,
        '        if session.status == "processing":\n',
        "        if False:\n",
        _events("a_debit_is_under_way_until_it_has_succeeded"),
    ),
    without(
        "the currencies of payment pages without a smaller unit",
        UNITS,
        "    if currency in ZERO_DECIMAL:\n        return 1\n",
        "",
        _links("amounts_are_sent_in_the_smallest_unit_of_their_currency"),
    ),
    without(
        "that sums of money are audited",
        AUDIT,
        " WHERE t.{stated} <> p.actual ORDER",
        " WHERE false ORDER",
        _audit("a_sum_that_is_not_that_of_its_parts_is_told"),
    ),
    without(
        "that gaps of numbers are audited",
        AUDIT,
        "            missing = sorted(wanted - spent[name])\n",
        "            missing: list[int] = []\n",
        _audit("a_number_that_no_document_has_is_told"),
    ),
    without(
        "that an order's schedule is audited",
        AUDIT,
        "        to_come = _to_come(row)\n",
        "        to_come = Decimal(0)\n",
        _audit("a_schedule_counts_what_is_still_to_be_drafted"),
    ),
)
