"""Keep the time that people work in projects."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

ENTRIES = """
CREATE TABLE time_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    task_id uuid,
    user_id uuid,
    invoice_line_id uuid,
    day date NOT NULL,
    minutes integer NOT NULL DEFAULT 0,
    note text,
    is_billable boolean NOT NULL DEFAULT true,
    rate numeric(12, 2),
    started_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_time_entries PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_time_entries_minutes_minimum CHECK (minutes >= 0),
    CONSTRAINT ck_time_entries_rate_minimum CHECK (rate >= 0),
    CONSTRAINT fk_time_entries_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_time_entries_organization_id_project_id
        FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id)
        ON DELETE CASCADE,
    CONSTRAINT fk_time_entries_organization_id_task_id
        FOREIGN KEY (organization_id, task_id) REFERENCES tasks (organization_id, id)
        ON DELETE SET NULL (task_id),
    CONSTRAINT fk_time_entries_organization_id_invoice_line_id
        FOREIGN KEY (organization_id, invoice_line_id)
        REFERENCES invoice_lines (organization_id, id) ON DELETE SET NULL (invoice_line_id),
    CONSTRAINT fk_time_entries_organization_id_user_id
        FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id)
        ON DELETE SET NULL (user_id))"""
INDEXES = {
    "ix_time_entries_created_at": "created_at, id",
    "ix_time_entries_project_id": "project_id, created_at, id",
    "ix_time_entries_user_id": "user_id, created_at, id",
    "ix_time_entries_task_id": "task_id, created_at, id",
    "ix_time_entries_invoice_line_id": "invoice_line_id",
    "ix_time_entries_day_sorted": "day, id",
}


def upgrade() -> None:
    op.execute(ENTRIES)
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON time_entries (organization_id, {columns})")
    op.execute(
        "CREATE UNIQUE INDEX uq_time_entries_user_id ON time_entries (organization_id, user_id)"
        " WHERE started_at IS NOT NULL"
    )
    protect("time_entries")


def downgrade() -> None:
    op.execute("DROP TABLE time_entries")
