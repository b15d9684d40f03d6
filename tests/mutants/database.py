"""Safeguards of the database itself: unique keys, references, tenants apart."""

from __future__ import annotations

from tests.mutants.model import Edit, Mutant, without

CREATED = "migrations/versions/0001_create_ledger.py"
TENANCY = "migrations/tenancy.py"
OPENING = "models/db/transactions.py"
MIGRATIONS = "tests/models/test_migrations.py::test_{}"
ISOLATION = "tests/models/test_tenant_isolation.py::test_{}"
WALK = "tests/api/test_tenant_walk.py::test_{}"
POOLED = "tests/core/test_transaction.py::test_a_pooled_connection_remembers_no_tenant"
SECOND = "tests/models/test_second_effects.py::test_a_second_row_for_the_same_thing_is_refused"


def without_unique(table: str, *columns: str, also: tuple[str, ...] = ()) -> Mutant:
    """The unique key of these columns inside the tenant becomes a check that all rows pass."""
    listed = ", ".join(f"'{column}'" for column in ("organization_id", *columns))
    key = f"{table}_organization_id_{'_'.join(columns)}"
    named = f"name=op.f('uq_{key}')"
    return without(
        f"UNIQUE {table} ({', '.join(columns)})",
        CREATED,
        f"sa.UniqueConstraint({listed}, {named})",
        f"sa.CheckConstraint('true', {named})",
        f"{SECOND}[{table}.{'_'.join(columns)}]",
        *also,
    )


_SECOND_JOB = (
    "tests/tasks/runtime/test_jobs.py"
    "::test_a_second_job_of_the_same_kind_and_key_is_refused_with_its_whole_transaction"
)
_ONE_KEY = (
    "tests/concurrency/test_signing_races.py"
    "::test_one_idempotency_key_makes_one_engagement_from_concurrent_requests"
)

