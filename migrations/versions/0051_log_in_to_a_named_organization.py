"""Let a person who works for several organizations say which one they log in to."""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

# Asked for the person whose password was right.
FIND = """
CREATE FUNCTION find_membership(p_user_id uuid, p_slug text)
RETURNS TABLE (organization_id uuid, membership_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.organization_id, m.id
    FROM public.memberships m JOIN public.organizations o ON o.id = m.organization_id
    WHERE m.user_id = p_user_id AND o.slug = p_slug AND m.deleted_at IS NULL
      AND m.disabled_at IS NULL
$$"""
FUNCTION = "find_membership(uuid, text)"


def upgrade() -> None:
    op.execute(FIND)
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTION}")
