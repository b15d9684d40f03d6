"""Keep the days on which the phases of projects are due, and plan them from templates."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

DUE_DATES = """
CREATE TABLE phase_due_dates (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    phase varchar(16) NOT NULL,
    due_date date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_phase_due_dates PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_phase_due_dates_phase_known
        CHECK (phase IN ('kickoff', 'setup', 'build', 'testing', 'deployment', 'handoff')),
    CONSTRAINT uq_phase_due_dates_organization_id_project_id_phase
        UNIQUE (organization_id, project_id, phase),
    CONSTRAINT fk_phase_due_dates_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_phase_due_dates_organization_id_project_id
        FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id)
        ON DELETE CASCADE)"""


def upgrade() -> None:
    op.execute(DUE_DATES)
    protect("phase_due_dates")
    op.execute(
        "ALTER TABLE project_templates ADD COLUMN phases jsonb NOT NULL DEFAULT '[]',"
        " ADD CONSTRAINT ck_project_templates_phases_is_array"
        " CHECK (jsonb_typeof(phases) = 'array')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE project_templates DROP COLUMN phases")
    op.execute("DROP TABLE phase_due_dates")
