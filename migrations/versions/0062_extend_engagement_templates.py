"""Let engagement templates name prices, conversations and the portal, and lines of no service."""

from __future__ import annotations

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE engagement_templates ADD COLUMN currency varchar(3),"
        " ADD COLUMN portal_access boolean NOT NULL DEFAULT true,"
        " ADD CONSTRAINT ck_engagement_templates_currency_form CHECK (currency ~ '^[A-Z]{3}$')"
    )
    op.execute(
        "ALTER TABLE engagement_template_services ALTER COLUMN service_id DROP NOT NULL,"
        " ADD COLUMN name varchar(255), ADD COLUMN description text,"
        " ADD COLUMN price numeric(12, 2),"
        " ADD COLUMN conversations jsonb NOT NULL DEFAULT '[]',"
        " ADD CONSTRAINT ck_engagement_template_services_name_not_blank"
        " CHECK (btrim(name) <> ''),"
        " ADD CONSTRAINT ck_engagement_template_services_price_minimum CHECK (price >= 0),"
        " ADD CONSTRAINT ck_engagement_template_services_conversations_is_array"
        " CHECK (jsonb_typeof(conversations) = 'array'),"
        " ADD CONSTRAINT ck_engagement_template_services_named_and_priced"
        " CHECK (service_id IS NOT NULL OR num_nulls(name, price) = 0)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE engagement_template_services NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM engagement_template_services WHERE service_id IS NULL")
    op.execute("ALTER TABLE engagement_template_services FORCE ROW LEVEL SECURITY")
    op.execute(
        "ALTER TABLE engagement_template_services"
        " DROP CONSTRAINT ck_engagement_template_services_named_and_priced,"
        " ALTER COLUMN service_id SET NOT NULL,"
        " DROP COLUMN name, DROP COLUMN description, DROP COLUMN price,"
        " DROP COLUMN conversations"
    )
    op.execute(
        "ALTER TABLE engagement_templates DROP COLUMN currency, DROP COLUMN portal_access"
    )
