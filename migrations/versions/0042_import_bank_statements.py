"""Import bank statements: what came in and went out, to be made payments of."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE bank_statements (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    format varchar(16) NOT NULL,
    sha256 varchar(64) NOT NULL,
    account varchar(64),
    entries smallint NOT NULL,
    added smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_bank_statements PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_bank_statements_organization_id_sha256 UNIQUE (organization_id, sha256),
    CONSTRAINT ck_bank_statements_format_known CHECK (format IN ('camt.053', 'csv')),
    CONSTRAINT ck_bank_statements_sha256_form CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_bank_statements_added_minimum CHECK (added >= 0),
    CONSTRAINT ck_bank_statements_added_of_entries CHECK (entries >= added),
    CONSTRAINT fk_bank_statements_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""
ENTRIES = """
CREATE TABLE bank_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    bank_statement_id uuid NOT NULL,
    payment_id uuid,
    status varchar(16) NOT NULL DEFAULT 'pending',
    direction varchar(8) NOT NULL,
    amount numeric(12, 2) NOT NULL,
    currency varchar(3) NOT NULL,
    booked_on date NOT NULL,
    account varchar(64),
    counterparty varchar(255),
    counterparty_account varchar(64),
    remittance text NOT NULL DEFAULT '',
    reference varchar(255) NOT NULL,
    digest varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_bank_entries PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_bank_entries_organization_id_digest UNIQUE (organization_id, digest),
    CONSTRAINT ck_bank_entries_status_known
        CHECK (status IN ('pending', 'accepted', 'dismissed')),
    CONSTRAINT ck_bank_entries_direction_known CHECK (direction IN ('credit', 'debit')),
    CONSTRAINT ck_bank_entries_only_credits_wait
        CHECK (direction = 'credit' OR status = 'dismissed'),
    CONSTRAINT ck_bank_entries_payment_if_accepted
        CHECK (payment_id IS NULL OR status = 'accepted'),
    CONSTRAINT ck_bank_entries_amount_positive CHECK (amount > 0),
    CONSTRAINT ck_bank_entries_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_bank_entries_digest_form CHECK (digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT fk_bank_entries_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_bank_entries_organization_id_bank_statement_id
        FOREIGN KEY (organization_id, bank_statement_id)
        REFERENCES bank_statements (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_bank_entries_organization_id_payment_id
        FOREIGN KEY (organization_id, payment_id) REFERENCES payments (organization_id, id)
        ON DELETE SET NULL (payment_id))"""
INDEXES = {
    "ix_bank_entries_created_at": "created_at, id",
    "ix_bank_entries_status": "status, created_at, id",
    "ix_bank_entries_bank_statement_id": "bank_statement_id, created_at, id",
    "ix_bank_entries_payment_id": "payment_id",
}


def upgrade() -> None:
    op.execute(STATEMENTS)
    op.execute(ENTRIES)
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON bank_entries (organization_id, {columns})")
    op.execute(
        "CREATE INDEX ix_bank_statements_created_at"
        " ON bank_statements (organization_id, created_at, id)"
    )
    protect("bank_statements", rights="SELECT, INSERT")
    protect("bank_entries", rights="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE bank_entries")
    op.execute("DROP TABLE bank_statements")
