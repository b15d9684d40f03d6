"""Excuse the tries that an outage ended: they do not count.

What claims a job is changed where it stands, whatever else it does by now. Processes of before go
on, and count every try. Source: jobs.md, *Patience*.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from migrations.tenancy import force_row_security
from webapp.config import DISPATCHER_ROLE

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CLAIMING = ("claim_job", "claim_next")
COUNTED_ALL = "IF j.attempts >= j.max_attempts THEN"
COUNTED = "IF j.attempts - j.excused >= j.max_attempts THEN"
OUTCOMES = "outcome IS NULL OR outcome IN ('done', 'failed', 'refused'{more})"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN excused smallint NOT NULL DEFAULT 0")
    change_check(
        "jobs",
        "attempts_range",
        "attempts >= 0 AND excused >= 0 AND attempts - excused <= max_attempts",
    )
    change_check(
        "job_attempts", "outcome_known", OUTCOMES.format(more=", 'excused', 'undeliverable'")
    )
    change_functions(COUNTED_ALL, COUNTED)
    op.execute(f"GRANT SELECT (excused) ON jobs TO {DISPATCHER_ROLE}")


def downgrade() -> None:
    change_functions(COUNTED, COUNTED_ALL)
    for table in ("jobs", "job_attempts"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE jobs SET attempts = max_attempts WHERE attempts > max_attempts")
    op.execute(
        "UPDATE job_attempts SET outcome = 'failed' WHERE outcome IN ('excused', 'undeliverable')"
    )
    for table in ("jobs", "job_attempts"):
        force_row_security(table)
    change_check("job_attempts", "outcome_known", OUTCOMES.format(more=""))
    change_check("jobs", "attempts_range", "attempts >= 0 AND attempts <= max_attempts")
    op.execute(f"REVOKE SELECT (excused) ON jobs FROM {DISPATCHER_ROLE}")
    op.execute("ALTER TABLE jobs DROP COLUMN excused")


def change_check(table: str, name: str, condition: str) -> None:
    """Put another check in the place of one; the rows that are there are looked at last."""
    constraint = f"ck_{table}_{name}"
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({condition}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")


def change_functions(old: str, new: str) -> None:
    """Put another condition in the place of one, in the functions that claim jobs."""
    connection = op.get_bind()
    for name in CLAIMING:
        definition = str(
            connection.scalar(
                text("SELECT pg_get_functiondef(CAST(:name AS regproc))"), {"name": name}
            )
        )
        if definition.count(old) != 1:
            raise RuntimeError(f"{name}() does not hold this condition once: {old}")
        connection.exec_driver_sql(definition.replace(old, new).replace("%", "%%"))
