"""Plan the work of a project: tasks wait for others, have steps, an estimate and a conversation."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

DEPENDENCIES = """
CREATE TABLE task_dependencies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    depends_on_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_task_dependencies PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_task_dependencies_organization_id_task_id_depends_on_id
        UNIQUE (organization_id, task_id, depends_on_id),
    CONSTRAINT ck_task_dependencies_not_on_itself CHECK (task_id <> depends_on_id),
    CONSTRAINT fk_task_dependencies_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_task_dependencies_organization_id_task_id
        FOREIGN KEY (organization_id, task_id) REFERENCES tasks (organization_id, id)
        ON DELETE CASCADE,
    CONSTRAINT fk_task_dependencies_organization_id_depends_on_id
        FOREIGN KEY (organization_id, depends_on_id) REFERENCES tasks (organization_id, id)
        ON DELETE CASCADE)"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE tasks ADD COLUMN conversation_id uuid, ADD COLUMN estimate_minutes integer,"
        " ADD COLUMN blocks_phase boolean NOT NULL DEFAULT false,"
        " ADD COLUMN checklist jsonb NOT NULL DEFAULT '[]',"
        " ADD CONSTRAINT ck_tasks_estimate_minutes_minimum CHECK (estimate_minutes >= 0),"
        " ADD CONSTRAINT ck_tasks_checklist_is_array CHECK (jsonb_typeof(checklist) = 'array'),"
        " ADD CONSTRAINT fk_tasks_organization_id_conversation_id"
        " FOREIGN KEY (organization_id, conversation_id)"
        " REFERENCES conversations (organization_id, id) ON DELETE SET NULL (conversation_id)"
    )
    op.execute(DEPENDENCIES)
    op.execute(
        "CREATE INDEX ix_task_dependencies_depends_on_id"
        " ON task_dependencies (organization_id, depends_on_id)"
    )
    protect("task_dependencies")


def downgrade() -> None:
    op.execute("DROP TABLE task_dependencies")
    op.execute(
        "ALTER TABLE tasks DROP COLUMN conversation_id, DROP COLUMN estimate_minutes,"
        " DROP COLUMN blocks_phase, DROP COLUMN checklist"
    )
