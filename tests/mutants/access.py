"""Safeguards of the API: who may come in, what may be sent, what is answered twice."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

BEGIN = "migrations/versions/0047_limit_keys_to_addresses.py"
MEMBERS = "webapp/services/identity/members.py"
LOGINS = "migrations/versions/0006_let_failed_logins_expire.py"
PERMISSIONS = "webapp/auth/permissions.py"
BROWSER = "webapp/auth/browser.py"
IDEMPOTENCY = "webapp/http/idempotency.py"
SCHEMAS = "webapp/schemas/common.py"

_bad = "tests/api/test_bad_input.py::{}".format
_member = "tests/services/identity/test_members.py::test_{}".format
_console = "tests/pages/test_console.py::test_{}".format
_races = "tests/concurrency/test_signing_races.py::test_{}".format
_limits = "tests/http/test_rate_limits.py::test_{}".format
_key = _bad("test_an_idempotency_key_is_good_for_one_request")
_one_key = _races("one_idempotency_key_makes_one_engagement_from_concurrent_requests")
_twins = "tests/concurrency/test_twin_requests.py::test_twins_that_{}_get_the_first_answer".format
_after_commit = "tests/concurrency/test_after_the_commit.py::test_{}".format
_own_forms = _console("only_our_own_forms_are_accepted")
_session = _console("the_session_is_new_at_every_login_and_ends_with_the_logout")
_after_a_day = "tests/http/test_idempotency.py::test_a_key_is_free_again_after_a_day"

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the permission check",
        PERMISSIONS,
        "return permission in permissions_of(principal)",
        "return True",
        _bad("TestCredentials::test_a_viewer_may_read_but_not_write"),
        _bad("TestCredentials::test_a_scope_narrows_what_its_key_may_do"),
    ),
    without(
        "the scopes of a key",
        PERMISSIONS,
        "granted = granted & frozenset(scopes)",
        "pass",
        _bad("TestCredentials::test_a_scope_narrows_what_its_key_may_do"),
    ),
    without(
        "the permission to read what is expanded",
        "webapp/api/framework/resource.py",
        '            demand(current_principal(), f"{records.domain}:read")\n',
        "",
        _bad("TestCredentials::test_expanding_needs_the_right_to_read_what_is_expanded"),
    ),
    without(
        "the number of proxies that are believed",
        "webapp/http/middleware.py",
        "x_for=hops, x_proto=hops",
        "x_for=hops + 1, x_proto=hops",
        "tests/http/test_middleware.py"
        "::test_forwarded_addresses_are_believed_from_as_many_proxies_as_there_are",
    ),
    without(
        "deny by default",
        "webapp/auth/guard.py",
        "    if unguarded:\n",
        "    if False:\n",
        "tests/auth/test_guard.py::test_a_route_without_a_declared_permission_is_refused_by_name",
    ),
    without(
        "the revocation of credentials",
        BEGIN,
        "AND c.revoked_at IS NULL\n",
        "\n",
        _bad("TestCredentials::test_a_revoked_key_is_refused_from_the_next_request_on"),
        _session,
    ),
    without(
        "the expiry of credentials",
        BEGIN,
        "AND (c.expires_at IS NULL OR c.expires_at > now())",
        "",
        _bad("TestCredentials::test_an_expired_key_is_refused"),
    ),
    without(
        "the membership behind a session",
        BEGIN,
        "AND m.user_id = found_one.subject_id AND m.deleted_at IS NULL;",
        "AND m.user_id = found_one.subject_id;",
        _console("a_session_ends_with_the_membership"),
    ),
    without(
        "the end of the session before a login",
        "webapp/pages/console/login.py",
        "    _end_session_before()\n",
        "",
        _session,
    ),
    without(
        "the CSRF token of the console's forms",
        "webapp/auth/credentials.py",
        "if request.method not in SAFE_METHODS:",
        "if False:",
        _own_forms,
    ),
    without(
        "the comparison of CSRF tokens",
        BROWSER,
        "if secret is None or not hmac.compare_digest(form_token(secret).encode(), sent.encode()):",
        "if False:",
        _own_forms,
    ),
    without("the check of the Origin", BROWSER, "    check_origin()\n", "", _own_forms),
    without(
        "the pages a login may lead to",
        "webapp/pages/console/login.py",
        "return wanted if _NEXT.fullmatch(wanted) else None",
        "return wanted or None",
        _console("a_login_leads_only_to_the_console"),
    ),
    without(
        "the count of failed logins",
        LOGINS,
        "SELECT 5 AS allowed,",
        "SELECT 5000 AS allowed,",
        _console("unknown_accounts_are_counted_and_locked_as_known_ones_are"),
    ),
    without(
        "the count of what fails from one address",
        LOGINS,
        "SELECT 20, count(*)",
        "SELECT 2000, count(*)",
        _console("an_address_that_guesses_at_many_accounts_is_locked_for_all"),
    ),
    without(
        "the count of what fails at one account from everywhere",
        LOGINS,
        "SELECT 100, count(*)",
        "SELECT 100000, count(*)",
        _console("an_account_that_many_addresses_guess_at_is_locked"),
    ),
    without(
        "the address in the count of an account's failures",
        LOGINS,
        "            WHERE f.account = v_account AND f.address = p_address\n",
        "            WHERE f.account = v_account\n",
        _console("the_owner_gets_in_from_another_address_while_somebody_guesses"),
    ),
    without(
        "the hour after which a failure counts no more",
        LOGINS,
        "              AND f.failed_at > now() - interval '1 hour'\n            UNION ALL",
        "            UNION ALL",
        _console("a_failure_an_hour_locks_nobody_out"),
    ),
    without(
        "the wait for other attempts at an account",
        LOGINS,
        "    PERFORM pg_advisory_xact_lock(1, hashtext(p_address));\n"
        "    PERFORM pg_advisory_xact_lock(2, hashtext(encode(v_account, 'hex')));\n",
        "",
        _console("an_attempt_waits_for_the_one_before_it_and_counts_it"),
    ),
    without(
        "the rate limit of reading by link",
        "webapp/extensions.py",
        '    limiter.limit(READS_BY_ANYBODY, methods=["GET", "HEAD"])(blueprint)\n',
        "",
        _limits("too_many_requests_are_told_when_to_come_back"),
    ),
    without(
        "the rate limit of acting by link",
        "webapp/extensions.py",
        '    limiter.limit(WRITES_BY_ANYBODY, methods=["POST"])(blueprint)\n',
        "",
        _limits("declining_is_limited_more_than_reading"),
    ),
    without(
        "the rate limit of logging in",
        "webapp/pages/console/login.py",
        '@limiter.limit("10/minute")\n',
        "",
        _limits("logging_in_is_limited_for_each_address"),
    ),
    without(
        "the answer kept for retries",
        IDEMPOTENCY,
        "        _keep(request_with_key.key, fingerprint, answer)\n",
        "        pass\n",
        _key,
        _one_key,
    ),
    without(
        "the second look for a kept answer",
        IDEMPOTENCY,
        "        raise RunAgain\n",
        "        pass\n",
        "tests/concurrency/test_waiting.py"
        "::test_a_request_whose_key_was_taken_meanwhile_leaves_no_effect",
    ),
    without(
        "the comparison with the request of the kept answer",
        IDEMPOTENCY,
        "        raise IdempotencyKeyReused()\n",
        "        pass\n",
        _key,
    ),
    without(
        "the second look for a twin's answer after a refusal",
        IDEMPOTENCY,
        "        request_with_key.was_refused = True\n        raise RunAgain from error\n",
        "        raise\n",
        _twins("sign"),
        _twins("make_a_contact"),
    ),
    without(
        "every tag of If-Match but one",
        "webapp/api/framework/operations.py",
        "        for row_version in others:\n",
        "        for row_version in ():\n",
        "tests/http/test_if_match.py::test_any_of_the_listed_tags_may_match",
    ),
    without(
        "the answer that stands, whatever fails after the commit",
        "webapp/http/wait.py",
        "    except Exception as error:\n",
        "    except ZeroDivisionError as error:\n",
        _after_commit("a_signature_is_accepted_though_its_job_cannot_be_watched"),
        _after_commit("a_signature_is_accepted_though_its_result_cannot_be_read"),
        _after_commit("the_signing_page_shows_the_signature_though_its_job_cannot_be_watched"),
    ),
    without(
        "whose Idempotency-Key it is",
        "models/db/transactions.py",
        "AND i.actor = q.credential_id::text AND i.key",
        "AND i.key",
        _bad("test_another_key_holder_may_use_the_same_idempotency_key"),
    ),
    without(
        "the day after which a key is free",
        "models/db/transactions.py",
        "          AND i.created_at + {ANSWER_LIFETIME} > now()\n",
        "",
        _after_a_day,
    ),
    without(
        "the place of an answer older than a day",
        IDEMPOTENCY,
        "WHERE kept.created_at < now() - {ANSWER_LIFETIME}",
        "WHERE false",
        _after_a_day,
    ),
    without(
        "the refusal of NUL characters",
        SCHEMAS,
        'if "\\0" in text:',
        "if False:",
        _bad("test_a_bad_field_is_named_and_nothing_is_made"),
        "tests/pages/test_signing_form.py::test_a_wrong_field_is_named_and_the_rest_is_kept",
    ),
    without(
        "the refusal of unknown fields",
        SCHEMAS,
        "unknown = RAISE",
        'unknown = "exclude"',
        _bad("test_a_bad_field_is_named_and_nothing_is_made"),
    ),
    without(
        "the pattern of the route in the log",
        "webapp/http/middleware.py",
        "environ[_ROUTE] = rule.rule",
        "environ[_ROUTE] = request.path",
        "tests/core/test_logs.py::test_no_secret_reaches_a_log",
    ),
    without(
        "the protection of the mail server's password",
        "webapp/core/smtp.py",
        "            raise PlainTextRefused()\n",
        "            pass\n",
        "tests/core/test_mail.py::test_a_password_and_its_mail_are_never_sent_in_plain_text",
    ),
    without(
        "the guard of the last owner",
        MEMBERS,
        'if member.role == "owner" and not _has_another_owner(member):',
        "if False:",
        _member("the_last_owner_who_may_log_in_is_not_disabled"),
    ),
    without(
        "the end of the sessions of somebody disabled",
        MEMBERS,
        "Credential.id.in_(ended))",
        "Credential.id.in_([]))",
        _member("whoever_is_disabled_is_out_at_once_and_may_be_let_in_again"),
    ),
    without(
        "the end of the sessions when a password changes",
        MEMBERS,
        '"SELECT end_sessions(%(user_id)s) AS count", {"user_id": user.id}',
        '"SELECT 3 AS count", {}',
        _member("another_password_ends_all_sessions_in_every_organization"),
    ),
    without(
        "the end of a revoked key's credential",
        "webapp/services/identity/keys.py",
        "    _set_credential(record.id, revoked_at=now())\n",
        "",
        "tests/services/identity/test_keys.py"
        "::test_a_leaked_key_is_refused_as_soon_as_it_is_revoked",
    ),
)
