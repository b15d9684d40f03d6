"""Deliver webhooks: in a lane of their own, each try written down, with two secrets for a while."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

BEFORE = "'signature', 'short', 'document', 'outside', 'bulk'"
LANES = "'signature', 'short', 'document', 'outside', 'webhook', 'bulk'"
# As in 0011, for the lanes of now.
LANE_AGES = """
CREATE OR REPLACE FUNCTION lane_ages() RETURNS TABLE (lane text, seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET app.claims = 'on'
AS $$
    SELECT l.lane, extract(epoch FROM clock_timestamp() - w.run_at)::double precision
    FROM unnest(ARRAY[{lanes}]) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT j.run_at FROM public.jobs j
        WHERE j.state = 'ready' AND j.lane = l.lane AND j.run_at <= clock_timestamp()
        ORDER BY j.run_at LIMIT 1) w
$$"""
ENDPOINTS = """
ALTER TABLE webhook_endpoints
    ADD COLUMN previous_secret bytea,
    ADD COLUMN previous_secret_until timestamptz,
    ADD COLUMN audience varchar(16) NOT NULL DEFAULT 'staff',
    ADD COLUMN disabled_reason text,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN last_failed_at timestamptz"""
ENDPOINT_CHECKS = {
    "ck_webhook_endpoints_audience_known": "audience IN ('staff', 'clients')",
    "ck_webhook_endpoints_previous_secret_ends":
        "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
}
ATTEMPTS = """
CREATE TABLE webhook_attempts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    n smallint NOT NULL,
    milliseconds integer NOT NULL,
    response_status smallint,
    response_excerpt text,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_webhook_attempts_organization_id_delivery_id_n
        UNIQUE (organization_id, delivery_id, n),
    CONSTRAINT ck_webhook_attempts_n_minimum CHECK (n >= 1),
    CONSTRAINT ck_webhook_attempts_milliseconds_minimum CHECK (milliseconds >= 0),
    CONSTRAINT fk_webhook_attempts_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_webhook_attempts_organization_id_delivery_id
        FOREIGN KEY (organization_id, delivery_id)
        REFERENCES webhook_deliveries (organization_id, id) ON DELETE CASCADE)"""


def upgrade() -> None:
    _set_lanes(LANES)
    op.execute(ENDPOINTS)
    for name, condition in ENDPOINT_CHECKS.items():
        op.execute(
            f"ALTER TABLE webhook_endpoints ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
        )
        op.execute(f"ALTER TABLE webhook_endpoints VALIDATE CONSTRAINT {name}")
    op.execute(
        "ALTER TABLE webhook_deliveries ADD COLUMN replays smallint NOT NULL DEFAULT 0,"
        " ADD COLUMN error text,"
        " ADD CONSTRAINT ck_webhook_deliveries_replays_minimum CHECK (replays >= 0) NOT VALID"
    )
    op.execute(
        "ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT ck_webhook_deliveries_replays_minimum"
    )
    op.execute(ATTEMPTS)
    protect("webhook_attempts")


def downgrade() -> None:
    op.execute("DROP TABLE webhook_attempts")
    op.execute("ALTER TABLE webhook_deliveries DROP COLUMN replays, DROP COLUMN error")
    op.execute(
        "ALTER TABLE webhook_endpoints DROP COLUMN previous_secret,"
        " DROP COLUMN previous_secret_until, DROP COLUMN audience, DROP COLUMN disabled_reason,"
        " DROP COLUMN failing_since, DROP COLUMN last_failed_at"
    )
    # The policy of 0011 lets this transaction see the jobs of all organizations.
    op.execute("SELECT set_config('app.claims', 'on', true)")
    op.execute("UPDATE jobs SET lane = 'outside' WHERE lane = 'webhook'")
    op.execute("SELECT set_config('app.claims', '', true)")
    _set_lanes(BEFORE)


def _set_lanes(lanes: str) -> None:
    op.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_lane_known")
    op.execute(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_lane_known CHECK (lane IN ({lanes})) NOT VALID")
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_lane_known")
    op.execute(LANE_AGES.format(lanes=lanes))
