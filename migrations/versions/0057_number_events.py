"""Number an organization's events in the order in which they became visible.

Who follows them asks for those after a number and misses none. Events of before have no number.
Source: rulings.md, *Events*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

STREAMS = """
CREATE TABLE event_streams (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    last_position bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_event_streams PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_event_streams_organization_id UNIQUE (organization_id),
    CONSTRAINT ck_event_streams_last_position_minimum CHECK (last_position >= 0),
    CONSTRAINT fk_event_streams_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""


def upgrade() -> None:
    op.execute("ALTER TABLE activity_events ADD COLUMN position bigint")
    op.execute(STREAMS)
    protect("event_streams", rights="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE event_streams")
    op.execute("ALTER TABLE activity_events DROP COLUMN position")
