"""Safeguards of the queue: claiming, finishing, leases, the dispatcher, hints, beat."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

BASE = "tasks/runtime/jobs.py"
FAILURES = "tasks/runtime/failures.py"
DISPATCHER = "tasks/runtime/dispatcher.py"
TENANTS = "migrations/versions/0002_guard_tenants.py"
PATIENCE = "migrations/versions/0013_give_jobs_patience.py"
LANES = "migrations/versions/0018_claim_jobs_together.py"
BATCHES = "tasks/runtime/batches.py"
CONSUMERS = "tasks/runtime/consumers.py"
PUBLISHER = "webapp/core/wake_ups.py"

_contention = "tests/tasks/runtime/test_contention.py::test_{}".format
_dispatcher = "tests/tasks/runtime/test_dispatcher.py::test_{}".format
_base = "tests/tasks/runtime/test_jobs.py::test_{}".format
_faults = "tests/scenarios/test_faults.py::test_{}".format
_publishing = "tests/core/test_wake_ups.py::test_{}".format
_batches = "tests/tasks/runtime/test_batches.py::test_{}".format
_lanes = "tests/tasks/runtime/test_lanes.py::test_{}".format
_consumers = "tests/tasks/runtime/test_consumers.py::test_{}".format
_wake_again = _dispatcher("a_job_whose_wake_up_was_lost_is_not_forgotten")
_committed = _publishing(
    "a_committed_request_wakes_the_lane_of_its_jobs_and_a_refused_one_does_not"
)

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
        "SKIP LOCKED when jobs are claimed together",
        LANES,
        "            FOR UPDATE SKIP LOCKED\n",
        "            FOR UPDATE\n",
        _batches("a_batch_takes_the_jobs_that_nobody_holds"),
    ),
    without(
        "SKIP LOCKED when jobs that were claimed together are locked for their work",
        BATCHES,
        "ORDER BY seq FOR UPDATE SKIP LOCKED",
        "ORDER BY seq FOR UPDATE",
        _batches("a_claimed_batch_leaves_out_what_somebody_holds_by_then"),
    ),
    without(
        "the check that a batch's claim is still this attempt's",
        BATCHES,
        "AND state = 'ready' AND attempts = %(attempt)s ORDER BY seq",
        "AND state = 'ready' ORDER BY seq",
        _batches("a_batch_that_another_has_taken_over_does_nothing"),
    ),
    without(
        "the claim by itself after two deaths",
        LANES,
        "AND j.attempts < 2 AND j.ordering_key IS NULL",
        "AND j.ordering_key IS NULL",
        _batches("jobs_whose_process_died_twice_are_claimed_one_by_one"),
    ),
    without(
        "the excuse of an outage for each job of a batch",
        BATCHES,
        "        if is_outage(error):\n",
        "        if False:\n",
        _batches("an_outage_is_excused_for_each_job_of_a_batch"),
    ),
    without(
        "SKIP LOCKED when the next job of a lane is taken",
        LANES,
        "ORDER BY w.run_at, w.seq LIMIT 1 FOR UPDATE SKIP LOCKED;",
        "ORDER BY w.run_at, w.seq LIMIT 1 FOR UPDATE;",
        _lanes("a_job_that_somebody_holds_is_passed_by"),
    ),
    without(
        "the lane of signatures",
        "webapp/services/jobs/kinds.py",
        'JobKind("sales.fulfil_signature", "signature", ',
        'JobKind("sales.fulfil_signature", "short", ',
        _lanes("the_kinds_of_the_product_wait_where_they_cannot_hold_up_a_signature"),
        _dispatcher("every_lane_is_woken_however_many_wake_ups_wait_in_another"),
    ),
    without(
        "the lane of a job that is taken",
        LANES,
        "WHERE w.organization_id = v_organization AND w.state = 'ready' AND w.lane = p_lane",
        "WHERE w.organization_id = v_organization AND w.state = 'ready'",
        _lanes("a_lane_takes_nothing_from_another_of_the_same_organization"),
    ),
    without(
        "the organizations' turns",
        "tasks/runtime/lanes.py",
        "    _served[lane.name] = first.organization_id\n",
        "",
        _lanes("organizations_take_turns_however_much_one_of_them_asks_for"),
        _lanes("a_new_organization_is_served_after_one_job_of_the_noisy_one"),
    ),
    without(
        "the oldest first within an organization",
        LANES,
        "ORDER BY w.run_at, w.seq LIMIT 1 FOR UPDATE SKIP LOCKED;",
        "ORDER BY w.run_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED;",
        _lanes("the_job_that_has_been_due_the_longest_comes_first"),
    ),
    without(
        "the moment in which a claimed job is nobody else's",
        LANES,
        "run_at = now() + interval '1500 milliseconds',",
        "run_at = now(),",
        _lanes("a_claimed_job_is_not_taken_twice_and_is_due_again_soon"),
    ),
    without(
        "the rescue of a lane while others' wake-ups wait",
        DISPATCHER,
        "jobs - waiting[name]",
        "jobs - sum(waiting.values())",
        _dispatcher("every_lane_is_woken_however_many_wake_ups_wait_in_another"),
    ),
    without(
        "the putting off of what waits for a failed job",
        FAILURES,
        "AND w.seq > failed.seq AND w.state = 'ready' AND w.run_at < failed.run_at",
        "AND false",
        _lanes("what_waits_for_a_failed_one_is_put_off_with_it"),
    ),
    without(
        "the wake-up for the rest when a consumer's time is over",
        "tasks/runtime/lanes.py",
        "            publisher.wake(lane)\n",
        "",
        _lanes("a_wake_up_ends_after_a_while_and_leaves_another_for_the_rest"),
    ),
    without(
        "the replacement of a consumer",
        CONSUMERS,
        "                place.pid, place.free_at = 0, now + place.pause\n",
        "                place.free_at = now + place.pause\n",
        _consumers("a_consumer_that_is_killed_is_replaced_and_the_others_live_on"),
    ),
    without(
        "the end of a job that cannot be interrupted",
        CONSUMERS,
        "    faulthandler.dump_traceback_later(HARD_SECONDS, exit=True, file=2)\n",
        "",
        _consumers("a_job_that_takes_too_long_is_ended"),
    ),
    without(
        "the interruption of a job that takes too long",
        CONSUMERS,
        "    signal.setitimer(signal.ITIMER_REAL, SOFT_SECONDS)\n",
        "",
        _consumers("a_job_that_takes_too_long_is_ended"),
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
        "AND fence = %(fence)s\n         RETURNING id, ordering_key",
        "\n         RETURNING id, ordering_key",
        _contention("a_holder_from_before_a_retry_cannot_end_the_job_of_the_same_attempt_number"),
    ),
    without(
        "the fence when a failure is recorded",
        FAILURES,
        "AND fence = %(fence)s\n         RETURNING state,",
        "\n         RETURNING state,",
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
        PATIENCE,
        "IF j.attempts - j.excused >= j.max_attempts THEN",
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
        "state = CASE WHEN attempts - excused >= max_attempts THEN 'dead' ELSE 'ready' END,\n"
        "              finished_at = CASE WHEN attempts - excused >= max_attempts"
        " THEN clock_timestamp() END,",
        "state = 'ready',",
        _dispatcher("the_job_of_a_holder_that_died_is_taken_from_it[8-0-dead]"),
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
        BATCHES,
        "            run_claimed(task, job.organization_id, job.job_id, claim)\n",
        "            pass\n",
        _batches("a_bad_job_in_a_batch_does_not_hold_the_others"),
    ),
    without(
        "the failure written down after the rollback",
        BASE,
        "        attempt.record_failure(error, claim.payload)\n",
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
        "        waiting = self._wake_ups()\n",
        "        return False\n",
        _wake_again,
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
        "return gone_for >= BROKER_GONE_SECONDS and self._run_due()",
        "return False",
        _faults("signing_completes_while_the_broker_is_dead"),
    ),
    without(
        "the hint after the commit",
        "webapp/core/transaction.py",
        "    publish(context)\n    return result",
        "    return result",
        _committed,
    ),
    without(
        "the jobs' rows before the commit",
        "webapp/core/transaction.py",
        "        write_jobs()\n",
        "",
        # A change: what is new takes its jobs along in its own statement.
        "tests/api/identity/test_organization.py"
        "::test_a_change_is_told_by_the_names_of_the_settings",
    ),
    without(
        "the wake-up for what came after a lane's first",
        PUBLISHER,
        "            self._late[lane.name] = next_at\n",
        "",
        _publishing("of_many_jobs_in_a_lane_the_first_wakes_it_at_once_and_the_last_soon"),
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
        _committed,
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
