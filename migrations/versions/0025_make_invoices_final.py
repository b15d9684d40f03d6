"""Make invoices final once they have a number, with tax, credit notes, and payments by part.

Sent, partially paid and overdue are facts of an open invoice, no states (rulings.md, *Invoices*).
Nothing of what was there is lost: a payment of an invoice becomes its allocation.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security, protect

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

UNITS = "'piece', 'hour', 'day', 'month', 'kilometre', 'flat'"
CATEGORIES = "'standard', 'reduced', 'zero', 'exempt', 'reverse_charge'"
TENANT_KEY = """
    organization_id uuid NOT NULL,
    id uuid NOT NULL,"""
CREATED = "created_at timestamptz NOT NULL DEFAULT now(),"


def keys(table: str) -> str:
    return (
        f"CONSTRAINT pk_{table} PRIMARY KEY (organization_id, id),"
        f" CONSTRAINT fk_{table}_organization_id FOREIGN KEY (organization_id)"
        " REFERENCES organizations (id) ON DELETE CASCADE"
    )


def refers(table: str, column: str, target: str, rule: str = "CASCADE") -> str:
    return (
        f"CONSTRAINT fk_{table}_organization_id_{column}"
        f" FOREIGN KEY (organization_id, {column}) REFERENCES {target} (organization_id, id)"
        f" ON DELETE {rule}"
    )


ALLOCATIONS = f"""
CREATE TABLE payment_allocations ({TENANT_KEY}
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    amount numeric(12, 2) NOT NULL,
    allocated_at timestamptz NOT NULL DEFAULT now(),
    {CREATED}
    CONSTRAINT ck_payment_allocations_amount_not_zero CHECK (amount <> 0),
    {refers("payment_allocations", "payment_id", "payments")},
    {refers("payment_allocations", "invoice_id", "invoices", "NO ACTION")},
    {keys("payment_allocations")})"""
REFUNDS = f"""
CREATE TABLE refunds ({TENANT_KEY}
    payment_id uuid NOT NULL,
    amount numeric(12, 2) NOT NULL,
    reference varchar(255),
    reason text NOT NULL,
    refunded_at timestamptz NOT NULL DEFAULT now(),
    {CREATED}
    CONSTRAINT ck_refunds_amount_positive CHECK (amount > 0),
    CONSTRAINT ck_refunds_reason_not_blank CHECK (btrim(reason) <> ''),
    {refers("refunds", "payment_id", "payments")},
    {keys("refunds")})"""
NOTE_LINES = f"""
CREATE TABLE credit_note_lines ({TENANT_KEY}
    credit_note_id uuid NOT NULL,
    position integer NOT NULL DEFAULT 0,
    name varchar(255) NOT NULL,
    quantity numeric(12, 3) NOT NULL DEFAULT 1,
    unit varchar(16) NOT NULL DEFAULT 'piece',
    price numeric(12, 2) NOT NULL,
    discount numeric(12, 2) NOT NULL DEFAULT 0,
    tax_rate numeric(5, 2) NOT NULL DEFAULT 0,
    tax_category varchar(16) NOT NULL DEFAULT 'zero',
    total numeric(12, 2) NOT NULL,
    {CREATED}
    CONSTRAINT ck_credit_note_lines_name_not_blank CHECK (btrim(name) <> ''),
    CONSTRAINT ck_credit_note_lines_unit_known CHECK (unit IN ({UNITS})),
    CONSTRAINT ck_credit_note_lines_tax_category_known CHECK (tax_category IN ({CATEGORIES})),
    CONSTRAINT ck_credit_note_lines_quantity_positive CHECK (quantity > 0),
    CONSTRAINT ck_credit_note_lines_price_minimum CHECK (price >= 0),
    CONSTRAINT ck_credit_note_lines_discount_minimum CHECK (discount >= 0),
    CONSTRAINT ck_credit_note_lines_tax_rate_minimum CHECK (tax_rate >= 0),
    CONSTRAINT ck_credit_note_lines_position_minimum CHECK (position >= 0),
    CONSTRAINT ck_credit_note_lines_total_minimum CHECK (total >= 0),
    {refers("credit_note_lines", "credit_note_id", "credit_notes")},
    {keys("credit_note_lines")})"""
DOCUMENTS = f"""
CREATE TABLE billing_documents ({TENANT_KEY}
    invoice_id uuid,
    credit_note_id uuid,
    sha256 varchar(64) NOT NULL,
    content bytea NOT NULL,
    size integer NOT NULL,
    {CREATED}
    CONSTRAINT ck_billing_documents_of_one CHECK (num_nonnulls(invoice_id, credit_note_id) = 1),
    CONSTRAINT ck_billing_documents_sha256_form CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    CONSTRAINT ck_billing_documents_size_minimum CHECK (size >= 1),
    CONSTRAINT uq_billing_documents_organization_id_invoice_id
        UNIQUE (organization_id, invoice_id),
    CONSTRAINT uq_billing_documents_organization_id_credit_note_id
        UNIQUE (organization_id, credit_note_id),
    {refers("billing_documents", "invoice_id", "invoices", "NO ACTION")},
    {refers("billing_documents", "credit_note_id", "credit_notes")},
    {keys("billing_documents")})"""
APPEND_ONLY = {
    "payment_allocations": ALLOCATIONS, "refunds": REFUNDS, "credit_note_lines": NOTE_LINES,
    "billing_documents": DOCUMENTS,
}  # fmt: skip
CHECKS = {
    "status_known": "status IN ('draft', 'open', 'paid', 'void', 'uncollectible')",
    "numbered_once_final": "status IN ('draft', 'void') OR"
    " num_nulls(number, issued_on, due_date, seller, buyer) = 0",
    "no_number_in_draft": "status <> 'draft' OR number IS NULL",
    "written_off_at_if_so": "status <> 'uncollectible' OR written_off_at IS NOT NULL",
    "total_adds_up": "total = subtotal + tax",
    "settled_at_most_in_full": "paid + credited <= total",
    "paid_in_full": "status <> 'paid' OR paid + credited = total",
    "open_if_not_settled": "status <> 'open' OR paid + credited < total",
    "nothing_paid_before": "status NOT IN ('draft', 'void') OR paid + credited = 0",
    "tax_minimum": "tax >= 0",
    "credited_minimum": "credited >= 0",
    "tax_groups_is_array": "jsonb_typeof(tax_groups) = 'array'",
}
# What an issued invoice says is what was demanded; it is never changed afterwards.
KEEP_FINAL = """
CREATE FUNCTION keep_invoice_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.number, NEW.engagement_id, NEW.order_id, NEW.currency, NEW.subtotal, NEW.tax, NEW.total,
        NEW.tax_groups, NEW.seller, NEW.buyer, NEW.issued_on, NEW.due_date, NEW.notes)
       IS DISTINCT FROM
       (OLD.number, OLD.engagement_id, OLD.order_id, OLD.currency, OLD.subtotal, OLD.tax, OLD.total,
        OLD.tax_groups, OLD.seller, OLD.buyer, OLD.issued_on, OLD.due_date, OLD.notes) THEN
        RAISE EXCEPTION 'invoice % is final', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$"""
KEEP_LINES = """
CREATE FUNCTION keep_lines_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.invoices i WHERE i.organization_id = NEW.organization_id
               AND i.id = NEW.invoice_id AND i.number IS NOT NULL) THEN
        RAISE EXCEPTION 'the lines of a final invoice stay' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$"""
# What the organization and the client are called stands in for what was not kept then.
PARTIES = """
UPDATE invoices i SET
    client_company_id = e.client_company_id, contact_id = e.contact_id,
    seller = jsonb_build_object('name', o.name),
    buyer = jsonb_build_object('name', coalesce(c.name, p.first_name || ' ' || p.last_name, '')),
    due_date = coalesce(i.due_date, i.issued_on), paid = LEAST(i.paid, i.total),
    status = CASE WHEN i.paid >= i.total AND i.total > 0 THEN 'paid' ELSE 'open' END,
    paid_at = CASE WHEN i.paid >= i.total AND i.total > 0 THEN coalesce(i.paid_at, now()) END
