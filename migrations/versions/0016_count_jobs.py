"""Let a process ask how many jobs wait, run and are dead, whoever's they are.

It learns numbers by kind, of no organization. Source: jobs.md, *Seen from outside*.
"""

from __future__ import annotations

from alembic import op

from webapp.config import APP_ROLE

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

JOB_COUNTS = """
CREATE FUNCTION job_counts() RETURNS TABLE (kind text, lane text, state text, jobs bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET app.claims = 'on'
AS $$
    SELECT j.kind::text, j.lane::text, j.state::text, count(*) FROM public.jobs j
    WHERE j.state = 'ready' GROUP BY 1, 2, 3
    UNION ALL
    SELECT j.kind::text, j.lane::text, j.state::text, count(*) FROM public.jobs j
    WHERE j.state = 'running' GROUP BY 1, 2, 3
    UNION ALL
    SELECT j.kind::text, j.lane::text, j.state::text, count(*) FROM public.jobs j
    WHERE j.state = 'dead' GROUP BY 1, 2, 3
$$"""


def upgrade() -> None:
    op.execute(JOB_COUNTS)
    op.execute("REVOKE ALL ON FUNCTION job_counts() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION job_counts() TO {APP_ROLE}")


def downgrade() -> None:
    op.execute("DROP FUNCTION job_counts()")
