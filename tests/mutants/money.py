"""Safeguards of money: final invoices, numbers, payments, credit, schedules, health."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

INVOICES = "webapp/services/billing/invoices.py"
SETTLING = "webapp/services/billing/settlement.py"
CREDITING = "webapp/services/billing/credit_notes.py"
IMPORTING = "webapp/services/billing/bank_statements.py"
READING = "webapp/services/billing/bank_files.py"
CAMT = "webapp/services/billing/camt.py"
MATCHING = "webapp/services/billing/bank_matching.py"
REMINDING = "webapp/services/billing/reminders.py"
PLANNING = "webapp/services/billing/schedules.py"
TOTALS = "webapp/services/billing/totals.py"
HEALTH = "webapp/services/engagements/health.py"
RULES = "webapp/services/engagements/health_rules.py"
SETTINGS = "webapp/services/identity/organization.py"

_after = "tests/api/billing/test_after_finalizing.py::test_{}".format
_invoices = "tests/api/billing/test_invoices.py::test_{}".format
_payments = "tests/api/billing/test_payments.py::test_{}".format
_statements = "tests/api/billing/test_bank_statements.py::test_{}".format
_entries = "tests/api/billing/test_bank_entries.py::test_{}".format
_schedules = "tests/api/billing/test_schedules.py::test_{}".format
_health = "tests/api/engagements/test_health.py::test_{}".format
_machine = "tests/scenarios/test_money_machine.py::test_no_sequence_of_calls_loses_or_doubles_money"

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that a bank's file has no document type",
        CAMT,
        "    parser.StartDoctypeDeclHandler = no_document_type\n",
        "",
        _statements("entities_and_document_types_are_refused_before_anything_is_read"),
    ),
    without(
        "that transactions add up to their booking",
        CAMT,
        "        and sum(known) == amount\n",
        "",
        _statements("a_collective_booking_becomes_its_transactions_where_they_add_up"),
    ),
    without(
        "that only what is booked is imported",
        CAMT,
        """            if _text(entry, "Sts/Cd", "Sts") in (None, "BOOK"):""",
        "            if True:",
        _statements("both_versions_of_camt_are_read"),
    ),
    without(
        "that a bank's entry is added once",
        IMPORTING,
        "if digest not in there]",
        "]",
        _statements("statements_that_overlap_add_an_entry_once"),
    ),
    without(
        "the second of two entries alike",
        READING,
        "            what += (str(alike[what]),)\n",
        "",
        _statements("without_a_reference_two_alike_in_one_file_are_two_and_in_two_files_one"),
    ),
    without(
        "that nobody guesses at thousands",
        READING,
        ' or (mark is None and group in ".," and whole.count(group) == 1)',
        "",
        _statements("a_csv_that_is_wrong_is_refused_by_line_and_column"),
    ),
    without(
        "that only credits settle",
        IMPORTING,
        '    if entry.direction != "credit":\n',
        "    if False:\n",
        _entries("money_that_went_out_settles_nothing"),
    ),
    without(
        "that an entry is accepted once",
        IMPORTING,
        '    move(entry, BANK_ENTRY, "accepted")\n',
        '    entry.status = "accepted"\n',
        _entries("an_entry_is_accepted_once_however_many_try_at_once"),
    ),
    without(
        "the currency of a proposed invoice",
        MATCHING,
        '        if each.currency != entry["currency"]:\n            continue\n',
        "",
        _entries("nothing_is_proposed_in_another_currency_or_of_what_is_paid_or_a_draft"),
    ),
    without(
        "the weight of a number in a bank's text",
        MATCHING,
        "        weight = 4 * by_number + 2 * by_amount + by_name\n",
        "        weight = 2 * by_number + 4 * by_amount + by_name\n",
        _entries("proposals_are_ranked_by_number_then_amount_then_name"),
    ),
    without(
        "what the law needs of an invoice",
        INVOICES,
        "    if lacking:\n        raise Invalid(lacking)\n",
        "",
        _invoices("what_the_law_needs_and_is_not_known_is_named_and_no_number_is_spent"),
    ),
    without(
        "that a final invoice is not edited",
        INVOICES,
        '    if invoice.status != "draft":\n        raise Conflict(FINAL)\n',
        "",
        _invoices("a_final_invoice_is_not_edited_deleted_or_finalized_again"),
    ),
    without(
        "that a paid invoice is not voided",
        INVOICES,
        "    if invoice.paid or invoice.credited:\n",
        "    if False:\n",
        _invoices("an_unpaid_invoice_can_be_voided_and_a_paid_one_cannot"),
    ),
    without(
        "that a closed engagement takes no invoice",
        INVOICES,
        '    refuse_if_over(engagement, "takes no new invoices")\n',
        "",
        _invoices("a_closed_engagement_takes_no_new_invoice_and_still_payments_and_credits"),
    ),
    without(
        "the lock of the invoices that a payment settles",
        SETTLING,
        "        .order_by(Invoice.id)\n        .with_for_update()\n",
        "        .order_by(Invoice.id)\n",
        _payments("of_many_transfers_at_once_none_goes_above_the_total"),
    ),
    without(
        "that no payment is above what is open",
        SETTLING,
        "    if amount > open_of(invoice) and not keep_excess:\n",
        "    if False:\n",
        _payments("too_much_is_refused_with_the_remainder_and_changes_nothing"),
    ),
    without(
        "the currency of a settled invoice",
        SETTLING,
        '        elif found.currency != values["currency"]:\n',
        "        elif False:\n",
        _payments("a_transfer_that_does_not_fit_is_refused_by_name"),
    ),
    without(
        "that a refund opens what it was taken from",
        SETTLING,
        "    _release(payment, settled, invoices, amount - credit_of(payment))\n",
        "",
        _payments("a_refund_takes_credit_first_and_then_opens_the_latest_invoice_again"),
        _machine,
    ),
    without(
        "that a payment above a credited invoice becomes credit",
        CREDITING,
        "    release_excess(invoice, amount - (left - invoice.paid))\n",
        "",
        _payments("what_was_paid_above_a_credited_invoice_is_the_client_s_credit"),
        _machine,
    ),
    without(
        "that no more is credited than is left",
        CREDITING,
        "    if not 0 < amount <= left:\n",
        "    if False:\n",
        _payments("the_whole_invoice_is_credited_with_its_lines"),
    ),
    without(
        "that an order follows its invoices",
        SETTLING,
        "    if target != order.status:\n        move(order, ORDER, target)\n",
        "",
        _payments("an_order_follows_its_invoices"),
    ),
    without(
        "the rounding of tax by its group",
        TOTALS,
        "rounded(net * rate / 100)",
        "rounded(net / 3 * rate / 100) * 3",
        "tests/services/billing/test_totals.py"
        "::test_tax_is_rounded_once_for_each_rate_and_not_for_each_line",
    ),
    without(
        "that an overdue invoice is told once",
        REMINDING,
        "            invoice.overdue_told_on = day\n",
        "",
        _after("that_an_invoice_became_overdue_is_told_once_and_reminded_of_in_steps"),
    ),
    without(
        "that what is settled is not reminded of",
        REMINDING,
        '    if only_open and invoice.status != "open":\n        return None\n',
        "",
        _after("a_reminder_is_not_sent_for_what_was_paid_or_never_sent"),
    ),
    without(
        "the day on which a payment counts",
        SETTLING,
        "min(amount, open_of(invoice)), at=payment.received_at)",
        "min(amount, open_of(invoice)), at=now())",
        _after("the_aging_of_a_day_counts_what_had_been_paid_and_credited_by_then"),
    ),
    without(
        "that a paused engagement is not billed",
        PLANNING,
        '            if engagement.status == "active" and parts:\n',
        "            if parts:\n",
        _schedules("a_paused_engagement_lets_its_periods_pass_and_a_closed_one_ends_them"),
    ),
    without(
        "that the periods of a pause are not billed",
        PLANNING,
        "        schedule.next_period = plan_of(schedule).after(yesterday)\n",
        "        pass\n",
        _schedules("the_periods_of_a_pause_are_not_billed"),
    ),
    without(
        "that who judged on older facts has not the last word",
        HEALTH,
        "    execute(_ONE_AT_A_TIME,",
        "    (lambda *_: None)(_ONE_AT_A_TIME,",
        _health("two_that_judge_at_once_end_with_the_later_facts"),
    ),
    without(
        "that a client's message is answered by what the client can see",
        HEALTH,
        " AND NOT a.is_internal\n",
        "\n",
        _health("a_client_s_message_counts_until_it_is_answered"),
    ),
    without(
        "the hours in which the firm works",
        RULES,
        "if self.calendar.has_passed(fact.since, thresholds.unanswered_hours, self.now):",
        "if True:",
        _health("a_message_is_not_late_before_the_working_hours_have_passed"),
    ),
    without(
        "the version of an organization's settings",
        SETTINGS,
        "    if expected_row_version not in (None, found.row_version):\n",
        "    if False:\n",
        "tests/api/identity/test_organization.py::test_nobody_overwrites_what_they_have_not_seen",
    ),
)
