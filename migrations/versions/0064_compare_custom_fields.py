"""Keep what reads as a number in custom fields as one, so that lists have ranges and orders by it."""

from __future__ import annotations

from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # numeric is not leakproof: under row-level security an index on it would serve nobody.
    op.execute(
        "ALTER TABLE custom_field_values ADD COLUMN number double precision"
        " GENERATED ALWAYS AS ("
        "CASE WHEN value ~ '^-?[0-9]{1,32}([.][0-9]{1,32})?$' THEN value::double precision"
        " WHEN value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
        " THEN replace(value, '-', '')::double precision END) STORED"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE custom_field_values DROP COLUMN number")
