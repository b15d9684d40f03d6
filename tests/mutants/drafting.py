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

_choices = "tests/api/sales/test_choices.py::test_{}".format
_links = "tests/api/sales/test_contract_links.py::test_{}".format
_terms = "tests/api/sales/test_terms.py::test_{}".format
CHOICES = "webapp/services/sales/choices.py"
DRAFTS = "webapp/services/billing/drafts.py"

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the bounds of a quantity that is chosen",
        CHOICES,
        "        if not least <= quantity <= most:\n            wanted",
        "        if False:\n            wanted",
        _choices("a_choice_that_was_not_offered_is_refused_by_its_name_and_signs_nothing"),
    ),
    without(
        "the bound of a discount",
        CHOICES,
        "if discount > (least_total := _least(items)):",
        "if (least_total := _least(items)) < 0:",
        _choices("an_offer_that_does_not_fit_is_refused_by_its_name"),
        _choices("a_discount_is_checked_against_the_items_that_are_there_already"),
    ),
    without(
        "the refusal of a choice where there is none",
        "webapp/services/sales/signing.py",
        "        if evidence.selection:\n",
        "        if False:\n",
        _choices("nothing_can_be_chosen_where_nothing_is_offered_to_choose"),
    ),
    without(
        "the choice in what a signature creates",
        "webapp/services/sales/fulfilment.py",
        "kept_before(promise.selection)",
        "None",
        _choices("what_was_chosen_becomes_the_order_the_projects_and_the_invoice"),
    ),
    without(
        "the comparison of the total that was shown",
        "webapp/pages/signing.py",
        'if f"{offer_of(proposal, selection).gross:.2f}" != form[SHOWN]:',
        "if False:",
        "tests/pages/test_choices.py::"
        "test_a_choice_with_another_total_than_the_shown_one_is_shown_and_not_signed",
    ),
    without(
        "the discount in the first invoice",
        DRAFTS,
        '"total": item.total - share,',
        '"total": item.total,',
        _choices("what_was_chosen_becomes_the_order_the_projects_and_the_invoice"),
    ),
    without(
        "the taxes of the items in a part that is billed",
        DRAFTS,
        "return [(_tax(group.category, group.rate), group.net) for group in groups]",
        'return [(_tax(default_tax["category"], default_tax["rate"]), Decimal(1))]',
        _terms("a_deposit_is_drafted_at_once_with_the_taxes_of_the_items_and_the_rest_is_planned"),
    ),
    without(
        "the end of a withdrawn contract's link",
        "webapp/services/sales/contracts.py",
        "        end_link(contract)\n        contract.cancelled_at",
        "        contract.cancelled_at",
        _links("nobody_signs_a_contract_that_was_withdrawn_or_deleted"),
    ),
    without(
        "the end of the time to sign a contract",
        "webapp/services/sales/contract_signing.py",
        "        if clock >= contract.valid_until:\n",
        "        if False:\n",
        _links("a_contract_whose_time_is_over_expires_and_can_be_revised"),
    ),
    without(
        "the content that the signer of a contract saw",
        "webapp/services/sales/contract_signing.py",
        "        if evidence.content_sha256 not in (None, contract.content_sha256):\n",
        "        if False:\n",
        _links("what_was_signed_must_be_what_was_shown"),
    ),
    without(
        "the one schedule of a signed contract",
        "webapp/services/sales/contract_signing.py",
        "    if db.session.get(InvoiceSchedule, key) is not None:\n        return\n",
        "",
        _terms("a_contract_is_billed_by_its_terms_once"),
    ),
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
