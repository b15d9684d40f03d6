"""Keep from which template a task and a milestone were planned, so that none is planned twice."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

OF = {
    "milestones": ("template_milestone_id", "project_template_milestones"),
    "tasks": ("template_task_id", "project_template_tasks"),
}


def upgrade() -> None:
    for table, (column, template) in OF.items():
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} uuid,"
            f" ADD CONSTRAINT fk_{table}_organization_id_{column}"
            f" FOREIGN KEY (organization_id, {column}) REFERENCES {template} (organization_id, id)"
            f" ON DELETE SET NULL ({column})"
        )
    op.execute(
        "ALTER TABLE project_template_tasks ADD COLUMN estimate_minutes integer,"
        " ADD COLUMN blocks_phase boolean NOT NULL DEFAULT false,"
        " ADD COLUMN depends_on jsonb NOT NULL DEFAULT '[]',"
        " ADD CONSTRAINT ck_project_template_tasks_estimate_minutes_minimum"
        " CHECK (estimate_minutes >= 0),"
        " ADD CONSTRAINT ck_project_template_tasks_depends_on_is_array"
        " CHECK (jsonb_typeof(depends_on) = 'array')"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE project_template_tasks DROP COLUMN estimate_minutes,"
        " DROP COLUMN blocks_phase, DROP COLUMN depends_on"
    )
    for table, (column, _) in OF.items():
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
