"""Index custom fields by their numbers."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

NAME = "ix_custom_field_values_entity_type_key_number_entity_id"


def upgrade() -> None:
    create_index_concurrently(
        NAME, "custom_field_values",
        "organization_id", "entity_type", "key", "number", "entity_id",
        where="number IS NOT NULL",
    )


def downgrade() -> None:
    drop_index_concurrently(NAME)
