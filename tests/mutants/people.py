"""Safeguards of who may do what: keys, members, sessions, the audit log."""

from __future__ import annotations

from tests.mutants.model import Edit, Mutant, without

KEYS = "webapp/api/identity/api_keys.py"

_key = "tests/api/identity/test_api_keys.py::test_{}".format
_audit = "tests/api/identity/test_audit_log.py::test_{}".format

_member = "tests/api/identity/test_members.py::test_{}".format
_session = "tests/api/identity/test_sessions.py::test_{}".format
_invited = "tests/api/identity/test_invitations.py::test_{}".format
_reset = "tests/api/identity/test_password_resets.py::test_{}".format
INVITATIONS = "webapp/services/identity/invitations.py"
RESETS = "migrations/versions/0050_reset_passwords.py"
MEMBERS = "webapp/services/identity/members.py"
SESSIONS = "webapp/api/identity/sessions.py"

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the networks that a key is accepted from",
        "migrations/versions/0047_limit_keys_to_addresses.py",
        "IF found_one.allowed_ips IS NOT NULL\n",
        "IF false\n",
        _key("a_key_limited_to_networks_is_unknown_elsewhere"),
    ),
    without(
        "the refusal of a limited key where no address is known",
        "migrations/versions/0047_limit_keys_to_addresses.py",
        ") IS NOT TRUE THEN",
        ") IS FALSE THEN",
        _key("a_key_limited_to_networks_is_unknown_elsewhere"),
    ),
    without(
        "the networks of a rotated key",
        "webapp/services/identity/keys.py",
        "expires_at, old.allowed_ips)",
        "expires_at, None)",
        _key("a_rotated_key_goes_on_working_for_the_overlap"),
    ),
    without(
        "the bound of the rights that a new key gets",
        KEYS,
        '    demand_grant(current_principal(), body["role"], body.get("scopes"))\n',
        "",
        _key("nobody_grants_rights_that_they_lack"),
    ),
    without(
        "the bound of the rights that a rotated key gets",
        KEYS,
        '    demand_grant(current_principal(), old["role"], old["scopes"])\n',
        "",
        _key("nobody_grants_rights_that_they_lack"),
    ),
    without(
        "the key's absence from what is kept for retries",
        KEYS,
        "    g.made_api_key = (str(record.id), key)\n",
        '    g.made_api_key = (str(record.id), key)\n    answer.body["key"] = key\n',
        _key("a_retry_gets_the_same_key_without_the_secret_which_is_stored_nowhere"),
    ),
    without(
        "the audit log's being append-only",
        "migrations/versions/0046_keep_an_audit_log.py",
        'rights="SELECT, INSERT"',
        'rights="SELECT, INSERT, UPDATE, DELETE"',
        _audit("the_database_lets_the_application_neither_change_nor_delete_it"),
    ),
    without(
        "the note of a failed log-in",
        "webapp/pages/console/login.py",
        "        sessions.note_failed_login(email, ip=ip, user_agent=agent)\n",
        "",
        _audit("sign_ins_and_sign_outs_are_told_with_address_and_agent"),
    ),
    without(
        "the harmlessness of texts in a spreadsheet",
        "webapp/api/framework/tables.py",
        "_harmless(value) for key",
        "value for key",
        _audit("a_browser_that_calls_itself_a_formula_is_harmless_in_the_export"),
    ),
    without(
        "the bound of the roles that are given and taken away",
        MEMBERS,
        "    beyond = [role for role in roles if role not in allowed]\n",
        "    beyond: list[str] = []\n",
        _member("nobody_gives_or_takes_away_rights_that_they_lack"),
    ),
    without(
        "the bound of a narrowed key's roles",
        "webapp/auth/permissions.py",
        "    own = permissions_of(principal)\n    return tuple(",
        '    own = ROLE_PERMISSIONS[principal.role or ""]\n    return tuple(',
        _member("nobody_gives_or_takes_away_rights_that_they_lack"),
    ),
    without(
        "the lock of all owners before one of them goes",
        MEMBERS,
        'named | (Membership.role == "owner"),',
        "named,",
        _member("two_owners_who_demote_each_other_at_once_leave_one"),
    ),
    without(
        "the guard of the last owner's removal",
        MEMBERS,
        "    _demand_another_owner(user, member)\n    successor =",
        "    successor =",
        _member("the_last_owner_stays"),
    ),
    without(
        "the successor of somebody who owns something",
        MEMBERS,
        "if successor is None and (owned := owned_by(member.user_id)):",
        "if successor is None and (owned := []):",
        _member("what_a_removed_member_owned_becomes_anothers"),
    ),
    without(
        "the next run of a hand-over with more to do",
        "webapp/services/identity/handover.py",
        '            enqueue("identity.hand_over", f"more:{uuid7()}", payload)\n',
        "",
        _member("more_than_one_run_hands_over"),
    ),
    without(
        "the bound of the sessions that are shown",
        SESSIONS,
        "        wanted = service.of_user(wanted, own)\n",
        "        pass\n",
        _session("a_viewer_sees_their_own_sessions_alone"),
        _session("a_key_without_the_right_sees_none"),
    ),
    without(
        "the bound of the sessions that are ended",
        SESSIONS,
        "service.revoke_session(session_id, user_id=_own())",
        "service.revoke_session(session_id)",
        _session("others_sessions_are_not_found_by_a_viewer"),
    ),
    without(
        "the token with what a script sends",
        "webapp/auth/credentials.py",
        "        return api_key_context(permission)\n    return session_context(permission)",
        "        return api_key_context(permission)\n    return session_of_browser(permission)",
        _session("a_cookie_alone_ends_nothing"),
    ),
    without(
        "the bound of the role that is offered",
        INVITATIONS,
        '    _demand_rank(values["role"], allowed)\n',
        "",
        _invited("nobody_invites_to_rights_that_they_lack"),
    ),
    without(
        "the bound of the role that is offered again",
        INVITATIONS,
        "    _demand_rank(invitation.role, allowed)\n",
        "",
        _invited("nobody_invites_to_rights_that_they_lack"),
    ),
    without(
        "the password of whoever has an account already",
        INVITATIONS,
        'if not secrets.password_matches(account["password_hash"], password):',
        "if False:",
        _invited("whoever_has_an_account_joins_with_its_password"),
    ),
    without(
        "the end of a withdrawn invitation's link",
        INVITATIONS,
        '    _set_credential(invitation, revoked_at=now())\n    record_activity(invitation, "w',
        '    record_activity(invitation, "w',
        _invited("a_withdrawn_or_expired_link_is_worth_nothing"),
    ),
    without(
        "the end of an invitation's link",
        INVITATIONS,
        "            expires_at=invitation.expires_at,\n        )\n    )\n    _mail",
        "        )\n    )\n    _mail",
        _invited("a_withdrawn_or_expired_link_is_worth_nothing"),
    ),
    without(
        "the one mail of an invitation that was sent again at once",
        INVITATIONS,
        'or invitation.mailings != payload["mailing"]',
        "or False",
        _invited("a_mailing_that_still_waits_when_it_is_sent_again_is_dropped"),
    ),
    Mutant(
        "the hour of a password link",
        (
            Edit(RESETS, "r.used_at IS NULL\n      AND r.expires_at > now()", "r.used_at IS NULL"),
            Edit(RESETS, "AND r.used_at IS NULL AND r.expires_at > now()", "AND r.used_at IS NULL"),
        ),
        (_reset("a_link_works_for_an_hour"),),
    ),
    without(
        "the end of the other password links",
        RESETS,
        "    WHERE r.user_id = v_user_id AND r.used_at IS NULL;",
        "    WHERE false;",
        _reset("a_link_works_once_and_takes_the_others_along"),
    ),
    without(
        "the end of all sessions with a new password",
        "webapp/services/identity/password_resets.py",
        '    execute("SELECT end_sessions(%(user_id)s)", {"user_id": user.id})\n',
        "",
        _reset("the_link_changes_the_password_ends_all_sessions_and_is_told"),
    ),
    without(
        "the bound of mails with password links",
        RESETS,
        "interval '1 hour') < 3 THEN",
        "interval '1 hour') < 300 THEN",
        _reset("three_mails_an_hour_are_enough"),
    ),
    without(
        "the uselessness of a disabled member's password link",
        "webapp/services/identity/password_resets.py",
        "            Membership.disabled_at.is_(None),\n",
        "",
        _reset("whoever_is_disabled_gets_no_link_and_a_link_from_before_is_worth_nothing"),
    ),
)
