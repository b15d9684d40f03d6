"""Let a worker claim several jobs at once, where one transaction does them together.

Each try is counted as it is for a single job. A job that was tried twice is claimed by itself: if
it is the one that ends its process, it takes no other with it again. Source: jobs.md, *Many jobs at
once*.

The function of before stays for processes of before.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Answers with what was claimed, all of one kind and organization, the oldest first. `p_sizes` says
# how many of each kind in `p_batches` are claimed together.
CLAIM_NEXT = """
CREATE FUNCTION claim_next(
    p_lane text, p_kinds text[], p_batches text[], p_sizes integer[], p_leased text[],
    p_after uuid, p_worker text, p_lease integer
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
        IF j.attempts - j.excused >= j.max_attempts THEN
            UPDATE public.jobs w SET state = 'dead', finished_at = clock_timestamp(),
                   last_error = coalesce(w.last_error, 'The process died in every attempt.')
            WHERE w.organization_id = j.organization_id AND w.id = j.id;
            v_organization := v_before;  -- it is still this one's turn
            CONTINUE;
        END IF;
        -- While the attempt works it holds the rows' locks, and others look past them; they are due
        -- again soon after for whoever finds them without: then its process has died. The try of a
        -- single job is written down; that of several is counted only.
        RETURN QUERY
        WITH others AS (
            SELECT w.id FROM public.jobs w
            WHERE w.organization_id = j.organization_id AND w.state = 'ready' AND w.lane = p_lane
              AND w.run_at <= now() AND w.kind = j.kind AND w.id <> j.id
              AND w.attempts = j.attempts AND w.ordering_key IS NULL
              AND j.attempts < 2 AND j.ordering_key IS NULL
            ORDER BY w.run_at, w.seq
            LIMIT coalesce(p_sizes[array_position(p_batches, j.kind::text)] - 1, 0)
            FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE public.jobs w SET attempts = w.attempts + 1,
                   run_at = now() + interval '1500 milliseconds',
                   fence = w.fence + (w.kind = ANY(p_leased))::int,
                   state = CASE WHEN w.kind = ANY(p_leased) THEN 'running' ELSE 'ready' END,
                   lease_until = CASE WHEN w.kind = ANY(p_leased)
                                      THEN now() + make_interval(secs => p_lease) END
            FROM (SELECT j.id UNION ALL SELECT o.id FROM others o) c
            WHERE w.organization_id = j.organization_id AND w.id = c.id
            RETURNING w.organization_id, w.id, w.kind, w.attempts, w.fence, w.payload, w.seq
        ), tried AS (
            INSERT INTO public.job_attempts (organization_id, id, job_id, n, worker)
            SELECT c.organization_id, gen_random_uuid(), c.id, c.attempts, p_worker FROM claimed c
            WHERE NOT EXISTS (SELECT FROM others)
        )
        SELECT c.organization_id, c.id, c.kind::text, c.attempts::int, c.fence, c.payload
        FROM claimed c ORDER BY c.seq;
        RETURN;
    END LOOP;
END
$$"""

SIGNATURE = "claim_next(text, text[], text[], integer[], text[], uuid, text, integer)"


def upgrade() -> None:
    op.execute(CLAIM_NEXT)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
