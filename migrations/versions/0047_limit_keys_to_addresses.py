"""Let an API key be accepted from some networks only, and see when a session was last used.

The address is looked at where the credential is, in the statement that reads (ADR 0001).
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

from webapp.core.roles import APP_ROLE

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

BEGIN_REQUEST = """
CREATE FUNCTION begin_request(p_kind text, p_digest bytea, p_address inet)
RETURNS TABLE (organization_id uuid, credential_id uuid, subject_id uuid, role text,
               scopes text[], label text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one public.credentials%ROWTYPE;
BEGIN
    SELECT * INTO found_one FROM public.credentials c
    WHERE c.digest = p_digest AND c.kind = p_kind AND c.revoked_at IS NULL
      AND (c.expires_at IS NULL OR c.expires_at > now());
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- From elsewhere it is refused like one that is not known; so it is where no address is.
    IF found_one.allowed_ips IS NOT NULL
       AND (p_address <<= ANY (found_one.allowed_ips)) IS NOT TRUE THEN
        RETURN;
    END IF;
    PERFORM set_config('app.organization_id', found_one.organization_id::text, true);
    role := found_one.role;
    IF p_kind = 'session' THEN
        -- A person's rights are those of the membership as it is now, not as it was at login.
        SELECT m.role INTO role FROM public.memberships m
        WHERE m.organization_id = found_one.organization_id
          AND m.user_id = found_one.subject_id AND m.deleted_at IS NULL;
        IF NOT FOUND THEN
            PERFORM set_config('app.organization_id', '', true);
            RETURN;
        END IF;
    END IF;
    organization_id := found_one.organization_id;
    credential_id := found_one.id;
    subject_id := found_one.subject_id;
    scopes := found_one.scopes;
    label := found_one.label;
    RETURN NEXT;
END
$$"""

# For processes from before this migration, which run on while an upgrade rolls: they say no
# address. A later version takes it away.
WITHOUT_ADDRESS = """
CREATE OR REPLACE FUNCTION begin_request(p_kind text, p_digest bytea)
RETURNS TABLE (organization_id uuid, credential_id uuid, subject_id uuid, role text,
               scopes text[], label text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM public.begin_request(p_kind, p_digest, NULL);
END
$$"""
FUNCTION = "begin_request(text, bytea, inet)"


def upgrade() -> None:
    for table in ("credentials", "api_keys"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN allowed_ips cidr[],"
            f" ADD CONSTRAINT ck_{table}_allowed_ips_not_empty CHECK (cardinality(allowed_ips) > 0)"
        )
    op.execute("ALTER TABLE login_sessions ADD COLUMN last_used_at timestamptz")
    op.execute(
        f"GRANT SELECT (allowed_ips), UPDATE (allowed_ips) ON credentials TO {APP_ROLE}"
    )
    op.execute(BEGIN_REQUEST)
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {APP_ROLE}")
    op.execute(WITHOUT_ADDRESS)


def downgrade() -> None:
    before = import_module("migrations.versions.0002_guard_tenants").BEGIN_REQUEST
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(f"DROP FUNCTION {FUNCTION}")
    op.execute("ALTER TABLE login_sessions DROP COLUMN last_used_at")
    for table in ("credentials", "api_keys"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN allowed_ips")
