"""Safeguards of drafts and of what their signatures can be carried out for."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

DRAFTING = "webapp/services/sales/drafting.py"
NAMED = "webapp/services/sales/named_engagement.py"
RECORDS = "webapp/services/common/writes.py"

_drafting = "tests/api/sales/test_drafting.py::{}".format
_other = "tests/api/sales/test_drafting.py::TestAnotherCompanysEngagement::test_{}".format
_named = "tests/services/sales/test_named_engagement.py::test_{}".format
_after = "tests/api/sales/test_after_signing.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the count of other items as a change",
        DRAFTING,
        'children=("items",) if is_replaced else ()',
        "children=()",
        _drafting(
            "test_other_items_at_the_same_total_count_a_version_and_refuse_who_has_not_seen_them"
        ),
    ),
    without(
        "the wait for who makes the same company",
        DRAFTING,
        "func.hashtextextended(key, 0)",
        "func.hashtextextended(key, func.txid_current())",
        _drafting("test_concurrent_proposals_for_a_new_client_find_one_company_and_one_contact"),
    ),
    without(
        "the refusal of another company's engagement",
        NAMED,
        "if _company_of(proposal) != company_id:",
        "if False:",
        _other("it_is_refused_when_drafted"),
        _other("a_signature_is_carried_out_apart_when_the_engagement_changes_after_it"),
    ),
    without(
        "the end of what staff said with another client",
        DRAFTING,
        'values.setdefault("allow_other_company", False)',
        "pass",
        _other("the_word_is_for_this_engagement_and_client_alone"),
    ),
    without(
        "the refusal of access to another company's engagement",
        "webapp/services/sales/fulfilment.py",
        "        not may_look_in(engagement, proposal)\n        or _ACCESS",
        "        _ACCESS",
        _other("staff_may_say_so_and_the_contact_gets_no_access_by_it"),
    ),
    without(
        "the bound of an engagement's total",
        NAMED,
        "if total > MAX_MONEY:",
        "if False:",
        _named("what_no_engagement_can_hold_is_refused_when_drafted"),
    ),
    without(
        "the check of the engagement while signing",
        "webapp/services/sales/signing.py",
        "        check_engagement_to_sign(proposal)\n",
        "",
        _named("what_the_engagement_cannot_hold_any_more_is_refused_while_signing"),
        _other("it_is_checked_again_when_the_engagement_has_changed"),
    ),
    without(
        "the count of what signatures have promised",
        NAMED,
        ", promised=found.promised",
        "",
        _named("of_many_signatures_at_once_those_that_fit_are_taken_and_carried_out"),
    ),
    without(
        "the turn of signatures into one engagement",
        NAMED,
        "db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))",
        "assert key",
        _named("of_many_signatures_at_once_those_that_fit_are_taken_and_carried_out"),
    ),
    without(
        "the preview without numbers",
        "webapp/services/billing/numbers.py",
        "if _takes_none.get():",
        "if False:",
        _after("a_viewers_preview_takes_no_number_and_waits_for_nobody_who_does"),
    ),
    without(
        "the organization's day",
        RECORDS,
        'ZoneInfo(organization_row()["timezone"])).date()',
        "dt.UTC).date()",
        "tests/services/common/test_days.py::test_a_day_ends_at_the_organizations_midnight",
    ),
)