FROM engagements e
JOIN organizations o ON o.id = e.organization_id
LEFT JOIN client_companies c ON c.organization_id = e.organization_id AND c.id = e.client_company_id
LEFT JOIN contacts p ON p.organization_id = e.organization_id AND p.id = e.contact_id
WHERE e.organization_id = i.organization_id AND e.id = i.engagement_id
  AND i.status NOT IN ('draft', 'void')"""
ALLOCATED = """
INSERT INTO payment_allocations (organization_id, id, payment_id, invoice_id, amount, allocated_at)
SELECT organization_id, id, id, invoice_id, amount, received_at FROM payments"""
CLIENTS = """
UPDATE payments p SET allocated = amount, client_company_id = i.client_company_id,
                      contact_id = i.contact_id
FROM invoices i WHERE i.organization_id = p.organization_id AND i.id = p.invoice_id"""
# The first invoice that a payment settled is the one it was for.
INVOICE_BACK = """
UPDATE payments p SET invoice_id = (
    SELECT a.invoice_id FROM payment_allocations a
    WHERE a.organization_id = p.organization_id AND a.payment_id = p.id ORDER BY a.id LIMIT 1)"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE invoices"
        " ADD COLUMN client_company_id uuid, ADD COLUMN contact_id uuid,"
        " ADD COLUMN tax numeric(12, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN credited numeric(12, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN tax_groups jsonb NOT NULL DEFAULT '[]',"
        " ADD COLUMN seller jsonb, ADD COLUMN buyer jsonb,"
        " ADD COLUMN viewed_at timestamptz, ADD COLUMN written_off_at timestamptz,"
        " ADD COLUMN write_off_reason text, ADD COLUMN overdue_told_on date,"
        " ADD COLUMN reminders smallint NOT NULL DEFAULT 0"
    )
    op.execute(
        "ALTER TABLE invoices DROP CONSTRAINT ck_invoices_status_known,"
        " DROP CONSTRAINT ck_invoices_numbered_once_sent,"
        " DROP CONSTRAINT ck_invoices_paid_at_if_paid"
    )
    with_all_rows("invoices", PARTIES)
    checks = CHECKS | {"paid_at_if_paid": "(status = 'paid') = (paid_at IS NOT NULL)"}
    for name, condition in checks.items():
        op.execute(f"ALTER TABLE invoices ADD CONSTRAINT ck_invoices_{name} CHECK ({condition})")
    for column, target in (("client_company_id", "client_companies"), ("contact_id", "contacts")):
        for table in ("invoices",):
            rule = refers(table, column, target, f"SET NULL ({column})")
            op.execute(f"ALTER TABLE {table} ADD {rule}")
    op.execute(
        "ALTER TABLE invoice_lines DROP CONSTRAINT ck_invoice_lines_quantity_minimum,"
        " ALTER COLUMN quantity TYPE numeric(12, 3),"
        " ADD COLUMN unit varchar(16) NOT NULL DEFAULT 'piece',"
        " ADD COLUMN discount numeric(12, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN tax_rate numeric(5, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN tax_category varchar(16) NOT NULL DEFAULT 'zero',"
        f" ADD CONSTRAINT ck_invoice_lines_unit_known CHECK (unit IN ({UNITS})),"
        f" ADD CONSTRAINT ck_invoice_lines_tax_category_known CHECK (tax_category IN ({CATEGORIES})),"
        " ADD CONSTRAINT ck_invoice_lines_quantity_positive CHECK (quantity > 0),"
        " ADD CONSTRAINT ck_invoice_lines_discount_minimum CHECK (discount >= 0),"
        " ADD CONSTRAINT ck_invoice_lines_tax_rate_minimum CHECK (tax_rate >= 0),"
        " ADD CONSTRAINT ck_invoice_lines_tax_rate_maximum CHECK (tax_rate <= 100)"
    )
    op.execute(
        "ALTER TABLE credit_notes ADD COLUMN subtotal numeric(12, 2),"
        " ADD COLUMN tax numeric(12, 2) NOT NULL DEFAULT 0"
    )
    with_all_rows("credit_notes", "UPDATE credit_notes SET subtotal = amount")
    op.execute(
        "ALTER TABLE credit_notes ALTER COLUMN subtotal SET NOT NULL,"
        " ADD CONSTRAINT ck_credit_notes_amount_adds_up CHECK (amount = subtotal + tax),"
        " ADD CONSTRAINT ck_credit_notes_subtotal_minimum CHECK (subtotal >= 0),"
        " ADD CONSTRAINT ck_credit_notes_tax_minimum CHECK (tax >= 0)"
    )
    op.execute(
        "ALTER TABLE payments ADD COLUMN client_company_id uuid, ADD COLUMN contact_id uuid,"
        " ADD COLUMN allocated numeric(12, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN refunded numeric(12, 2) NOT NULL DEFAULT 0,"
        " ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),"
        " ADD COLUMN row_version integer NOT NULL DEFAULT 1"
    )
    for table, sql in APPEND_ONLY.items():
        op.execute(sql)
    op.execute(
        "CREATE INDEX ix_payment_allocations_payment_id_id"
        " ON payment_allocations (organization_id, payment_id, id)"
    )
    op.execute(
        "CREATE INDEX ix_payment_allocations_invoice_id_id"
        " ON payment_allocations (organization_id, invoice_id, id)"
    )
    op.execute("CREATE INDEX ix_refunds_payment_id_id ON refunds (organization_id, payment_id, id)")
    op.execute(
        "CREATE INDEX ix_credit_note_lines_credit_note_id_position"
        " ON credit_note_lines (organization_id, credit_note_id, position)"
    )
    with_all_rows("payments", ALLOCATED, CLIENTS, also=("invoices",))
    op.execute(
        "ALTER TABLE payments DROP COLUMN invoice_id,"
        " ADD CONSTRAINT ck_payments_allocated_minimum CHECK (allocated >= 0),"
        " ADD CONSTRAINT ck_payments_refunded_minimum CHECK (refunded >= 0),"
        " ADD CONSTRAINT ck_payments_spent_at_most_once CHECK (allocated + refunded <= amount)"
    )
    for column, target in (("client_company_id", "client_companies"), ("contact_id", "contacts")):
        op.execute(
            f"ALTER TABLE payments ADD {refers('payments', column, target, f'SET NULL ({column})')}"
        )
    for table in APPEND_ONLY:
        protect(table, rights="SELECT, INSERT, DELETE")
    op.execute(KEEP_FINAL)
    op.execute(KEEP_LINES)
    op.execute(
        "CREATE TRIGGER keep_final BEFORE UPDATE ON invoices FOR EACH ROW"
        " WHEN (OLD.number IS NOT NULL) EXECUTE FUNCTION keep_invoice_final()"
    )
    op.execute(
        "CREATE TRIGGER keep_final BEFORE INSERT OR UPDATE ON invoice_lines FOR EACH ROW"
        " EXECUTE FUNCTION keep_lines_final()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_final ON invoice_lines")
    op.execute("DROP TRIGGER keep_final ON invoices")
    op.execute("DROP FUNCTION keep_lines_final()")
    op.execute("DROP FUNCTION keep_invoice_final()")
    op.execute(
        "ALTER TABLE payments DROP CONSTRAINT ck_payments_spent_at_most_once,"
        " DROP CONSTRAINT ck_payments_refunded_minimum,"
        " DROP CONSTRAINT ck_payments_allocated_minimum, ADD COLUMN invoice_id uuid"
    )
    with_all_rows(
        "payments", INVOICE_BACK, "DELETE FROM payments WHERE invoice_id IS NULL",
        also=("payment_allocations",),
    )
    op.execute(
        "ALTER TABLE payments ALTER COLUMN invoice_id SET NOT NULL,"
        f" ADD {refers('payments', 'invoice_id', 'invoices', 'NO ACTION')},"
        " DROP COLUMN client_company_id, DROP COLUMN contact_id, DROP COLUMN allocated,"
        " DROP COLUMN refunded, DROP COLUMN updated_at, DROP COLUMN row_version"
    )
    for table in reversed(APPEND_ONLY):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE credit_notes DROP COLUMN subtotal, DROP COLUMN tax")
    with_all_rows("invoice_lines", "UPDATE invoice_lines SET quantity = ceil(quantity)")
    op.execute(
        "ALTER TABLE invoice_lines DROP COLUMN unit, DROP COLUMN discount, DROP COLUMN tax_rate,"
        " DROP COLUMN tax_category, DROP CONSTRAINT ck_invoice_lines_quantity_positive,"
        " ALTER COLUMN quantity TYPE integer,"
        " ADD CONSTRAINT ck_invoice_lines_quantity_minimum CHECK (quantity >= 1)"
    )
    for name in (*CHECKS, "paid_at_if_paid"):
        if name not in ("tax_minimum", "credited_minimum", "tax_groups_is_array", "total_adds_up"):
            op.execute(f"ALTER TABLE invoices DROP CONSTRAINT ck_invoices_{name}")
    with_all_rows(
        "invoices",
        "UPDATE invoices SET status = 'sent', sent_at = coalesce(sent_at, issued_on)"
        " WHERE status IN ('open', 'uncollectible')",
        "UPDATE invoices SET sent_at = coalesce(sent_at, issued_on) WHERE status = 'paid'",
    )
    op.execute(
        "ALTER TABLE invoices DROP COLUMN client_company_id, DROP COLUMN contact_id,"
        " DROP COLUMN tax, DROP COLUMN credited, DROP COLUMN tax_groups, DROP COLUMN seller,"
        " DROP COLUMN buyer, DROP COLUMN viewed_at, DROP COLUMN written_off_at,"
        " DROP COLUMN write_off_reason, DROP COLUMN overdue_told_on, DROP COLUMN reminders,"
        " ADD CONSTRAINT ck_invoices_status_known CHECK (status IN"
        " ('draft', 'sent', 'partially_paid', 'paid', 'overdue', 'void')),"
        " ADD CONSTRAINT ck_invoices_numbered_once_sent CHECK (status IN ('draft', 'void')"
        " OR num_nulls(number, issued_on, sent_at) = 0),"
        " ADD CONSTRAINT ck_invoices_paid_at_if_paid"
        " CHECK ((status = 'paid') = (paid_at IS NOT NULL))"
    )


def with_all_rows(table: str, *statements: str, also: tuple[str, ...] = ()) -> None:
    """Run statements on all tenants' rows; forced, row-level security would hide them."""
    tables = (table, *also, "engagements", "organizations", "client_companies", "contacts")
    for each in tables:
        op.execute(f"ALTER TABLE {each} NO FORCE ROW LEVEL SECURITY")
    for statement in statements:
        op.execute(statement)
    for each in tables:
        force_row_security(each)
