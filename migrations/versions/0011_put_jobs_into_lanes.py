"""Put jobs into lanes, and let a worker take the next due one of a lane.

Which job that is the database says, not the broker: the organizations take turns, and within one
the job that has been due the longest comes first. Source: jobs.md, *Lanes*.

`publish_after` stays for processes of before this migration, which write it.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE

revision = "0011"
down_revision = "0006"
branch_labels = None
depends_on = None

LANES = ("signature", "short", "document", "outside", "bulk")
CLAIMING = "current_setting('app.claims', true) = 'on'"

# Answers with one job, claimed; or, for a kind that is drained in batches, with a job that is only
# named (attempt 0). The first query is all there is to do when nothing is due.
CLAIM_NEXT = """
CREATE FUNCTION claim_next(
    p_lane text, p_kinds text[], p_batches text[], p_leased text[], p_after uuid, p_worker text,
    p_lease integer
)
RETURNS TABLE (organization_id uuid, job_id uuid, kind text, attempt integer, fence integer,
               payload jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp SET app.claims = 'on'
AS $$
DECLARE
    j public.jobs%ROWTYPE;
    v_first uuid;
    v_organization uuid := p_after;
    v_before uuid;
    v_due timestamptz;
    v_wrapped boolean := false;
BEGIN
    -- A claim that a crash of the server undoes is a try that was not counted; nothing waits for
    -- its flush. The work itself commits in a transaction of its own.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF NOT EXISTS (SELECT FROM public.jobs w
                   WHERE w.state = 'ready' AND w.lane = p_lane AND w.run_at <= now()) THEN
        RETURN;
    END IF;
    LOOP
        SELECT w.organization_id, w.run_at INTO v_first, v_due FROM public.jobs w
        WHERE w.state = 'ready' AND w.lane = p_lane AND w.organization_id > v_organization
        ORDER BY w.organization_id, w.run_at, w.seq LIMIT 1;
        IF NOT FOUND THEN
            EXIT WHEN v_wrapped;
            v_wrapped := true;
            v_organization := '00000000-0000-0000-0000-000000000000';
            CONTINUE;
        END IF;
        EXIT WHEN v_wrapped AND v_first > p_after;
        v_before := v_organization;
        v_organization := v_first;
        CONTINUE WHEN v_due > now();
        SELECT w.* INTO j FROM public.jobs w
        WHERE w.organization_id = v_organization AND w.state = 'ready' AND w.lane = p_lane
          AND w.run_at <= now() AND w.kind = ANY(p_kinds)
          AND (w.ordering_key IS NULL OR NOT EXISTS (
                SELECT FROM public.jobs e WHERE e.organization_id = w.organization_id
                   AND e.ordering_key = w.ordering_key AND e.seq < w.seq
                   AND e.state IN ('ready', 'running')))
        ORDER BY w.run_at, w.seq LIMIT 1 FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        IF j.kind = ANY(p_batches) THEN
            RETURN QUERY SELECT j.organization_id, j.id, j.kind::text, 0, j.fence, j.payload;
            RETURN;
        END IF;
        IF j.attempts >= j.max_attempts THEN
            UPDATE public.jobs w SET state = 'dead', finished_at = clock_timestamp(),
                   last_error = coalesce(w.last_error, 'The process died in every attempt.')
            WHERE w.organization_id = j.organization_id AND w.id = j.id;
            v_organization := v_before;  -- it is still this one's turn
            CONTINUE;
        END IF;
        -- While the attempt works it holds the row's lock, and others look past it; it is due again
        -- soon after for whoever finds it without: then its process has died.
        RETURN QUERY
        WITH claimed AS (
            UPDATE public.jobs w SET attempts = w.attempts + 1,
                   run_at = now() + interval '1500 milliseconds',
                   fence = w.fence + (w.kind = ANY(p_leased))::int,
                   state = CASE WHEN w.kind = ANY(p_leased) THEN 'running' ELSE 'ready' END,
                   lease_until = CASE WHEN w.kind = ANY(p_leased)
                                      THEN now() + make_interval(secs => p_lease) END
            WHERE w.organization_id = j.organization_id AND w.id = j.id
            RETURNING w.organization_id, w.id, w.kind, w.attempts, w.fence, w.payload
        ), tried AS (
            INSERT INTO public.job_attempts (organization_id, id, job_id, n, worker)
            SELECT c.organization_id, gen_random_uuid(), c.id, c.attempts, p_worker FROM claimed c
        )
        SELECT c.organization_id, c.id, c.kind::text, c.attempts::int, c.fence, c.payload
        FROM claimed c;
        RETURN;
    END LOOP;
END
$$"""

# How long the longest waiting due job of each lane has been due, in seconds; none for no such job.
LANE_AGES = """
CREATE FUNCTION lane_ages() RETURNS TABLE (lane text, seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET app.claims = 'on'
AS $$
    SELECT l.lane, extract(epoch FROM clock_timestamp() - w.run_at)::double precision
    FROM unnest(ARRAY['signature', 'short', 'document', 'outside', 'bulk']) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT j.run_at FROM public.jobs j
        WHERE j.state = 'ready' AND j.lane = l.lane AND j.run_at <= clock_timestamp()
        ORDER BY j.run_at LIMIT 1) w
$$"""

FUNCTIONS = {
    "claim_next(text, text[], text[], text[], uuid, text, integer)": CLAIM_NEXT,
    "lane_ages()": LANE_AGES,
}


def upgrade() -> None:
    known = ", ".join(f"'{lane}'" for lane in LANES)
    op.execute("ALTER TABLE jobs ADD COLUMN lane varchar(16) NOT NULL DEFAULT 'short'")
    op.execute(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_lane_known CHECK (lane IN ({known})) NOT VALID")
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_lane_known")
    for table in ("jobs", "job_attempts"):
        op.execute(
            f"CREATE POLICY claims ON {table} TO CURRENT_USER"
            f" USING ({CLAIMING}) WITH CHECK ({CLAIMING})"
        )
    for signature, definition in FUNCTIONS.items():
        op.execute(definition)
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {APP_ROLE}")
    op.execute(f"GRANT SELECT (lane), INSERT (lane), UPDATE (run_at) ON jobs TO {DISPATCHER_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT (lane), INSERT (lane), UPDATE (run_at) ON jobs FROM {DISPATCHER_ROLE}")
    for signature in FUNCTIONS:
        op.execute(f"DROP FUNCTION {signature}")
    for table in ("jobs", "job_attempts"):
        op.execute(f"DROP POLICY claims ON {table}")
    op.execute("ALTER TABLE jobs DROP COLUMN lane")
