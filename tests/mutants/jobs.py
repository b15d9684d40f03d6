"""Safeguards of the queue: claiming, finishing, leases, the dispatcher, hints, beat."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

BASE = "tasks/runtime/jobs.py"
DISPATCHER = "tasks/runtime/dispatcher.py"
TENANTS = "migrations/versions/0002_guard_tenants.py"
PUBLISHER = "webapp/core/job_hints.py"

_contention = "tests/tasks/runtime/test_contention.py::test_{}".format
_dispatcher = "tests/tasks/runtime/test_dispatcher.py::test_{}".format
_base = "tests/tasks/runtime/test_jobs.py::test_{}".format
_faults = "tests/scenarios/test_faults.py::test_{}".format
_publishing = "tests/core/test_job_hints.py::test_{}".format
_hint_again = _dispatcher("a_job_whose_hint_was_lost_is_hinted_at_again_and_not_twice")

MUTANTS: tuple[Mutant, ...] = (
    without(
        "SKIP LOCKED when a job is claimed",
        TENANTS,
        "FOR UPDATE SKIP LOCKED;",
        "FOR UPDATE;",
        _contention("a_message_for_a_job_that_somebody_holds_is_let_go"),
    ),
    without(
        "SKIP LOCKED when a claimed job is locked for its work",
        BASE,
        "AND state = 'ready' AND attempts = %(attempt)s FOR UPDATE SKIP LOCKED",
        "AND state = 'ready' AND attempts = %(attempt)s FOR UPDATE",
        _contention("a_claimed_job_that_somebody_holds_is_left_for_the_next_hint"),
    ),
    without(
        "the lock of a claimed job",
        BASE,
        "AND state = 'ready' AND attempts = %(attempt)s FOR UPDATE SKIP LOCKED",
        "AND state = 'ready' AND attempts = %(attempt)s",
        _contention("a_claimed_job_that_somebody_holds_is_left_for_the_next_hint"),
    ),
    without(
        "SKIP LOCKED when a batch is taken",
        BASE,
        "LIMIT %(size)s FOR UPDATE SKIP LOCKED",
        "LIMIT %(size)s FOR UPDATE",
        _contention("a_batch_takes_the_jobs_that_nobody_holds"),
    ),
    without(
        "SKIP LOCKED in the dispatcher",
        DISPATCHER,
        "LIMIT :size FOR UPDATE SKIP LOCKED",
        "LIMIT :size FOR UPDATE",
        _dispatcher("a_job_that_somebody_holds_does_not_hold_up_the_others"),
    ),
    without(
        "the check that the claim is still this attempt's",
        BASE,
        "AND state = 'ready' AND attempts = %(attempt)s FOR UPDATE SKIP LOCKED",
        "FOR UPDATE SKIP LOCKED",
        _base("an_overtaken_attempt_cannot_commit"),
    ),
    without(
        "the fence when a job is ended",
        BASE,
        'AND fence = %(fence)s\n         RETURNING id"',
        '\n         RETURNING id"',
        _contention("a_holder_from_before_a_retry_cannot_end_the_job_of_the_same_attempt_number"),
    ),
    without(
        "the fence when a failure is recorded",
        BASE,
        "AND fence = %(fence)s\n         RETURNING state)",
        "\n         RETURNING state)",
        _contention("a_holder_from_before_a_retry_cannot_end_the_job_of_the_same_attempt_number"),
    ),
    without(
        "the fence counted by a claim",
        TENANTS,
        "fence = w.fence + (p_lease IS NOT NULL)::int,",
        "fence = w.fence,",
        _base("a_holder_that_outlived_its_lease_cannot_end_the_job"),
    ),
    without(
        "the limit of attempts",
        TENANTS,
        "IF j.attempts >= j.max_attempts THEN",
        "IF false THEN",
        _base("attempts_whose_process_died_are_counted_until_the_job_is_dead"),
    ),
    without(
        "the attempt counted before the work",
        TENANTS,
        "UPDATE jobs w SET attempts = w.attempts + 1, publish_after",
        "UPDATE jobs w SET attempts = w.attempts, publish_after",
        _base("attempts_whose_process_died_are_counted_until_the_job_is_dead"),
        _base("a_job_that_keeps_failing_ends_dead_and_is_not_tried_again"),
    ),
    without(
        "the renewal of the lease",
        BASE,
        "call_function(_RENEW, **self._keys, lease=LEASE_SECONDS)",
        "pass",
        _base("a_long_effect_keeps_its_lease"),
    ),
    without(
        "the end of a dead holder's lease",
        DISPATCHER,
        "WHERE state = 'running' AND lease_until < clock_timestamp()",
        "WHERE false",
        _dispatcher("the_job_of_a_holder_that_died_is_taken_from_it"),
    ),
    without(
        "the limit of attempts when a lease ends",
        DISPATCHER,
        "state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'ready' END,\n"
        "              finished_at = CASE WHEN attempts >= max_attempts"
        " THEN clock_timestamp() END,",
        "state = 'ready',",
        _dispatcher("the_job_of_a_holder_that_died_is_taken_from_it[8-dead]"),
    ),
    without(
        "the order of jobs with one ordering key",
        TENANTS,
        "AND (w.ordering_key IS NULL OR NOT EXISTS (",
        "AND (true OR NOT EXISTS (",
        _base("a_job_waits_for_the_earlier_ones_with_its_ordering_key"),
    ),
    without(
        "one by one after a batch has failed",
        BASE,
        "elif not _drain(task, organization_id):",
        "elif _drain(task, organization_id):",
        _base("a_poisoned_job_in_a_batch_does_not_hold_the_others"),
    ),
    without(
        "the failure written down after the rollback",
        BASE,
        "        attempt.record_failure(error)\n",
        "",
        _base("a_failure_leaves_no_effect_but_is_recorded_without_its_secret"),
    ),
    without(
        "the silence of a failure about the values it met",
        BASE,
        'return f"{type(error).__name__} at {where}" if where else type(error).__name__',
        "return repr(error)",
        _base("a_failure_leaves_no_effect_but_is_recorded_without_its_secret"),
    ),
    without(
        "the dispatcher",
        DISPATCHER,
        "        waiting = self._queue_length()\n",
        "        return False\n",
        _hint_again,
        _faults("signing_completes_while_the_broker_is_dead"),
    ),
    without(
        "the dispatcher's patience with whatever goes wrong",
        DISPATCHER,
        "            except Exception as error:",
        "            except ZeroDivisionError as error:",
        _dispatcher("it_goes_on_through_an_outage_of_the_database_while_the_broker_is_gone"),
    ),
    without(
        "the dispatcher's own hands while the broker is gone",
        DISPATCHER,
        "run_here = gone_for >= BROKER_GONE_SECONDS",
        "run_here = False",
        _faults("signing_completes_while_the_broker_is_dead"),
    ),
    without(
        "the pause before a job is hinted at once more",
        DISPATCHER,
        "UPDATE jobs SET publish_after = clock_timestamp() + make_interval(secs => :again)",
        "UPDATE jobs SET publish_after = publish_after + make_interval(secs => :again * 0)",
        _hint_again,
    ),
    without(
        "the hint after the commit",
        "webapp/core/transaction.py",
        "    publish(context)\n    return result",
        "    return result",
        _publishing("a_committed_request_leaves_a_hint_and_a_refused_one_does_not"),
    ),
    without(
        "the jobs' rows before the commit",
        "webapp/core/transaction.py",
        "        write_jobs()\n",
        "",
        _publishing("a_committed_request_leaves_a_hint_and_a_refused_one_does_not"),
    ),
    without(
        "the hint at what came after a batch's first hint",
        PUBLISHER,
        "                self._late.setdefault(key, job_id)\n",
        "",
        _publishing("of_many_jobs_for_one_batch_the_first_is_hinted_at_at_once_and_the_last_soon"),
    ),
    without(
        "another connection in the place of one that died in the pool",
        "models/db/transactions.py",
        "if last_try or not driver.closed:",
        "if True:",
        "tests/core/test_transaction.py::test_connections_that_died_in_the_pool_cost_nobody_an_error",
    ),
    without(
        "the end of a connection that was interrupted while it opened",
        "models/db/transactions.py",
        "        connection.invalidate()  # interrupted: nobody knows what it would answer next\n",
        "",
        "tests/core/test_transaction.py"
        "::test_a_transaction_interrupted_while_it_opens_leaves_no_connection_behind",
    ),
    without(
        "the commit before the hint",
        "webapp/core/transaction.py",
        "                result = work()\n",
        "                try:\n"
        "                    result = work()\n"
        "                finally:\n"
        "                    publish(context)\n",
        _publishing("a_committed_request_leaves_a_hint_and_a_refused_one_does_not"),
    ),
    without(
        "the breaker before a frozen broker",
        PUBLISHER,
        "if time.monotonic() < self._closed_until:",
        "if False:",
        _publishing("a_frozen_broker_delays_one_request_and_not_the_next"),
    ),
    without(
        "the time limit of the broker's answers",
        "webapp/config.py",
        '"socket_timeout": 0.5',
        '"socket_timeout": 3',
        _publishing("a_frozen_broker_delays_one_request_and_not_the_next"),
    ),
    without(
        "the repetition of a transaction that met a deadlock",
        "webapp/core/transaction.py",
        "_RETRYABLE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)",
        "_RETRYABLE = ()",
        "tests/core/test_transaction.py::test_of_two_transactions_in_each_others_way_both_succeed",
    ),
    without(
        "the attempts closed when a dead job is put back",
        "webapp/services/jobs/operations.py",
        ".values(ended_at=func.now())",
        ".values(n=JobAttempt.n)",
        "tests/services/jobs/test_operations.py"
        "::test_a_try_that_never_ended_is_not_taken_for_the_new_first_one_of_the_same_process",
    ),
    without(
        "SKIP LOCKED when a job is cancelled or put back",
        "webapp/services/jobs/operations.py",
        ".with_for_update(skip_locked=True)",
        ".with_for_update()",
        "tests/services/jobs/test_operations.py::test_a_job_in_a_workers_hands_is_not_cancelled",
    ),
    without(
        "the check that only a stopped job is put back",
        "webapp/services/jobs/operations.py",
        "Job.id == job_id, Job.state.in_(STOPPED)",
        "Job.id == job_id",
        "tests/services/jobs/test_operations.py::test_retrying_a_job_that_has_not_stopped_changes_nothing",
    ),
)
