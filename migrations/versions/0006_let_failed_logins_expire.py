"""Count failed logins for an hour, by account and address; let staff be disabled.

Before, each account had one counter that only a success took back: whoever failed once an hour
kept anybody out. Source: docs/explanation/security.md, *Passwords and sessions*.
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import TENANT, force_row_security
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE

revision = "0006"
down_revision = "0010"
branch_labels = None
depends_on = None

# An attempt counts as failed before the password is looked at, so that attempts at the same time
# are counted too; the success takes it back. A locked attempt is not counted: the lock ends.
BEGIN_LOGIN = """
CREATE FUNCTION begin_login(p_email text, p_address text)
RETURNS TABLE (user_id uuid, name text, password_hash text, organization_id uuid,
               membership_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account bytea := sha256(convert_to(lower(p_email), 'UTF8'));
BEGIN
    -- One attempt at a time from an address and at an account: each sees those before it.
    PERFORM pg_advisory_xact_lock(1, hashtext(p_address));
    PERFORM pg_advisory_xact_lock(2, hashtext(encode(v_account, 'hex')));
    IF EXISTS (
        SELECT FROM (
            SELECT 5 AS allowed, count(*) AS failures, max(f.failed_at) AS last
            FROM public.login_failures f
            WHERE f.account = v_account AND f.address = p_address
              AND f.failed_at > now() - interval '1 hour'
            UNION ALL
            SELECT 20, count(*), max(f.failed_at) FROM public.login_failures f
            WHERE f.address = p_address AND f.failed_at > now() - interval '1 hour'
            UNION ALL
            SELECT 100, count(*), max(f.failed_at) FROM public.login_failures f
            WHERE f.account = v_account AND f.failed_at > now() - interval '1 hour'
        ) counted
        -- From the allowed number on, each failure locks for twice as long, up to an hour.
        WHERE failures >= allowed AND now() < last + least(
            interval '1 hour', interval '15 seconds' * power(2, least(failures - allowed, 20)))
    ) THEN
        RETURN;
    END IF;
    INSERT INTO public.login_failures (id, account, address)
    VALUES (gen_random_uuid(), v_account, p_address);
    RETURN QUERY
    SELECT u.id, u.name::text, u.password_hash, m.organization_id, m.id
    FROM public.users u
    JOIN public.memberships m ON m.user_id = u.id AND m.deleted_at IS NULL
         AND m.disabled_at IS NULL
    WHERE lower(u.email) = lower(p_email)
    ORDER BY m.created_at
    LIMIT 1;
END
$$"""

_MEMBER_HERE = f"""EXISTS (
        SELECT FROM public.memberships m JOIN public.users u ON u.id = m.user_id
        WHERE m.organization_id = {TENANT} AND """

# Of one address after a success there; of all addresses to unlock the account.
FORGET_LOGIN_FAILURES = f"""
CREATE FUNCTION forget_login_failures(p_email text, p_address text) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    forgotten integer;
BEGIN
    DELETE FROM public.login_failures f
    WHERE f.account = sha256(convert_to(lower(p_email), 'UTF8'))
      AND (p_address IS NULL OR f.address = p_address)
      AND {_MEMBER_HERE} lower(u.email) = lower(p_email));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$"""

PRUNE_LOGIN_FAILURES = """
CREATE FUNCTION prune_login_failures(p_limit integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    forgotten integer;
BEGIN
    DELETE FROM public.login_failures WHERE id = ANY (ARRAY(
        SELECT f.id FROM public.login_failures f
        WHERE f.failed_at < now() - interval '1 hour'
        LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$"""

# A person's sessions in all organizations, when their password changes.
END_SESSIONS = f"""
CREATE FUNCTION end_sessions(p_user_id uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended integer;
BEGIN
    WITH revoked AS (
        UPDATE public.credentials c SET revoked_at = now()
        WHERE c.subject_id = p_user_id AND c.kind = 'session' AND c.revoked_at IS NULL
          AND c.expires_at > now() AND {_MEMBER_HERE} u.id = p_user_id)
        RETURNING c.id
    )
    UPDATE public.login_sessions s SET revoked_at = now() FROM revoked WHERE s.id = revoked.id;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$$"""

# For processes from before this migration, which run on while an upgrade rolls: they say no
# address, so that they count as one. A later version takes both functions away.
FIND_LOGIN = """
CREATE OR REPLACE FUNCTION find_login(p_email text)
RETURNS TABLE (user_id uuid, name text, password_hash text, locked_until timestamptz,
               organization_id uuid, membership_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.user_id, b.name, b.password_hash, NULL::timestamptz, b.organization_id,
           b.membership_id
    FROM public.begin_login(p_email, '') b
$$"""

COUNT_LOGIN = """
CREATE OR REPLACE FUNCTION count_login(p_user_id uuid, p_succeeded boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM public.login_failures f USING public.users u
    WHERE p_succeeded AND u.id = p_user_id AND f.address = ''
      AND f.account = sha256(convert_to(lower(u.email), 'UTF8'))
$$"""

FUNCTIONS = {
    "begin_login(text, text)": BEGIN_LOGIN,
    "forget_login_failures(text, text)": FORGET_LOGIN_FAILURES,
    "prune_login_failures(integer)": PRUNE_LOGIN_FAILURES,
    "end_sessions(uuid)": END_SESSIONS,
}


def upgrade() -> None:
    op.create_table(
        "login_failures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"),
                  nullable=False),
        sa.CheckConstraint("octet_length(account) = 32", name="ck_login_failures_account_length"),
        sa.PrimaryKeyConstraint("id", name="pk_login_failures"),
    )
    for name, columns in (
        ("ix_login_failures_account", ["account", "failed_at"]),
        ("ix_login_failures_address", ["address", "failed_at"]),
        ("ix_login_failures_failed_at", ["failed_at"]),
    ):
        op.create_index(name, "login_failures", columns)
    # The application reaches it through the functions alone; beat sees that there is old news.
    force_row_security("login_failures")
    op.execute("CREATE POLICY counting ON login_failures TO CURRENT_USER USING (true)")
    op.execute(f"GRANT SELECT (failed_at) ON login_failures TO {DISPATCHER_ROLE}")
    op.execute(
        f"CREATE POLICY dispatch ON login_failures FOR SELECT TO {DISPATCHER_ROLE} USING (true)"
    )
    for table in ("credentials", "login_sessions"):
        op.execute(f"CREATE POLICY ending ON {table} FOR UPDATE TO CURRENT_USER USING (true)")
    op.execute(
        "CREATE POLICY ending_read ON login_sessions FOR SELECT TO CURRENT_USER USING (true)"
    )
    op.add_column("memberships", sa.Column("disabled_at", sa.DateTime(timezone=True)))
    for name, definition in FUNCTIONS.items():
        op.execute(definition)
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO {APP_ROLE}")
    op.execute(FIND_LOGIN)
    op.execute(COUNT_LOGIN)
    op.drop_column("users", "failed_logins")
    op.drop_column("users", "locked_until")


def downgrade() -> None:
    op.add_column("users", sa.Column("failed_logins", sa.Integer(), nullable=False,
                                     server_default=sa.text("0")))
    op.add_column("users", sa.Column("locked_until", sa.DateTime(timezone=True)))
    before = import_module("migrations.versions.0002_guard_tenants").FUNCTIONS
    for name in ("find_login(text)", "count_login(uuid, boolean)"):
        op.execute(before[name].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}")
    op.drop_column("memberships", "disabled_at")
    op.execute("DROP POLICY ending_read ON login_sessions")
    for table in ("login_sessions", "credentials"):
        op.execute(f"DROP POLICY ending ON {table}")
    op.drop_table("login_failures")
