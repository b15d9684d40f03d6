"""Safeguards of the services: signing, states, messages, deletion."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

SIGNING = "webapp/services/sales/signing.py"
SENDING = "webapp/services/sales/sending.py"
NAMED = "webapp/services/sales/named_engagement.py"
RECORDS = "webapp/services/common/writes.py"
MESSAGES = "webapp/services/conversations/messages.py"
RETENTION = "webapp/services/retention/rules.py"
READING = "webapp/services/common/reads.py"

_bad = "tests/api/test_bad_input.py::{}".format
_expiry = "tests/api/sales/test_expiry.py::test_{}".format
_links = "tests/api/sales/test_links.py::test_{}".format
_contracts = "tests/api/sales/test_contracts.py::test_{}".format
_under = "tests/api/engagements/test_contracts.py::test_{}".format
_marks = "tests/services/sales/test_signature_marks.py::test_{}".format
_flow = "tests/scenarios/test_flow.py::{}".format
_messages = "tests/api/conversations/test_messages.py::test_{}".format
_phases = "tests/api/projects/test_phases.py::test_{}".format
_purge = "tests/services/retention/test_purge.py::test_{}".format
_kept = "tests/services/retention/test_kept_evidence.py::test_{}".format
_races = "tests/concurrency/test_signing_races.py::test_{}".format
_trash = "tests/api/engagements/test_trash.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that a signed contract opens no second engagement",
        "webapp/services/sales/contract_signing.py",
        "_open_among(under) if under else _open_engagement(contract)",
        "_open_engagement(contract)",
        _contracts("a_contract_is_renewed_once_for_the_next_term_and_the_same_engagement"),
    ),
    without(
        "the refusal of another company's contract",
        "webapp/services/engagements/contracts.py",
        "    if not allow_other_company:\n",
        "    if False:\n",
        _under("another_companys_contract_comes_in_only_where_staff_say_so"),
    ),
    without(
        "that an engagement that is over takes nothing new",
        "webapp/services/engagements/state_rules.py",
        "    if engagement.status in OVER:\n",
        "    if False:\n",
        _under("a_closed_or_cancelled_engagement_takes_no_contract"),
    ),
    without(
        "the check of content_sha256",
        SIGNING,
        "if evidence.content_sha256 not in (None, proposal.content_sha256):",
        "if False:",
        _bad("TestSigning::test_signing_something_else_than_was_shown_is_refused"),
        "tests/pages/test_signing_form.py::test_another_content_than_the_shown_one_is_not_signed",
        _flow("test_a_revised_proposal_is_sent_again_as_a_new_version"),
    ),
    without(
        "the check of expiry",
        SIGNING,
        "        check_not_expired(proposal)\n",
        "",
        _flow("TestExpiry::test_an_expired_proposal_cannot_be_signed_or_declined"),
    ),
    without(
        "the database's clock in the check of expiry",
        SENDING,
        "db.session.execute(select(func.clock_timestamp())).scalar_one()",
        "dt.datetime.now(dt.UTC)",
        _expiry("a_web_server_whose_clock_is_wrong_neither_opens_nor_closes_a_proposal"),
    ),
    without(
        "the present moment in the check of expiry",
        SENDING,
        "select(func.clock_timestamp())",
        "select(func.now())",
        _expiry("a_signature_that_waited_until_the_proposal_had_expired_comes_too_late"),
    ),
    without(
        "the version, and the end, of the link that reads of the signature",
        "webapp/services/sales/queries.py",
        "        & SigningLink.revoked_at.is_(None)"
        "  # what another link's holder signed is not this one's\n"
        "        & (Signature.version == SigningLink.version),",
        "        ,",
        _links("what_a_replaced_link_reads_of_the_signature_is_nothing"),
    ),
    without(
        "the limit of a typed signature",
        "webapp/services/sales/evidence.py",
        'elif self.method == "typed" and len(data) > MAX_TYPED_LENGTH:',
        "elif False:",
        _marks("a_signature_is_a_name_or_a_drawing_of_bounded_size"),
    ),
    without(
        "the pixels that a drawing may have",
        "webapp/services/sales/signed_document.py",
        "not 0 < width * height <= PNG_MAX_PIXELS",
        "not 0 < width * height",
        "tests/services/sales/test_signed_document.py"
        "::test_a_bad_image_is_refused_at_the_door_and_does_not_stop_the_document",
    ),
    without(
        "the state machines",
        "models/states.py",
        "return target in self.states[current].to",
        "return True",
        _bad("test_a_status_that_cannot_follow_is_refused_with_those_that_can"),
        _bad("test_a_phase_cannot_be_skipped"),
    ),
    without(
        "the reason for going back",
        "models/states.py",
        "return target in self.states[current].reason_for",
        "return False",
        _phases("going_back_from_testing_to_build_needs_a_reason"),
    ),
    without(
        "the standstill of a paused project's phase",
        "webapp/services/projects/phases.py",
        'if project.status != "active":',
        "if False:",
        _phases("the_phase_of_a_paused_project_stands_still"),
    ),
    without(
        "the look whether a named engagement is still open",
        NAMED,
        'return engagement.status in ("active", "on_hold")',
        "return True",
        _flow("test_an_engagement_that_was_closed_meanwhile_is_not_reopened"),
    ),
    without(
        "the lock of what is changed",
        RECORDS,
        "statement.with_for_update(read=share)",
        "statement",
        "tests/concurrency/test_waiting.py"
        "::test_a_change_that_waited_does_not_overwrite_what_it_has_not_seen",
    ),
    without(
        "the look whether a signature is carried out already",
        "webapp/services/sales/fulfilment.py",
        "        if row.Proposal.converted_engagement_id is None\n",
        "",
        _flow("test_fulfilling_again_changes_nothing"),
    ),
    without(
        "the tie of a link to its version",
        SENDING,
        "if link.revoked_at is not None or link.version != proposal.version:",
        "if False:",
        _bad("TestSigning::test_the_link_of_a_revised_version_is_gone"),
    ),
    without(
        "the check that only a draft is edited",
        "webapp/services/sales/drafting.py",
        'if proposal.status != "draft":',
        "if False:",
        _bad("TestSigning::test_a_signed_proposal_takes_no_further_action"),
    ),
    without(
        "the check that a signed proposal stays",
        "webapp/services/sales/drafting.py",
        'if proposal.status == "signed":',
        "if False:",
        _bad("TestSigning::test_a_signed_proposal_takes_no_further_action"),
    ),
    without(
        "the comparison of a signed document's content with its hash",
        "webapp/services/sales/signed_document.py",
        "raise ContentHashMismatch(ContentHashMismatch.__doc__)",
        "pass",
        "tests/services/sales/test_signed_document.py"
        "::test_content_other_than_the_signed_one_is_refused",
    ),
    without(
        "the filter of internal messages",
        MESSAGES,
        "AND m.deleted_at IS NULL AND NOT m.is_internal) AS visible",
        "AND m.deleted_at IS NULL) AS visible",
        _messages("an_internal_message_does_not_show_in_the_time_of_the_last_message"),
    ),
    without(
        "the filter of deleted messages",
        MESSAGES,
        "AND m.deleted_at IS NULL AND NOT m.is_internal) AS visible",
        "AND NOT m.is_internal) AS visible",
        _messages("a_deleted_message_no_longer_counts"),
    ),
    without(
        "the check that a conversation is open",
        MESSAGES,
        'if conversation["status"] == "closed":',
        "if False:",
        _messages("a_closed_conversation_takes_no_message_until_it_is_opened"),
    ),
    without(
        "If-Match",
        RECORDS,
        "if seen is not None and isinstance(record, Versioned) and record.row_version != seen:",
        "if False:",
        _bad("test_a_stale_etag_changes_nothing"),
        _races("concurrent_changes_with_the_same_etag_let_one_through"),
    ),
    without(
        "the filter of deleted records in what is read",
        READING,
        "mark.is_not(None) if deleted else mark.is_(None)",
        "mark.is_not(None) if deleted else self.model.id.is_not(None)",
        _trash("a_deleted_record_is_neither_shown_nor_changed"),
    ),
    without(
        "the filter of deleted records in what is changed",
        RECORDS,
        "        statement = statement.where(entity.deleted_at.is_(None))\n",
        "        statement = statement.where()\n",
        _trash("a_deleted_record_is_neither_shown_nor_changed"),
    ),
    without(
        "the filter of deleted records in what is referred to",
        RECORDS,
        "            found = found.where(entity.deleted_at.is_(None))\n",
        "            found = found.where()\n",
        _trash("a_deleted_record_cannot_be_referred_to"),
    ),
    without(
        "the check that what a record refers to is there",
        RECORDS,
        '            if not row[f"found_{name}"]\n',
        "            if False\n",
        "tests/api/test_tenant_walk.py"
        "::test_a_reference_to_another_organizations_record_is_refused_by_name",
    ),
    without(
        "the batch in what is restored",
        RECORDS,
        ".where(condition, entity.deletion_batch_id == batch_id)",
        ".where(condition)",
        _trash("restoring_takes_back_exactly_what_was_trashed_with_it"),
    ),
    without(
        "the retention before the purge",
        "webapp/services/retention/purge.py",
        "model.deleted_at < GONE_BEFORE",
        "model.deleted_at.is_not(None)",
        _purge("only_what_was_trashed_longer_ago_than_the_retention_goes"),
        _purge("the_organizations_own_retention_counts"),
    ),
    without(
        "the legal hold of an engagement",
        RETENTION,
        "kept=or_(Engagement.legal_hold, _money_is_young()),",
        "kept=_money_is_young(),",
        _kept("a_legal_hold_keeps_the_engagement_and_all_below_it"),
    ),
    without(
        "the legal hold of all below and whom it names",
        RETENTION,
        "_Held.legal_hold.is_(True), condition",
        "_Held.legal_hold.is_(None), condition",
        _kept("what_was_trashed_by_itself_below_a_legal_hold_stays"),
    ),
    without(
        "the years that money is kept",
        RETENTION,
        "kept=or_(Engagement.legal_hold, _money_is_young()),",
        "kept=Engagement.legal_hold,",
        _kept("money_keeps_its_engagement_for_the_years_and_its_work_with_it"),
        _kept("one_young_money_record_keeps_the_engagement"),
    ),
    without(
        "the wholeness of what was trashed with an engagement",
        RETENTION,
        "_Whole.deletion_batch_id == model.deletion_batch_id",
        "_Whole.deletion_batch_id != model.deletion_batch_id",
        _kept("money_keeps_its_engagement_for_the_years_and_its_work_with_it"),
    ),
    without(
        "the client of young money",
        RETENTION,
        '_named_by_young_money(ClientCompany.id, "client_company_id"),',
        "",
        _kept("young_money_keeps_the_client_that_it_names"),
    ),
    without(
        "the refusal to restore what the purge has begun with",
        "webapp/services/engagements/commands.py",
        "if engagement.purge_started_at is not None:",
        "if False:",
        _purge("an_engagement_whose_purge_has_begun_is_not_restored_by_halves"),
    ),
    without(
        "the bound of a purge",
        "webapp/services/retention/purge.py",
        "            if left == 0:\n",
        "            if False:\n",
        _purge("a_run_is_bounded_and_asks_for_the_next_until_all_is_gone"),
    ),
    without(
        "SKIP LOCKED in the purge",
        "webapp/services/retention/purge.py",
        ".with_for_update(of=model, skip_locked=True)",
        ".with_for_update(of=model)",
        _purge("what_somebody_holds_is_left_for_the_next_run"),
    ),
)
