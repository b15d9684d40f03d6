"""The database itself keeps tenants apart, whatever the application forgets."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from models.crm import ClientCompany
from models.db.base import Base, TenantRecord, db
from models.db.queries import execute
from models.db.tenancy import NoTenantContext, as_system, in_context
from tests.support.tenants import Api, Tenant
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE
from webapp.services.identity.accounts import create_user

# Tables outside the tenants, each with its reason.
GLOBAL = {
    "beat_slots": "time slots hold no tenant's data",
    "alembic_version": "the revision of the schema",
}
# The application's role cannot read these as a whole, with a tenant or without.
UNREADABLE = ("credentials", "login_failures", "password_resets")


@pytest.fixture
def as_app(app: Flask) -> Iterator[psycopg.Connection]:
    """A connection as the application's role, bound to no tenant."""
    url = app.config["SETTINGS"].app_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@pytest.fixture
def as_dispatcher(app: Flask) -> Iterator[psycopg.Connection]:
    url = app.config["SETTINGS"].dispatcher_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


def test_every_table_but_the_listed_forces_row_level_security(tenant: Tenant) -> None:
    rows = tenant.rows(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    unforced = {row["relname"] for row in rows if not row["forced"]}
    assert unforced == set(GLOBAL)


def test_every_tenant_table_has_the_tenant_policy(tenant: Tenant) -> None:
    with_policy = {
        row["tablename"]
        for row in tenant.rows("SELECT tablename FROM pg_policies WHERE policyname = 'tenant'")
    }
    tables = {m.class_.__tablename__ for m in TenantRecord.registry.mappers
              if issubclass(m.class_, TenantRecord)}  # fmt: skip
    assert tables <= with_policy


def test_the_roles_own_nothing_and_bypass_nothing(tenant: Tenant) -> None:
    rows = tenant.rows(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
        " (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned"
        " FROM pg_roles r WHERE rolname IN (%(app)s, %(dispatcher)s)",
        app=APP_ROLE,
        dispatcher=DISPATCHER_ROLE,
    )
    assert len(rows) == 2
    for row in rows:
        assert not any(row[key] for key in row if key != "rolname"), row


def test_without_a_tenant_the_application_sees_no_row(
    as_app: psycopg.Connection, tenant: Tenant, api: Api
) -> None:
    api.made("/api/engagements", {"name": "Hidden"})
    for table in Base.metadata.tables:
        if table in GLOBAL or table in UNREADABLE:
            continue
        count = as_app.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert count == (0,), table


def test_bound_to_a_tenant_the_application_sees_that_tenant_only(
    as_app: psycopg.Connection, api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    api.made("/api/engagements", {"name": "Mine"})
    Api(app=api.app, api_key=other_tenant.api_key).made("/api/engagements", {"name": "Theirs"})
    with as_app.transaction():
        as_app.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        names = as_app.execute("SELECT name FROM engagements").fetchall()
        organizations = as_app.execute("SELECT id FROM organizations").fetchall()
    assert names == [("Mine",)]
    assert organizations == [(tenant.id,)]


def test_a_row_cannot_be_written_for_another_tenant(
    as_app: psycopg.Connection, tenant: Tenant, other_tenant: Tenant
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        as_app.transaction(),
    ):
        as_app.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        as_app.execute(
            "INSERT INTO engagements (organization_id, id, owner_id, name)"
            " VALUES (%s, %s, 'x', 'x')",
            (other_tenant.id, uuid4()),
        )


def test_a_reference_cannot_point_into_another_tenant(
    api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = Api(app=api.app, api_key=other_tenant.api_key).made("/api/engagements", {"name": "T"})
    url = api.app.config["SETTINGS"].owner_url.set(drivername="postgresql")  # type: ignore[union-attr]
    with (
        psycopg.connect(url.render_as_string(hide_password=False)) as owner,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        owner.execute("SELECT set_config('app.organization_id', %s, false)", (str(tenant.id),))
        owner.execute(
            "INSERT INTO projects (organization_id, id, engagement_id, name)"
            " VALUES (%s, %s, %s, 'x')",
            (tenant.id, uuid4(), theirs["id"]),
        )


def test_no_digest_can_be_read_by_the_application(as_app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_app.execute("SELECT digest FROM credentials")


@pytest.mark.parametrize("table", UNREADABLE)
def test_digests_and_addresses_are_reached_through_functions_alone(
    as_app: psycopg.Connection, table: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_app.execute(f"SELECT * FROM {table}")


def test_a_process_from_before_an_upgrade_counts_and_finds_logins_as_it_did(
    as_app: psycopg.Connection, tenant: Tenant
) -> None:
    email = f"{uuid4().hex}@example.com"
    made = tenant.run(lambda: create_user(email, "Kim", "a long password", role="viewer").id)

    def find() -> list[tuple[object, ...]]:
        return as_app.execute(
            "SELECT user_id, locked_until FROM find_login(%s)", (email.upper(),)
        ).fetchall()

    for _ in range(2):
        assert [find() for _ in range(4)] == [[(made, None)]] * 4
        as_app.execute("SELECT count_login(%s, true)", (made,))
    for _ in range(5):
        find()
        as_app.execute("SELECT count_login(%s, false)", (made,))
    assert find() == []


@pytest.mark.parametrize("table", ["signatures", "activity_events", "signed_documents"])
def test_evidence_and_history_cannot_be_rewritten(as_app: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_app.execute(f"UPDATE {table} SET created_at = now()")


@pytest.fixture
def signed(api: Api, tenant: Tenant) -> str:
    """The id of a carried out signature."""
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [row] = tenant.rows("SELECT id FROM signatures WHERE organization_id = %(organization_id)s")
    return str(row["id"])


def purged(as_app: psycopg.Connection, tenant: Tenant, signature_id: str) -> tuple[int, int]:
    """How many documents and signatures the application's role gets deleted, trying its best."""
    counts = []
    with as_app.transaction():
        as_app.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        for table, column in (("signed_documents", "signature_id"), ("signatures", "id")):
            [row] = as_app.execute(
                f"SELECT purge_evidence('{table}', array(SELECT id FROM {table}"
                f" WHERE {column} = %s))",
                (signature_id,),
            ).fetchall()
            counts.append(row[0])
    return counts[0], counts[1]


@pytest.mark.parametrize("table", ["signatures", "signed_documents"])
def test_the_application_cannot_delete_evidence_and_so_replace_it(
    as_app: psycopg.Connection, tenant: Tenant, signed: str, table: str
) -> None:
    as_app.execute("SELECT set_config('app.organization_id', %s, false)", (str(tenant.id),))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_app.execute(f"DELETE FROM {table}")


def test_evidence_is_purged_only_when_it_is_old_and_trashed_and_not_on_hold(
    as_app: psycopg.Connection, tenant: Tenant, other_tenant: Tenant, signed: str
) -> None:
    mine = "AND organization_id = %(organization_id)s RETURNING id"
    trash = "UPDATE proposals SET deleted_at = now() - interval '{} days' WHERE true"
    hold = "UPDATE engagements SET legal_hold = {} WHERE true"
    tenant.rows(f"{trash.format(31)} {mine}")
    assert purged(as_app, tenant, signed) == (0, 0), "it is young"
    tenant.rows("UPDATE signatures SET signed_at = now() - interval '8 years' WHERE true " + mine)
    tenant.rows(f"{hold.format('true')} {mine}")
    assert purged(as_app, tenant, signed) == (0, 0), "it is on hold"
    tenant.rows(f"{hold.format('false')} {mine}")
    tenant.rows(f"UPDATE proposals SET deleted_at = NULL WHERE true {mine}")
    assert purged(as_app, tenant, signed) == (0, 0), "nobody has trashed it"
    tenant.rows(f"{trash.format(29)} {mine}")
    assert purged(as_app, tenant, signed) == (0, 0), "it was trashed a moment ago"
    tenant.rows(f"{trash.format(31)} {mine}")
    assert purged(as_app, other_tenant, signed) == (0, 0), "it is another organization's"
    assert purged(as_app, tenant, signed) == (1, 1)


def test_the_dispatcher_sees_that_work_is_due_but_not_what_it_is_about(
    as_dispatcher: psycopg.Connection, api: Api, tenant: Tenant
) -> None:
    api.made("/api/engagements", {"name": "Hidden"})
    due = as_dispatcher.execute(
        "SELECT kind FROM jobs WHERE organization_id = %s", (tenant.id,)
    ).fetchall()
    assert due == [("activity.record",)]
    for sql in (
        "SELECT payload FROM jobs",
        "SELECT name FROM engagements",
        "SELECT name FROM users",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_dispatcher.execute(sql)


def test_statements_are_refused_outside_a_transaction_and_a_session_sees_no_row(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    api.made("/api/companies", {"name": "x"})
    with app.app_context():
        with pytest.raises(NoTenantContext):
            execute("SELECT 1", {})
        with in_context(as_system(tenant.id)), pytest.raises(NoTenantContext):
            execute("SELECT 1", {})
        assert db.session.scalars(select(ClientCompany)).all() == []
        db.session.remove()
