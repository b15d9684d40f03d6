"""Constraints and indexes that many tables share, so that each is worded in one place."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, text

USER_AGENT_LENGTH = 512


def not_blank(column: str = "name") -> CheckConstraint:
    """A text that holds more than spaces (rulings.md, *Names*: they are never blank)."""
    return CheckConstraint(f"btrim({column}) <> ''", name=f"{column}_not_blank")


def currency_form(column: str = "currency") -> CheckConstraint:
    """Three capital letters, as ISO 4217 codes are; NULL passes where the column allows it."""
    return CheckConstraint(f"{column} ~ '^[A-Z]{{3}}$'", name=f"{column}_form")


def amount_with_currency(column: str) -> CheckConstraint:
    """An optional amount of money that, once given, names its currency."""
    return CheckConstraint(
        f"{column} IS NULL OR currency IS NOT NULL", name=f"{column}_with_currency"
    )


def at_least(minimum: int, column: str) -> CheckConstraint:
    """A number that is never below `minimum`; NULL passes where the column allows it."""
    return CheckConstraint(f"{column} >= {minimum}", name=f"{column}_minimum")


def at_most(maximum: int, column: str) -> CheckConstraint:
    """A number that is never above `maximum`; NULL passes where the column allows it."""
    return CheckConstraint(f"{column} <= {maximum}", name=f"{column}_maximum")


def in_order(first: str, last: str) -> CheckConstraint:
    """A day that is not before another one; passes when either is unknown."""
    return CheckConstraint(f"{last} >= {first}", name=f"{last}_not_before_{first}")


def tax_of_item() -> tuple[CheckConstraint, ...]:
    """A category of tax with its rate in percent; neither of them, or both."""
    return (
        CheckConstraint(
            "tax_category IN ('standard', 'reduced', 'zero', 'exempt', 'reverse_charge')",
            name="tax_category_known",
        ),
        CheckConstraint("(tax_category IS NULL) = (tax_rate IS NULL)", name="tax_is_whole"),
        at_least(0, "tax_rate"),
        at_most(100, "tax_rate"),
    )


def digest_form(column: str) -> CheckConstraint:
    """A SHA-256 in lower-case hexadecimal."""
    return CheckConstraint(f"{column} ~ '^[0-9a-f]{{64}}$'", name=f"{column}_form")


def json_object(column: str) -> CheckConstraint:
    return CheckConstraint(f"jsonb_typeof({column}) = 'object'", name=f"{column}_is_object")


def json_array(column: str) -> CheckConstraint:
    return CheckConstraint(f"jsonb_typeof({column}) = 'array'", name=f"{column}_is_array")


def index(table: str, *columns: str, where: str | None = None, unique: bool = False) -> Index:
    """An index inside the tenant: organization_id, then `columns`, named after the columns."""
    prefix = "uq" if unique else "ix"
    return Index(
        f"{prefix}_{table}_{'_'.join(columns)}",
        "organization_id",
        *columns,
        unique=unique,
        postgresql_where=text(where) if where else None,
    )


def list_index(table: str, *filters: str, live_only: bool = False) -> Index:
    """The index of one list: its filters, then the keyset (created_at, id) that pages it.

    `live_only` leaves out soft-deleted rows. Do not use it where the filter is a foreign key:
    the database looks up deleted rows too when the referenced row goes.
    """
    name = "_".join(filters) or "created_at"
    return Index(
        f"ix_{table}_{name}",
        "organization_id",
        *filters,
        "created_at",
        "id",
        postgresql_where=text("deleted_at IS NULL") if live_only else None,
    )


def sort_index(table: str, column: str, *, live_only: bool = False) -> Index:
    """The index of a list sorted by a column that is never null."""
    return Index(
        f"ix_{table}_{column}_sorted",
        "organization_id",
        column,
        "id",
        postgresql_where=text("deleted_at IS NULL") if live_only else None,
    )


def day_index(table: str, column: str, *, live_only: bool = False) -> Index:
    """The index of a list sorted by a day that may be unknown (`days_last` in the services)."""
    return Index(
        f"ix_{table}_{column}_sorted",
        "organization_id",
        text(f"(COALESCE({column}, '9999-12-31'::date))"),
        "id",
        postgresql_where=text("deleted_at IS NULL") if live_only else None,
    )


def purge_index(table: str) -> Index:
    """The soft-deleted rows by age: what the purge reads, without touching the living."""
    return index(table, "deleted_at", where="deleted_at IS NOT NULL")
