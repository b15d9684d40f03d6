"""The rules every table keeps, read from the metadata: no database needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Table,
    UniqueConstraint,
)
from sqlalchemy.engine import make_url

from models import (
    banking,
    billing,
    catalog,
    engagements,
    files,
    identity,
    jobs,
    online_payments,
    sales,
    states,
    webhooks,
)
from models.db.base import Base, TenantRecord
from models.states import StateMachine

TABLES = Base.metadata.tables
NAME_LIMIT = 63  # PostgreSQL cuts longer identifiers off (NAMEDATALEN - 1)

GLOBAL_TABLES = {
    "organizations": "the tenant itself",
    "users": "one person may work for several organizations",
    "credentials": "the organization is not known before the digest is found",
    "login_failures": "an address guesses at accounts of any organization, and at none",
    "password_resets": "who asks has no organization, and may have no account",
    "beat_slots": "holds no tenant's data; its jobs do",
}
TENANT_TABLES = [table for name, table in TABLES.items() if name not in GLOBAL_TABLES]

# These may be referenced without the tenant, each with its reason.
REFERENCED_WITHOUT_TENANT = {
    "organizations": "it is the tenant",
    "users": "global; who belongs where is the membership's to say",
}

MACHINE_COLUMNS = {
    ("deals", "stage"): states.DEAL,
    ("proposals", "status"): states.PROPOSAL,
    ("contracts", "status"): states.CONTRACT,
    ("engagements", "status"): states.ENGAGEMENT,
    ("projects", "status"): states.PROJECT,
    ("projects", "phase"): states.PHASE,
    ("tasks", "status"): states.TASK,
    ("conversations", "status"): states.CONVERSATION,
    ("orders", "status"): states.ORDER,
    ("invoices", "status"): states.INVOICE,
    ("bank_entries", "status"): states.BANK_ENTRY,
}
VOCABULARIES = {
    **{place: tuple(machine.states) for place, machine in MACHINE_COLUMNS.items()},
    ("phase_changes", "from_phase"): tuple(states.PHASE.states),
    ("phase_changes", "to_phase"): tuple(states.PHASE.states),
    ("phase_due_dates", "phase"): tuple(states.PHASE.states),
    ("memberships", "role"): identity.ROLES,
    ("api_keys", "role"): identity.ROLES,
    ("credentials", "role"): identity.ROLES,
    ("invitations", "role"): identity.ROLES,
    ("credentials", "kind"): identity.CREDENTIAL_KINDS,
    ("jobs", "state"): jobs.JOB_STATES,
    ("tasks", "priority"): catalog.PRIORITIES,
    ("project_template_tasks", "priority"): catalog.PRIORITIES,
    ("signatures", "method"): sales.SIGNATURE_METHODS,
    ("custom_field_definitions", "entity_type"): engagements.CUSTOM_FIELD_ENTITIES,
    ("custom_field_definitions", "field_type"): engagements.CUSTOM_FIELD_TYPES,
    ("engagements", "health"): engagements.HEALTH,
    ("engagement_health", "status"): engagements.HEALTH,
    ("engagement_health_changes", "from_status"): engagements.HEALTH,
    ("engagement_health_changes", "to_status"): engagements.HEALTH,
    ("invoice_schedules", "kind"): billing.SCHEDULE_KINDS,
    ("webhook_deliveries", "state"): webhooks.DELIVERY_STATES,
    ("checkout_sessions", "status"): online_payments.CHECKOUT_STATES,
    ("bank_statements", "format"): banking.STATEMENT_FORMATS,
    ("bank_entries", "direction"): banking.DIRECTIONS,
    ("webhook_endpoints", "audience"): webhooks.AUDIENCES,
    ("file_versions", "decision"): files.DECISIONS,
}


def checks(table: Table) -> list[str]:
    return [str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint)]


def checked_values(table: Table, column: str) -> set[str]:
    """The values that the one CHECK of the form `column IN (…)` admits."""
    pattern = re.compile(rf"(?:{column} IS NULL OR )?{column} IN \(([^)]*)\)")
    found = [match for match in map(pattern.fullmatch, checks(table)) if match]
    assert len(found) == 1, f"{table.name}.{column} has {len(found)} CHECKs of its values"
    return set(re.findall(r"'([^']*)'", found[0][1]))


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    return [c for c in table.constraints if isinstance(c, ForeignKeyConstraint)]


def key_prefixes(table: Table) -> Iterator[list[str]]:
    """The column lists of everything that can look up all rows of the table."""
    yield [column.name for column in table.primary_key]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
    for index in table.indexes:
        # A partial index cannot find the rows it leaves out, deleted ones among them.
        if index.dialect_options["postgresql"]["where"] is None:
            yield [getattr(part, "name", str(part)) for part in index.expressions]


def named_things(table: Table) -> Iterator[Constraint | Index]:
    yield from table.constraints
    yield from table.indexes


def stored_name(thing: Constraint | Index) -> str:
    """The name the database gets, after SQLAlchemy has shortened what the convention made."""
    preparer = make_url("postgresql+psycopg://").get_dialect()().identifier_preparer
    name = (
        preparer.format_index(thing)
        if isinstance(thing, Index)
        else preparer.format_constraint(thing)
    )
    assert name, f"{thing!r} has no name"
    return name


def expected_index(table: Table, *columns: str, where: str | None) -> bool:
    for index in table.indexes:
        condition = index.dialect_options["postgresql"]["where"]
        parts = [getattr(part, "name", str(part)) for part in index.expressions]
        if parts == list(columns) and (None if condition is None else str(condition)) == where:
            return True
    return False


def test_only_the_tables_of_the_allow_list_are_global() -> None:
    without_tenant = {
        name for name, table in TABLES.items() if "organization_id" not in table.primary_key.columns
    }
    assert without_tenant == set(GLOBAL_TABLES)
    assert all(GLOBAL_TABLES.values())


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_a_tenant_tables_primary_key_is_the_tenant_and_the_id(table: Table) -> None:
    assert [column.name for column in table.primary_key] == ["organization_id", "id"]
    (to_organization,) = [fk for fk in foreign_keys(table) if fk.column_keys == ["organization_id"]]
    assert to_organization.referred_table.name == "organizations"
    assert to_organization.ondelete == "CASCADE"


def test_references_between_tenant_tables_carry_the_tenant() -> None:
    loose = [
        f"{table.name}.{fk.column_keys} -> {fk.referred_table.name}"
        for table in TABLES.values()
        for fk in foreign_keys(table)
        if fk.referred_table.name not in REFERENCED_WITHOUT_TENANT
        and (
            fk.column_keys[0] != "organization_id"
            or fk.elements[0].column.name != "organization_id"
            or len(fk.column_keys) < 2
        )
    ]
    assert loose == []


def test_a_set_null_never_empties_the_tenant() -> None:
    wrong = [
        f"{table.name}.{fk.column_keys}: {fk.ondelete}"
        for table in TENANT_TABLES
        for fk in foreign_keys(table)
        if (fk.ondelete or "").startswith("SET NULL")
        and (
            fk.ondelete != f"SET NULL ({fk.column_keys[-1]})"
            or not table.columns[fk.column_keys[-1]].nullable
        )
    ]
    assert wrong == []


def test_every_foreign_key_has_an_index_that_leads_with_its_columns() -> None:
    uncovered = [
        f"{table.name}.{fk.column_keys}"
        for table in TABLES.values()
        for fk in foreign_keys(table)
        if not any(
            set(prefix[: len(fk.column_keys)]) == set(fk.column_keys)
            for prefix in key_prefixes(table)
        )
    ]
    assert uncovered == []


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_a_soft_deletable_table_has_an_index_of_the_living_and_one_of_the_dead(
    table: Table,
) -> None:
    if "deleted_at" not in table.columns or table.name == "memberships":
        return  # memberships are few, and listed through their unique key
    assert "deletion_batch_id" in table.columns
    assert expected_index(table, "organization_id", "created_at", "id", where="deleted_at IS NULL")
    assert expected_index(table, "organization_id", "deleted_at", where="deleted_at IS NOT NULL")


@pytest.mark.parametrize(
    ("place", "values"), VOCABULARIES.items(), ids=lambda part: ".".join(part)[:60]
)
def test_the_check_admits_exactly_the_declared_values(
    place: tuple[str, str], values: tuple[str, ...]
) -> None:
    table, column = place
    assert checked_values(TABLES[table], column) == set(values)


@pytest.mark.parametrize(
    ("place", "machine"), MACHINE_COLUMNS.items(), ids=lambda part: getattr(part, "name", "column")
)
def test_a_new_row_starts_in_the_machines_first_state(
    place: tuple[str, str], machine: StateMachine
) -> None:
    table, name = place
    column: Column[str] = TABLES[table].columns[name]
    assert machine.column == name
    assert column.server_default is not None and column.default is not None
    assert column.server_default.arg == machine.initial  # type: ignore[attr-defined]
    assert column.default.arg == machine.initial  # type: ignore[attr-defined]
    assert column.type.length is not None  # type: ignore[attr-defined]
    assert max(map(len, machine.states)) <= column.type.length  # type: ignore[attr-defined]


def test_every_machine_guards_a_column() -> None:
    assert set(states.MACHINES) == {machine.name for machine in MACHINE_COLUMNS.values()}


def test_no_amount_of_money_is_unchecked() -> None:
    unchecked = [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if isinstance(column.type, Numeric)
        and not {f"{column.name} {sign} 0" for sign in (">=", ">", "<>")} & set(checks(table))
    ]
    assert unchecked == []


def test_every_currency_has_the_form_of_a_code() -> None:
    with_currency = [table for table in TABLES.values() if "currency" in table.columns]
    unchecked = [t.name for t in with_currency if "currency ~ '^[A-Z]{3}$'" not in checks(t)]
    assert with_currency and unchecked == []


def test_no_name_may_be_blank() -> None:
    unchecked = [
        table.name
        for table in TABLES.values()
        if "name" in table.columns
        and table.name != "beat_slots"  # named by the program, not by people
        and "btrim(name) <> ''" not in checks(table)
    ]
    assert unchecked == []


def test_no_end_comes_before_its_start() -> None:
    pairs = (("start_date", "end_date"), ("start_date", "due_date"), ("starts_on", "ends_on"))
    unchecked = [
        f"{table.name}: {first}, {last}"
        for table in TABLES.values()
        for first, last in pairs
        if first in table.columns
        and last in table.columns
        and f"{last} >= {first}" not in checks(table)
    ]
    assert unchecked == []


def test_names_fit_the_database_and_do_not_collide() -> None:
    index_names: list[str] = []
    for table in TABLES.values():
        names = [stored_name(thing) for thing in named_things(table)]
        assert [name for name in names if len(name) > NAME_LIMIT] == []
        assert len(names) == len(set(names)), f"{table.name}: two constraints of one name"
        index_names += [stored_name(index) for index in table.indexes]
    assert len(index_names) == len(set(index_names))


# What the effects of a job or a request stumble over when they come a second time.
GUARDS = [
    ("signatures", ("proposal_id",)),
    ("signatures", ("contract_id",)),
    ("signed_documents", ("signature_id",)),
    ("proposal_versions", ("proposal_id", "version")),
    ("engagements", ("proposal_id",)),
    ("orders", ("proposal_id",)),
    ("projects", ("proposal_item_id",)),
    ("invoice_schedules", ("order_id",)),
    ("invoices", ("schedule_id", "period")),
    ("portal_accesses", ("engagement_id", "contact_id")),
    ("read_markers", ("conversation_id", "reader_kind", "reader_id")),
    ("engagement_contracts", ("engagement_id", "contract_id")),
    ("engagement_health", ("engagement_id",)),
    ("webhook_deliveries", ("endpoint_id", "event_id")),
    ("webhook_attempts", ("delivery_id", "n")),
    ("file_versions", ("file_id", "number")),
    ("stored_contents", ("sha256",)),
    ("custom_field_definitions", ("entity_type", "key")),
    ("number_series", ("series",)),
    ("proposals", ("number",)),
    ("contracts", ("number",)),
    ("orders", ("number",)),
    ("invoices", ("number",)),
    ("credit_notes", ("number",)),
    ("jobs", ("kind", "dedupe_key")),
    ("idempotency_keys", ("actor", "key")),
]


@pytest.mark.parametrize(("table", "columns"), GUARDS, ids=str)
def test_a_second_effect_is_refused_by_a_unique_key(table: str, columns: tuple[str, ...]) -> None:
    uniques = [
        [column.name for column in constraint.columns]
        for constraint in TABLES[table].constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    assert ["organization_id", *columns] in uniques


def test_a_version_and_a_contract_have_one_living_link_each() -> None:
    living = [i for i in TABLES["signing_links"].indexes if i.unique]
    assert sorted([column.name for column in index.columns] for index in living) == [
        ["organization_id", "contract_id"],
        ["organization_id", "proposal_id", "version"],
    ]
    for index in living:
        assert str(index.dialect_options["postgresql"]["where"]) == "revoked_at IS NULL"


def test_every_record_says_what_it_is_called() -> None:
    kinds = [mapper.class_ for mapper in Base.registry.mappers]
    records = [kind for kind in kinds if issubclass(kind, TenantRecord)]
    silent = [kind.__name__ for kind in records if "noun" not in vars(kind)]
    assert silent == []
    nouns = [kind.noun for kind in records]
    assert len(set(nouns)) == len(nouns)
