"""Define custom fields over the API, and find records by them.

`select` and `multiselect` are called `choice` and `choices`. Values are kept a second time as text,
by triggers, because no index on JSON serves the application under row-level security.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security, protect

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TYPES = "'text', 'number', 'money', 'date', 'boolean', 'choice', 'choices', 'url', 'user'"
OLD_TYPES = "'text', 'number', 'date', 'boolean', 'select', 'multiselect'"
ENTITIES = {
    "engagements": "engagement", "projects": "project", "deals": "deal", "contacts": "contact",
    "client_companies": "company",
}  # fmt: skip
VALUES = """
CREATE TABLE custom_field_values (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    entity_type varchar(16) NOT NULL,
    entity_id uuid NOT NULL,
    key varchar(64) NOT NULL,
    value varchar(255) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_custom_field_values PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_custom_field_values_entity_type_known
        CHECK (entity_type IN ('engagement', 'project', 'deal', 'contact', 'company')),
    CONSTRAINT fk_custom_field_values_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""
# One row for each value; a list has one for each of its own. Texts are cut: a filter asks for
# short ones. It runs with the rights of whoever writes the record.
KEEP = """
CREATE FUNCTION keep_custom_field_values() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM public.custom_field_values v
        WHERE v.organization_id = OLD.organization_id AND v.entity_type = TG_ARGV[0]
          AND v.entity_id = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    INSERT INTO public.custom_field_values
        (organization_id, id, entity_type, entity_id, key, value)
    SELECT NEW.organization_id, gen_random_uuid(), TG_ARGV[0], NEW.id, left(f.key, 64),
           left(CASE WHEN jsonb_typeof(f.value) = 'number'
                     THEN trim_scale((f.value #>> '{}')::numeric)::text
                     ELSE e.value #>> '{}' END, 255)
    FROM jsonb_each(NEW.custom_fields) f
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(f.value) = 'array' THEN f.value
             ELSE jsonb_build_array(f.value) END) e
    WHERE e.value <> 'null' AND jsonb_typeof(e.value) <> 'object';
    RETURN NEW;
END $$"""
FILL = """
INSERT INTO custom_field_values (organization_id, id, entity_type, entity_id, key, value)
SELECT t.organization_id, gen_random_uuid(), '{entity}', t.id, left(f.key, 64),
       left(CASE WHEN jsonb_typeof(f.value) = 'number'
                 THEN trim_scale((f.value #>> '{{}}')::numeric)::text
                 ELSE e.value #>> '{{}}' END, 255)
FROM {table} t CROSS JOIN LATERAL jsonb_each(t.custom_fields) f
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(f.value) = 'array' THEN f.value ELSE jsonb_build_array(f.value) END) e
WHERE e.value <> 'null' AND jsonb_typeof(e.value) <> 'object'"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE custom_field_definitions DROP CONSTRAINT"
        " ck_custom_field_definitions_field_type_known,"
        " ADD COLUMN default_value jsonb, ADD COLUMN archived_at timestamptz"
    )
    with_all_rows(
        "custom_field_definitions",
        "UPDATE custom_field_definitions SET field_type = CASE field_type"
        " WHEN 'select' THEN 'choice' WHEN 'multiselect' THEN 'choices' ELSE field_type END",
    )
    op.execute(
        "ALTER TABLE custom_field_definitions ADD CONSTRAINT"
        f" ck_custom_field_definitions_field_type_known CHECK (field_type IN ({TYPES}))"
    )
    op.execute(VALUES)
    op.execute(
        "CREATE INDEX ix_custom_field_values_entity_type_key_value_entity_id"
        " ON custom_field_values (organization_id, entity_type, key, value, entity_id)"
    )
    op.execute(
        "CREATE INDEX ix_custom_field_values_entity_type_entity_id"
        " ON custom_field_values (organization_id, entity_type, entity_id)"
    )
    op.execute(KEEP)
    for table, entity in ENTITIES.items():
        with_all_rows(table, FILL.format(table=table, entity=entity))
        op.execute(
            f"CREATE TRIGGER keep_values_of_new AFTER INSERT ON {table} FOR EACH ROW"
            " WHEN (NEW.custom_fields <> '{}')"
            f" EXECUTE FUNCTION keep_custom_field_values('{entity}')"
        )
        op.execute(
            f"CREATE TRIGGER keep_values AFTER UPDATE OF custom_fields ON {table} FOR EACH ROW"
            " WHEN (NEW.custom_fields <> OLD.custom_fields)"
            f" EXECUTE FUNCTION keep_custom_field_values('{entity}')"
        )
        op.execute(
            f"CREATE TRIGGER forget_values AFTER DELETE ON {table} FOR EACH ROW"
            " WHEN (OLD.custom_fields <> '{}')"
            f" EXECUTE FUNCTION keep_custom_field_values('{entity}')"
        )
    protect("custom_field_values", rights="SELECT, INSERT, DELETE")


def downgrade() -> None:
    for table in ENTITIES:
        for name in ("keep_values_of_new", "keep_values", "forget_values"):
            op.execute(f"DROP TRIGGER {name} ON {table}")
    op.execute("DROP FUNCTION keep_custom_field_values()")
    op.execute("DROP TABLE custom_field_values")
    op.execute(
        "ALTER TABLE custom_field_definitions DROP CONSTRAINT"
        " ck_custom_field_definitions_field_type_known,"
        " DROP COLUMN default_value, DROP COLUMN archived_at"
    )
    with_all_rows(
        "custom_field_definitions",
        "UPDATE custom_field_definitions SET field_type = CASE field_type"
        " WHEN 'choice' THEN 'select' WHEN 'choices' THEN 'multiselect'"
        " WHEN 'money' THEN 'text' WHEN 'url' THEN 'text' WHEN 'user' THEN 'text'"
        " ELSE field_type END",
    )
    op.execute(
        "ALTER TABLE custom_field_definitions ADD CONSTRAINT"
        f" ck_custom_field_definitions_field_type_known CHECK (field_type IN ({OLD_TYPES}))"
    )


def with_all_rows(table: str, statement: str) -> None:
    """Run a statement on all tenants' rows; forced, row-level security would hide them."""
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    force_row_security(table)
