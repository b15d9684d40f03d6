"""Who may work here no more is out at once; who locked themselves out is let in again."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.logins import PASSWORD, client_at, is_admitted, log_in, secret_of
from tests.support.tenants import Tenant
from webapp.services.common.exceptions import Conflict, Invalid, NotFound
from webapp.services.identity import members
from webapp.services.identity.accounts import create_user

OTHER = "staple battery horse"
MakeUser = Callable[[str], str]


@pytest.fixture
def new_user(tenant: Tenant) -> MakeUser:
    """Makes a member of the organization with this role; returns their email."""

    def make(role: str) -> str:
        email = f"{secrets.token_hex(6)}@example.com"
        tenant.run(lambda: create_user(email, "Kim", PASSWORD, role=role))
        return email

    return make


def logged_in(app: Flask, email: str, password: str = PASSWORD) -> str:
    """The secret of a new session."""
    client = client_at(app)
    assert log_in(client, email, password).status_code == 303
    return secret_of(client)


def is_refused(client: FlaskClient, email: str, password: str = PASSWORD) -> bool:
    return log_in(client, email, password).status_code == 422


def row_of(tenant: Tenant, email: str) -> dict[str, object]:
    [row] = [row for row in tenant.run(members.list_members) if row["email"] == email]
    return row


def test_whoever_is_disabled_is_out_at_once_and_may_be_let_in_again(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user("member")
    session = logged_in(app, email)
    assert (row_of(tenant, email)["state"], row_of(tenant, email)["sessions"]) == ("active", 1)
    assert tenant.run(lambda: members.disable_member(email.upper())) == 1
    assert not is_admitted(app, session)
    assert is_refused(client_at(app), email)
    assert (row_of(tenant, email)["state"], row_of(tenant, email)["sessions"]) == ("disabled", 0)
    with pytest.raises(Conflict):
        tenant.run(lambda: members.disable_member(email))
    tenant.run(lambda: members.enable_member(email))
    assert not is_admitted(app, session)
    assert is_admitted(app, logged_in(app, email))
    with pytest.raises(Conflict):
        tenant.run(lambda: members.enable_member(email))


def test_the_last_owner_who_may_log_in_is_not_disabled(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    first, second = new_user("owner"), new_user("owner")
    tenant.run(lambda: members.disable_member(first))
    with pytest.raises(Conflict, match="last owner"):
        tenant.run(lambda: members.disable_member(second))
    assert is_admitted(app, logged_in(app, second))


def test_another_password_ends_all_sessions_in_every_organization(
    app: Flask, tenant: Tenant, other_tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user("member")
    here = [logged_in(app, email), logged_in(app, email)]
    tenant.rows(
        "INSERT INTO memberships (organization_id, id, user_id, role, created_at)"
        " SELECT %(there)s, gen_random_uuid(), id, 'viewer', '2020-01-01' FROM users"
        " WHERE email = %(email)s RETURNING id",
        there=other_tenant.id,
        email=email,
    )
    there = logged_in(app, email)
    assert row_of(other_tenant, email)["sessions"] == 1
    assert tenant.run(lambda: members.change_password(email, OTHER)) == 3
    assert not any(is_admitted(app, session) for session in (*here, there))
    assert row_of(tenant, email)["sessions"] == row_of(other_tenant, email)["sessions"] == 0
    assert is_refused(client_at(app), email)
    assert is_admitted(app, logged_in(app, email, OTHER))
    with pytest.raises(Invalid) as refused:
        tenant.run(lambda: members.change_password(email, "short"))
    assert "password" in refused.value.errors


def test_an_account_that_guesses_have_locked_is_unlocked(
    app: Flask, tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user("member")
    client = client_at(app)
    for _ in range(5):
        assert is_refused(client, email, "not the password")
    assert is_refused(client, email)
    assert tenant.run(lambda: members.unlock_member(email)) == 5
    assert log_in(client, email).status_code == 303


def test_nobody_elses_member_is_found_or_touched(
    app: Flask, tenant: Tenant, other_tenant: Tenant, new_user: MakeUser
) -> None:
    email = new_user("member")
    session = logged_in(app, email)
    acts: list[Callable[[], object]] = [
        lambda: members.disable_member(email),
        lambda: members.enable_member(email),
        lambda: members.change_password(email, OTHER),
        lambda: members.unlock_member(email),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            other_tenant.run(act)
    assert email not in [row["email"] for row in other_tenant.run(members.list_members)]
    assert is_admitted(app, session)


def test_what_is_done_to_a_member_is_recorded(tenant: Tenant, new_user: MakeUser) -> None:
    email = new_user("member")
    tenant.run(lambda: members.disable_member(email))
    tenant.run(lambda: members.enable_member(email))
    tenant.run(lambda: members.change_password(email, OTHER))
    tenant.run(lambda: members.unlock_member(email))
    tenant.run_jobs()
    rows = tenant.rows(
        "SELECT split_part(action, ':', 3) AS what FROM activity_events"
        " WHERE organization_id = %(organization_id)s AND entity_type = 'membership'"
        " ORDER BY entity_version"
    )
    assert [row["what"] for row in rows] == ["disabled", "enabled", "password_changed", "unlocked"]