MUTANTS: tuple[Mutant, ...] = (
    without_unique("signatures", "proposal_id"),
    without_unique("signatures", "contract_id"),
    without_unique("contracts", "proposal_id"),
    without_unique("contracts", "number"),
    without_unique("engagements", "proposal_id"),
    without_unique("engagements", "contract_id"),
    without_unique("engagement_contracts", "engagement_id", "contract_id"),
    without_unique("projects", "proposal_item_id"),
    without_unique("orders", "proposal_id"),
    without_unique("orders", "number"),
    without_unique("invoice_schedules", "order_id"),
    without_unique("invoices", "schedule_id", "period"),
    without_unique("portal_accesses", "engagement_id", "contact_id"),
    without_unique("signed_documents", "signature_id"),
    without_unique("proposals", "number"),
    without_unique("proposal_versions", "proposal_id", "version"),
    without(
        "one living link of a version",
        "migrations/versions/0014_index_living_links.py",
        'where="revoked_at IS NULL", unique=True',
        'where="revoked_at IS NULL"',
        f"{SECOND}[signing_links.proposal_id_version]",
    ),
    without_unique("jobs", "kind", "dedupe_key", also=(_SECOND_JOB,)),
    without_unique("idempotency_keys", "actor", "key", also=(_ONE_KEY,)),
    without(
        "the primary key of beat's slots",
        CREATED,
        "sa.PrimaryKeyConstraint('name', 'slot', name=op.f('pk_beat_slots'))",
        "sa.CheckConstraint('true', name=op.f('pk_beat_slots'))",
        "tests/tasks/runtime/test_schedule.py::test_many_beats_open_a_slot_once",
    ),
    Mutant(
        "the tenant in a reference (projects.engagement_id)",
        (
            Edit(
                CREATED,
                "name=op.f('pk_engagements')),",
                "name=op.f('pk_engagements')), sa.UniqueConstraint('id', name='id'),",
            ),
            Edit(
                CREATED,
                "sa.ForeignKeyConstraint(['organization_id', 'engagement_id'],"
                " ['engagements.organization_id', 'engagements.id'],"
                " name=op.f('fk_projects_organization_id_engagement_id')",
                "sa.ForeignKeyConstraint(['engagement_id'], ['engagements.id'],"
                " name=op.f('fk_projects_organization_id_engagement_id')",
            ),
        ),
        (ISOLATION.format("a_reference_cannot_point_into_another_tenant"),),
    ),
    without(
        "FORCE ROW LEVEL SECURITY",
        TENANCY,
        'op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")',
        "pass",
        ISOLATION.format("every_table_but_the_listed_forces_row_level_security"),
    ),
    without(
        "ENABLE ROW LEVEL SECURITY",
        TENANCY,
        'op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")',
        "pass",
        ISOLATION.format("without_a_tenant_the_application_sees_no_row"),
        ISOLATION.format("bound_to_a_tenant_the_application_sees_that_tenant_only"),
    ),
    without(
        "the tenant policy of one table (engagements)",
        TENANCY,
        '    mine = f"{column} = {TENANT}"\n',
        '    mine = "true" if table == "engagements" else f"{column} = {TENANT}"\n',
        ISOLATION.format("without_a_tenant_the_application_sees_no_row"),
        ISOLATION.format("bound_to_a_tenant_the_application_sees_that_tenant_only"),
        WALK.format("another_organizations_ids_are_not_found_on_any_route"),
        WALK.format("lists_show_nothing_of_another_organization"),
    ),
    without(
        "the check of rows written for another tenant",
        TENANCY,
        "WITH CHECK ({mine})",
        "WITH CHECK (true)",
        ISOLATION.format("a_row_cannot_be_written_for_another_tenant"),
    ),
    without(
        "the write-once rights on evidence and history",
        "migrations/versions/0002_guard_tenants.py",
        'protect(table, rights="SELECT, INSERT, DELETE")',
        "protect(table)",
        ISOLATION.format("evidence_and_history_cannot_be_rewritten"),
    ),
    without(
        "the right to delete evidence that the application does not have",
        "migrations/versions/0005_guard_evidence.py",
        'op.execute(f"REVOKE DELETE ON {table} FROM {APP_ROLE}")',
        "pass",
        ISOLATION.format("the_application_cannot_delete_evidence_and_so_replace_it"),
    ),
    without(
        "the years in the database's own purge of evidence",
        "migrations/versions/0005_guard_evidence.py",
        "AND s.signed_at < now() - make_interval(years => o.financial_retention_years)",
        "",
        ISOLATION.format("evidence_is_purged_only_when_it_is_old_and_trashed_and_not_on_hold"),
    ),
    without(
        "the end of the tenant's binding with a job's transaction",
        OPENING,
        "set_config('app.organization_id', %(organization_id)s::text, true)",
        "set_config('app.organization_id', %(organization_id)s::text, false)",
        f"{POOLED}[writing]",
    ),
    without(
        "the end of the tenant's binding with a request's statement",
        "migrations/versions/0047_limit_keys_to_addresses.py",
        "PERFORM set_config('app.organization_id', found_one.organization_id::text, true);",
        "PERFORM set_config('app.organization_id', found_one.organization_id::text, false);",
        f"{POOLED}[reading]",
    ),
    without(
        "CONCURRENTLY in a migration's index",
        "migrations/indexes.py",
        "CREATE {kind} CONCURRENTLY {name}",
        "CREATE {kind} {name}",
        MIGRATIONS.format("a_table_takes_writes_while_a_migration_builds_an_index_on_it"),
    ),
    without(
        "the drop of an index that an interrupted migration left invalid",
        "migrations/indexes.py",
        "if valid is False:",
        "if False:",
        MIGRATIONS.format("an_index_that_an_interrupted_run_left_invalid_is_built_again"),
    ),
    without(
        "the transaction of each migration",
        "migrations/env.py",
        "transaction_per_migration=True",
        "transaction_per_migration=False",
        MIGRATIONS.format(
            "a_failed_migration_leaves_the_database_at_the_last_one_that_was_finished"
        ),
    ),
    without(
        "the asking again for the migrations' lock",
        "webapp/core/database.py",
        "SELECT pg_try_advisory_lock(:key)",
        "SELECT pg_advisory_lock(:key) IS NOT NULL",
        MIGRATIONS.format("a_second_run_waits_for_the_first_and_does_not_hold_up_its_indexes"),
    ),
    without(
        "the look at the revision before a migration is left out",
        "webapp/devstack/migrated.py",
        "return rows == [(known_revisions()[0],)]",
        "return len(rows) == 1",
        "tests/devstack/test_migrated.py"
        "::test_a_database_at_another_revision_is_left_to_the_migration[an older one]",
    ),
    without(
        "the look at the roles before a migration is left out",
        "webapp/devstack/migrated.py",
        "return row == (True, *SESSION_SETTINGS.values())",
        "return row is not None",
        "tests/devstack/test_migrated.py"
        "::test_a_role_without_its_session_settings_is_left_to_the_migration[sx_app]",
        "tests/devstack/test_migrated.py"
        "::test_a_user_who_has_not_been_given_the_role_is_left_to_the_migration",
    ),
    without(
        "the readiness beside a newer database",
        "webapp/api/health.py",
        "if revision is None or revision in older:",
        "if revision != newest:",
        "tests/api/test_health.py::test_a_process_whose_database_is_newer_is_ready",
    ),
    without(
        "that a message stays internal",
        "migrations/versions/0040_keep_internal_messages_internal.py",
        "WHEN (OLD.is_internal IS DISTINCT FROM NEW.is_internal)",
        "WHEN (false)",
        "tests/api/conversations/test_messages.py"
        "::test_the_database_refuses_to_make_a_message_internal_or_visible_afterwards",
    ),
)
