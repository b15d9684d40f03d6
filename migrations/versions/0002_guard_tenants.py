"""Guard the tenants: row-level security, rights of the roles, and who a credential lets in.

The roles themselves are made by `webapp.core.database` before the migrations run. Sources:
tenancy.md; architecture.md, *One read*; jobs.md, *The job table*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import TENANT, force_row_security, protect
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EDITABLE = """
    memberships api_keys login_sessions client_companies contacts deals services
    project_templates project_template_milestones project_template_tasks engagement_templates
    engagement_template_services proposals proposal_items signing_links contracts engagements
    engagement_contracts custom_field_definitions engagement_health projects milestones tasks
    conversations messages read_markers number_series orders order_items invoice_schedules
    invoices invoice_lines payments credit_notes file_objects portal_accesses webhook_endpoints
    webhook_deliveries jobs job_attempts idempotency_keys
""".split()
# Evidence and history: written once. They leave only with what they belong to, by the purge.
APPEND_ONLY = ("signatures", "signed_documents", "activity_events", "phase_changes")

BEGIN_REQUEST = """
CREATE FUNCTION begin_request(p_kind text, p_digest bytea)
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

FIND_LOGIN = """
CREATE FUNCTION find_login(p_email text)
RETURNS TABLE (user_id uuid, name text, password_hash text, locked_until timestamptz,
               organization_id uuid, membership_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT u.id, u.name::text, u.password_hash, u.locked_until, m.organization_id, m.id
    FROM public.users u
    LEFT JOIN public.memberships m ON m.user_id = u.id AND m.deleted_at IS NULL
    WHERE lower(u.email) = lower(p_email)
    ORDER BY m.created_at
    LIMIT 1;
END
$$"""

COUNT_LOGIN = """
CREATE FUNCTION count_login(p_user_id uuid, p_succeeded boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_succeeded THEN
        UPDATE public.users SET failed_logins = 0, locked_until = NULL WHERE id = p_user_id;
    ELSE
        -- From the fifth failure on, each one locks for twice as long, up to an hour.
        UPDATE public.users SET failed_logins = failed_logins + 1,
               locked_until = CASE WHEN failed_logins + 1 >= 5 THEN now()
                   + least(interval '1 hour',
                           interval '15 seconds' * power(2, least(failed_logins - 4, 20)))
                   END
        WHERE id = p_user_id;
    END IF;
END
$$"""

CLAIM_JOB = """
CREATE FUNCTION claim_job(p_organization_id uuid, p_job_id uuid, p_worker text, p_lease integer)
RETURNS TABLE (attempt integer, fence integer, payload jsonb)
LANGUAGE plpgsql VOLATILE ROWS 1
AS $$
DECLARE
    j jobs%ROWTYPE;
BEGIN
    PERFORM set_config('app.organization_id', p_organization_id::text, true);
    SELECT * INTO j FROM jobs w
    WHERE w.organization_id = p_organization_id AND w.id = p_job_id
      AND w.state = 'ready' AND w.run_at <= now()
      AND (w.ordering_key IS NULL OR NOT EXISTS (
            SELECT FROM jobs e WHERE e.organization_id = w.organization_id
               AND e.ordering_key = w.ordering_key AND e.seq < w.seq
               AND e.state IN ('ready', 'running')))
      -- Another message for the same job was taken a moment ago: it is about to lock the row.
      AND (w.attempts = 0 OR NOT EXISTS (
            SELECT FROM job_attempts a WHERE a.organization_id = w.organization_id
               AND a.job_id = w.id AND a.n = w.attempts AND a.ended_at IS NULL
               AND a.started_at > now() - interval '300 milliseconds'))
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF j.attempts >= j.max_attempts THEN
        UPDATE jobs w SET state = 'dead', finished_at = clock_timestamp(),
               last_error = coalesce(w.last_error, 'The process died in every attempt.')
        WHERE w.organization_id = p_organization_id AND w.id = p_job_id;
        RETURN;
    END IF;
    -- While the attempt works it holds the row's lock, so the dispatcher looks past it; a hint
    -- soon after is for a process that died.
    UPDATE jobs w SET attempts = w.attempts + 1, publish_after = now() + interval '1500 milliseconds',
           fence = w.fence + (p_lease IS NOT NULL)::int,
           state = CASE WHEN p_lease IS NULL THEN 'ready' ELSE 'running' END,
           lease_until = now() + make_interval(secs => p_lease)
    WHERE w.organization_id = p_organization_id AND w.id = p_job_id
    RETURNING w.attempts::int, w.fence, w.payload INTO attempt, fence, payload;
    INSERT INTO job_attempts (organization_id, id, job_id, n, worker)
    VALUES (p_organization_id, gen_random_uuid(), p_job_id, attempt, p_worker);
    RETURN NEXT;
END
$$"""

RENEW_LEASE = """
CREATE FUNCTION renew_lease(p_organization_id uuid, p_job_id uuid, p_fence integer, p_lease integer)
RETURNS void LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM set_config('app.organization_id', p_organization_id::text, true);
    UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => p_lease)
    WHERE organization_id = p_organization_id AND id = p_job_id
      AND state = 'running' AND fence = p_fence;
END
$$"""

