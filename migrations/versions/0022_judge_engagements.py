"""Keep how engagements fare: on each, with its reasons, and each change of it.

What was there before was never written by the application. Source: rulings.md, *Health*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KNOWN = "IN ('ok', 'attention', 'at_risk')"
# The old levels meant the same in other words.
RENAMED = """
ALTER TABLE engagement_health ALTER COLUMN status TYPE varchar(16) USING
    CASE status WHEN 'good' THEN 'ok' WHEN 'at_risk' THEN 'attention'
                WHEN 'critical' THEN 'at_risk' END"""
RENAMED_BACK = """
ALTER TABLE engagement_health ALTER COLUMN status TYPE varchar(16) USING
    CASE status WHEN 'ok' THEN 'good' WHEN 'attention' THEN 'at_risk'
                WHEN 'at_risk' THEN 'critical' END"""
CHANGES = f"""
CREATE TABLE engagement_health_changes (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    engagement_id uuid NOT NULL,
    from_status varchar(16) NOT NULL,
    to_status varchar(16) NOT NULL,
    reasons jsonb NOT NULL DEFAULT '[]',
    changed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_engagement_health_changes PRIMARY KEY (organization_id, id),
    CONSTRAINT fk_engagement_health_changes_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_engagement_health_changes_organization_id_engagement_id
        FOREIGN KEY (organization_id, engagement_id)
        REFERENCES engagements (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_engagement_health_changes_from_status_known CHECK (from_status {KNOWN}),
    CONSTRAINT ck_engagement_health_changes_to_status_known CHECK (to_status {KNOWN}),
    CONSTRAINT ck_engagement_health_changes_status_differs CHECK (from_status <> to_status),
    CONSTRAINT ck_engagement_health_changes_reasons_is_array
        CHECK (jsonb_typeof(reasons) = 'array'))"""


def upgrade() -> None:
    op.execute("ALTER TABLE engagement_health DROP CONSTRAINT ck_engagement_health_level_known")
    op.execute("ALTER TABLE engagement_health DROP COLUMN score")
    op.execute("ALTER TABLE engagement_health RENAME COLUMN level TO status")
    op.execute(RENAMED)
    op.execute(
        "ALTER TABLE engagement_health ADD COLUMN since timestamptz NOT NULL DEFAULT now(),"
        f" ADD CONSTRAINT ck_engagement_health_status_known CHECK (status {KNOWN})"
    )
    op.execute(CHANGES)
    op.execute(
        "CREATE INDEX ix_engagement_health_changes_engagement_id_changed_at_id"
        " ON engagement_health_changes (organization_id, engagement_id, changed_at, id)"
    )
    protect("engagement_health_changes", rights="SELECT, INSERT, DELETE")
    op.execute("ALTER TABLE engagements ADD COLUMN health varchar(16) NOT NULL DEFAULT 'ok'")
    op.execute(
        "ALTER TABLE engagements"
        f" ADD CONSTRAINT ck_engagements_health_known CHECK (health {KNOWN}) NOT VALID"
    )
    op.execute("ALTER TABLE engagements VALIDATE CONSTRAINT ck_engagements_health_known")


def downgrade() -> None:
    op.execute("ALTER TABLE engagements DROP COLUMN health")
    op.execute("DROP TABLE engagement_health_changes")
    op.execute("ALTER TABLE engagement_health DROP CONSTRAINT ck_engagement_health_status_known")
    op.execute("ALTER TABLE engagement_health DROP COLUMN since")
    op.execute(RENAMED_BACK)
    op.execute("ALTER TABLE engagement_health RENAME COLUMN status TO level")
    op.execute(
        "ALTER TABLE engagement_health ADD COLUMN score smallint NOT NULL DEFAULT 100,"
        " ADD CONSTRAINT ck_engagement_health_level_known"
        " CHECK (level IN ('good', 'at_risk', 'critical')),"
        " ADD CONSTRAINT ck_engagement_health_score_range CHECK (score BETWEEN 0 AND 100)"
    )
    op.execute("ALTER TABLE engagement_health ALTER COLUMN score DROP DEFAULT")
