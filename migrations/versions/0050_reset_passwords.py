"""Let people choose another password by a link in a mail.

Global and reached through functions alone, as failed log-ins are: who asks has no organization, and
is told nothing of whose the email is. Source: docs/explanation/security.md, *Passwords and sessions*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

RESETS = """
CREATE TABLE password_resets (
    id uuid NOT NULL,
    account bytea NOT NULL,
    digest bytea NOT NULL,
    user_id uuid,
    organization_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_password_resets PRIMARY KEY (id),
    CONSTRAINT uq_password_resets_digest UNIQUE (digest),
    CONSTRAINT ck_password_resets_account_length CHECK (octet_length(account) = 32),
    CONSTRAINT ck_password_resets_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT fk_password_resets_user_id
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_password_resets_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""
INDEXES = {
    "ix_password_resets_account": "account, created_at",
    "ix_password_resets_user_id": "user_id",
    "ix_password_resets_organization_id": "organization_id",
    "ix_password_resets_created_at": "created_at",
}

# A row is written for any email, so that an email that nobody has takes as long; the mail, and what
# the audit log says, are for those of somebody who may log in. Three mails an hour are enough.
ASK = """
CREATE FUNCTION ask_password_reset(
    p_email text, p_id uuid, p_digest bytea, p_seconds integer, p_job_id uuid, p_kind text,
    p_lane text, p_max_attempts integer, p_ip text, p_user_agent text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account bytea := sha256(convert_to(lower(p_email), 'UTF8'));
    v_expires_at timestamptz := now() + make_interval(secs => p_seconds);
    v_user_id uuid;
    v_organization_id uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(3, hashtext(encode(v_account, 'hex')));
    IF (SELECT count(*) FROM public.password_resets r
        WHERE r.account = v_account AND r.created_at > now() - interval '1 hour') < 3 THEN
        SELECT u.id, m.organization_id INTO v_user_id, v_organization_id
        FROM public.users u
        JOIN public.memberships m ON m.user_id = u.id AND m.deleted_at IS NULL
             AND m.disabled_at IS NULL
        WHERE lower(u.email) = lower(p_email)
        ORDER BY m.created_at
        LIMIT 1;
    END IF;
    INSERT INTO public.password_resets
        (id, account, digest, user_id, organization_id, expires_at)
    VALUES (p_id, v_account, p_digest, v_user_id, v_organization_id, v_expires_at);
    IF v_user_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.organization_id', v_organization_id::text, true);
    INSERT INTO public.jobs (organization_id, id, kind, lane, dedupe_key, payload, max_attempts)
    VALUES (v_organization_id, p_job_id, p_kind, p_lane, p_id::text,
            jsonb_build_object('v', 1, 'reset_id', p_id, 'user_id', v_user_id,
                               'expires_at', v_expires_at), p_max_attempts);
    PERFORM public.note_account_event(p_email, 'password_reset_asked', p_ip, p_user_agent);
END
$$"""

FIND = """
CREATE FUNCTION find_password_reset(p_digest bytea)
RETURNS TABLE (id uuid, user_id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.id, r.user_id, r.organization_id FROM public.password_resets r
    WHERE r.digest = p_digest AND r.user_id IS NOT NULL AND r.used_at IS NULL
      AND r.expires_at > now()
$$"""

# The first one takes it; with it go all others that the person has asked for.
USE = """
CREATE FUNCTION use_password_reset(p_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id uuid;
BEGIN
    UPDATE public.password_resets r SET used_at = now()
    WHERE r.id = p_id AND r.used_at IS NULL AND r.expires_at > now()
    RETURNING r.user_id INTO v_user_id;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE public.password_resets r SET used_at = now()
    WHERE r.user_id = v_user_id AND r.used_at IS NULL;
    RETURN true;
END
$$"""

PRUNE = """
CREATE FUNCTION prune_password_resets(p_limit integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    forgotten integer;
BEGIN
    DELETE FROM public.password_resets WHERE id = ANY (ARRAY(
        SELECT r.id FROM public.password_resets r
        WHERE r.created_at < now() - interval '1 day'
        LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$"""

FUNCTIONS = {
    "ask_password_reset(text, uuid, bytea, integer, uuid, text, text, integer, text, text)": ASK,
    "find_password_reset(bytea)": FIND,
    "use_password_reset(uuid)": USE,
    "prune_password_resets(integer)": PRUNE,
}


def upgrade() -> None:
    op.execute(RESETS)
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON password_resets ({columns})")
    force_row_security("password_resets")
    op.execute("CREATE POLICY resetting ON password_resets TO CURRENT_USER USING (true)")
    op.execute(f"GRANT SELECT (created_at) ON password_resets TO {DISPATCHER_ROLE}")
    op.execute(
        f"CREATE POLICY dispatch ON password_resets FOR SELECT TO {DISPATCHER_ROLE} USING (true)"
    )
    for name, definition in FUNCTIONS.items():
        op.execute(definition)
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO {APP_ROLE}")


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}")
    op.execute("DROP TABLE password_resets")
