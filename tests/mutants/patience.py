"""Safeguards of what waits and what ends at once: outages, refused recipients, links sent again."""

from __future__ import annotations

from tests.mutants.model import Edit, Mutant, without

BASE = "tasks/runtime/jobs.py"
FAILURES = "tasks/runtime/failures.py"
SMTP = "webapp/core/smtp.py"
SENDING = "webapp/services/sales/sending.py"

_patience = "tests/tasks/runtime/test_patience.py::test_{}".format
_smtp = "tests/core/test_smtp.py::test_{}".format
_delivery = "tests/api/sales/test_delivery.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the excuse of a try that an outage ended",
        FAILURES,
        "%(outage)s AND (",
        "false AND (",
        _patience("an_outage_longer_than_eight_tries_does_not_kill_a_job"),
        _patience("fulfilment_through_more_restarts_of_the_database_than_it_has_tries_is_not_dead"),
    ),
    without(
        "the end of the patience with an outage",
        FAILURES,
        "(%(patience)s::float8 IS NULL OR clock_timestamp()",
        "(true OR clock_timestamp()",
        _patience("when_its_patience_is_at_an_end_the_tries_of_an_outage_count"),
    ),
    without(
        "the excused tries in what kills a job",
        FAILURES,
        "j.attempts - j.excused - t.excused::int >= j.max_attempts",
        "j.attempts >= j.max_attempts",
        _patience("an_outage_longer_than_eight_tries_does_not_kill_a_job"),
    ),
    without(
        "the wait for a database that comes back, at the end of a try",
        "webapp/core/outages.py",
        "if not is_outage(error) or time.monotonic() > end:",
        "if True:",
        _patience("fulfilment_through_more_restarts_of_the_database_than_it_has_tries_is_not_dead"),
    ),
    without(
        "the end at once of what can never work",
        BASE,
        "        except Undeliverable as error:\n",
        "        except ZeroDivisionError as error:\n",
        _patience("what_can_never_work_ends_at_once_and_the_domain_is_told"),
    ),
    without(
        "the difference between what is refused for good and for now",
        SMTP,
        "    if code < 500:\n",
        "    if code < 600:\n",
        _smtp("a_recipient_that_is_refused_for_good_is_undeliverable"),
    ),
    without(
        "the difference between a refused recipient and a refused sender",
        SMTP,
        "    if about_us:\n",
        "    if False:\n",
        _smtp("a_mail_that_is_refused_at_its_end_is_undeliverable_or_not_by_the_same_rule"),
    ),
    without(
        "the deadline of a delivery",
        SMTP,
        "                self._conversation.cut()\n",
        "                pass\n",
        _smtp("a_kept_connection_that_drips_is_not_replaced_when_the_time_is_over"),
    ),
    without(
        "the connection kept for the next mail",
        SMTP,
        "            self._kept.append(conversation)\n",
        "            conversation.close()\n",
        _smtp("twenty_mails_go_over_one_connection"),
    ),
    without(
        "another connection in the place of a kept one that is dead",
        SMTP,
        "            if deadline.is_over or not _is_end(error):\n",
        "            if True:\n",
        _smtp("a_connection_that_ended_between_two_mails_is_replaced"),
    ),
    without(
        "the end of the link to an address that was corrected",
        SENDING,
        "        link.revoked_at = now()\n",
        "        link.version = 0\n",
        _delivery("another_address_gets_a_link_of_its_own_and_the_old_one_is_dead"),
    ),
    Mutant(
        "the look at the link under the proposal's lock",
        (
            Edit(
                SENDING,
                "    proposal = db.session.scalars(\n",
                "    early = db.session.scalars(select(SigningLink).where(its_link)).one()\n"
                "    assert early\n"
                "    proposal = db.session.scalars(\n",
            ),
            Edit(
                SENDING,
                "select(SigningLink).where(its_link).execution_options(populate_existing=True)",
                "select(SigningLink).where(its_link)",
            ),
        ),
        (_delivery("a_signature_that_waited_while_its_link_was_replaced_comes_too_late"),),
    ),
    without(
        "the signature of another link's holder",
        "webapp/services/sales/queries.py",
        "        & SigningLink.revoked_at.is_(None)  # what another link's holder signed"
        " is not this one's\n",
        "",
        _delivery("what_a_replaced_link_reads_of_the_others_signature_is_nothing"),
    ),
    without(
        "the end of a mail that nobody waits for",
        "webapp/services/sales/after_signing.py",
        'proposal.status != "sent" or proposal.deleted_at is not None or is_past',
        "False",
        _delivery("the_link_of_a_proposal_that_was_deleted_meanwhile_is_not_mailed"),
    ),
)
