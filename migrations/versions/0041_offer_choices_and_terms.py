"""Let a proposal say what can be chosen, how it is taxed and how it is billed."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_TAX = {
    "tax_category_known": (
        "tax_category IN ('standard', 'reduced', 'zero', 'exempt', 'reverse_charge')"
    ),
    "tax_is_whole": "(tax_category IS NULL) = (tax_rate IS NULL)",
    "tax_rate_minimum": "tax_rate >= 0",
    "tax_rate_maximum": "tax_rate <= 100",
}
COLUMNS = {
    "proposals": {
        "discount": "numeric(12, 2) NOT NULL DEFAULT 0",
        "has_choices": "boolean NOT NULL DEFAULT false",
        "sections": "jsonb NOT NULL DEFAULT '[]'",
        "billing": "jsonb",
    },
    "proposal_items": {
        "optional": "boolean NOT NULL DEFAULT false",
        "min_quantity": "integer",
        "max_quantity": "integer",
        "tax_category": "varchar(16)",
        "tax_rate": "numeric(5, 2)",
    },
    "signatures": {"selection": "jsonb"},
    "contracts": {"billing": "jsonb"},
    "orders": {"discount": "numeric(12, 2) NOT NULL DEFAULT 0"},
    "order_items": {"tax_category": "varchar(16)", "tax_rate": "numeric(5, 2)"},
    "invoice_schedules": {"total": "numeric(12, 2)"},
}
CHECKS = {
    "proposals": {
        "discount_minimum": "discount >= 0",
        "sections_is_array": "jsonb_typeof(sections) = 'array'",
        "billing_is_object": "jsonb_typeof(billing) = 'object'",
    },
    "proposal_items": {
        "min_quantity_minimum": "min_quantity >= 1",
        "max_quantity_not_before_quantity": "max_quantity >= quantity",
        "quantity_not_before_min_quantity": "quantity >= min_quantity",
        **_TAX,
    },
    "signatures": {"selection_is_array": "jsonb_typeof(selection) = 'array'"},
    "contracts": {"billing_is_object": "jsonb_typeof(billing) = 'object'"},
    "orders": {"discount_minimum": "discount >= 0"},
    "order_items": _TAX,
    "invoice_schedules": {
        "total_minimum": "total >= 0",
        "whole_ends": "total IS NULL OR ends_on IS NOT NULL",
    },
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        op.execute(
            f"ALTER TABLE {table} "
            + ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in columns.items())
        )
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition})")


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"DROP COLUMN {name}" for name in columns))
