"""Take payments online: Checkout sessions, and the events that tell what became of them."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

SESSIONS = """
CREATE TABLE checkout_sessions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    payment_id uuid,
    status varchar(16) NOT NULL DEFAULT 'creating',
    amount numeric(12, 2) NOT NULL,
    currency varchar(3) NOT NULL,
    stripe_session_id varchar(255),
    url text,
    expires_at timestamptz,
    refunded numeric(12, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_checkout_sessions PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_checkout_sessions_status_known CHECK (status IN ('creating', 'open',
        'processing', 'paid', 'failed', 'expired', 'replaced')),
    CONSTRAINT ck_checkout_sessions_made_if_open
        CHECK (status <> 'open' OR num_nulls(stripe_session_id, url, expires_at) = 0),
    CONSTRAINT ck_checkout_sessions_payment_if_paid
        CHECK (payment_id IS NULL OR status = 'paid'),
    CONSTRAINT ck_checkout_sessions_amount_positive CHECK (amount > 0),
    CONSTRAINT ck_checkout_sessions_refunded_minimum CHECK (refunded >= 0),
    CONSTRAINT ck_checkout_sessions_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT fk_checkout_sessions_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_checkout_sessions_organization_id_invoice_id
        FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices (organization_id, id)
        ON DELETE CASCADE,
    CONSTRAINT fk_checkout_sessions_organization_id_payment_id
        FOREIGN KEY (organization_id, payment_id) REFERENCES payments (organization_id, id)
        ON DELETE SET NULL (payment_id))"""
EVENTS = """
CREATE TABLE payment_events (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    checkout_session_id uuid NOT NULL,
    event_id varchar(255) NOT NULL,
    type varchar(64) NOT NULL,
    facts jsonb NOT NULL,
    outcome varchar(32),
    processed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_payment_events PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_payment_events_organization_id_event_id UNIQUE (organization_id, event_id),
    CONSTRAINT ck_payment_events_event_id_not_blank CHECK (btrim(event_id) <> ''),
    CONSTRAINT ck_payment_events_facts_is_object CHECK (jsonb_typeof(facts) = 'object'),
    CONSTRAINT ck_payment_events_outcome_once_processed
        CHECK ((outcome IS NULL) = (processed_at IS NULL)),
    CONSTRAINT fk_payment_events_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_payment_events_organization_id_checkout_session_id
        FOREIGN KEY (organization_id, checkout_session_id)
        REFERENCES checkout_sessions (organization_id, id) ON DELETE CASCADE)"""


def upgrade() -> None:
    op.execute(SESSIONS)
    op.execute(EVENTS)
    op.execute(
        "CREATE INDEX ix_checkout_sessions_invoice_id_created_at"
        " ON checkout_sessions (organization_id, invoice_id, created_at)"
    )
    op.execute(
        "CREATE INDEX ix_checkout_sessions_payment_id"
        " ON checkout_sessions (organization_id, payment_id)"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_checkout_sessions_invoice_id"
        " ON checkout_sessions (organization_id, invoice_id)"
        " WHERE status IN ('creating', 'open', 'processing')"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_checkout_sessions_stripe_session_id"
        " ON checkout_sessions (organization_id, stripe_session_id)"
        " WHERE stripe_session_id IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_payment_events_checkout_session_id"
        " ON payment_events (organization_id, checkout_session_id)"
    )
    protect("checkout_sessions", rights="SELECT, INSERT, UPDATE")
    protect("payment_events", rights="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE payment_events")
    op.execute("DROP TABLE checkout_sessions")