FIND_ORGANIZATION = """
CREATE FUNCTION find_organization(p_slug text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT id FROM public.organizations WHERE slug = p_slug $$"""

FUNCTIONS = {
    "find_organization(text)": FIND_ORGANIZATION,
    "begin_request(text, bytea)": BEGIN_REQUEST,
    "find_login(text)": FIND_LOGIN,
    "count_login(uuid, boolean)": COUNT_LOGIN,
    "claim_job(uuid, uuid, text, integer)": CLAIM_JOB,
    "renew_lease(uuid, uuid, integer, integer)": RENEW_LEASE,
}


def upgrade() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {DISPATCHER_ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APP_ROLE}")
    for table in EDITABLE:
        protect(table)
    for table in APPEND_ONLY:
        protect(table, rights="SELECT, INSERT, DELETE")
    protect("proposal_versions", rights="SELECT, INSERT, UPDATE (superseded_at), DELETE")
    protect("organizations", column="id", rights="SELECT, INSERT, UPDATE")
    op.execute("CREATE POLICY by_slug ON organizations FOR SELECT TO CURRENT_USER USING (true)")
    guard_credentials()
    guard_users()
    for signature, definition in FUNCTIONS.items():
        op.execute(definition)
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {APP_ROLE}")
    let_dispatcher_see_jobs()


def guard_credentials() -> None:
    """The application never reads a digest; only begin_request(), which is the owner's, does."""
    protect(
        "credentials",
        rights="INSERT, UPDATE (revoked_at, expires_at, label), DELETE, SELECT (id,"
        " organization_id, kind, subject_id, role, scopes, label, expires_at, revoked_at,"
        " created_at)",
    )
    op.execute("CREATE POLICY authenticate ON credentials FOR SELECT TO CURRENT_USER USING (true)")


def guard_users() -> None:
    """Users are global, but a tenant sees only those who are its members."""
    force_row_security("users")
    op.execute("CREATE POLICY login ON users TO CURRENT_USER USING (true)")
    op.execute("CREATE POLICY login ON memberships FOR SELECT TO CURRENT_USER USING (true)")
    members = (
        "EXISTS (SELECT FROM memberships m"
        f" WHERE m.organization_id = {TENANT} AND m.user_id = users.id)"
    )
    op.execute(f"CREATE POLICY members ON users TO {APP_ROLE} USING ({members})")
    op.execute(f"CREATE POLICY newcomers ON users FOR INSERT TO {APP_ROLE} WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (email, name, password_hash) ON users TO {APP_ROLE}")


def let_dispatcher_see_jobs() -> None:
    """The third role sees that work is due and whose it is, never what it is about."""
    role = DISPATCHER_ROLE
    op.execute(
        "GRANT SELECT (id, organization_id, kind, dedupe_key, ordering_key, seq, state, attempts,"
        " max_attempts, run_at, publish_after, fence, lease_until, created_at, finished_at),"
        " INSERT (id, organization_id, kind, dedupe_key, payload),"
        " UPDATE (state, publish_after, lease_until, last_error, finished_at)"
        f" ON jobs TO {role}"
    )
    op.execute(f"CREATE POLICY dispatch ON jobs TO {role} USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (jobs), DELETE ON beat_slots TO {role}")
    op.execute(f"GRANT SELECT (id) ON organizations TO {role}")
    op.execute(f"CREATE POLICY dispatch ON organizations FOR SELECT TO {role} USING (true)")
    op.execute(f"GRANT SELECT (organization_id, status, valid_until) ON proposals TO {role}")
    op.execute(
        f"CREATE POLICY dispatch ON proposals FOR SELECT TO {role} USING (status = 'sent')"
    )
    op.execute(f"GRANT SELECT (organization_id, created_at) ON idempotency_keys TO {role}")
    op.execute(f"CREATE POLICY dispatch ON idempotency_keys FOR SELECT TO {role} USING (true)")


def downgrade() -> None:
    for signature in FUNCTIONS:
        op.execute(f"DROP FUNCTION {signature}")
    op.execute("DROP POLICY by_slug ON organizations")
    op.execute("DROP POLICY login ON users")
    op.execute("DROP POLICY login ON memberships")
    op.execute("DROP POLICY members ON users")
    op.execute("DROP POLICY newcomers ON users")
    op.execute("DROP POLICY authenticate ON credentials")
    for table in ("jobs", "organizations", "proposals", "idempotency_keys"):
        op.execute(f"DROP POLICY dispatch ON {table}")
    tables = [*EDITABLE, *APPEND_ONLY, "proposal_versions", "organizations", "credentials"]
    for table in tables:
        op.execute(f"DROP POLICY tenant ON {table}")
    for table in [*tables, "users"]:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for role in (APP_ROLE, DISPATCHER_ROLE):
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
        op.execute(f"REVOKE ALL ON SCHEMA public FROM {role}")
