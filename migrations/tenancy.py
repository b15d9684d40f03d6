"""What every tenant table gets: forced row-level security, and the application's rights on it.

A migration that adds a tenant table calls `protect` on it.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE

# After a commit the setting is the empty string, not NULL; both mean: no tenant, no rows.
# The SELECT keeps the planner from looking the setting up itself: a read binds its tenant only
# while it runs, so the planner would find no tenant, expect no rows, and take any index.
TENANT = "(SELECT nullif(current_setting('app.organization_id', true), '')::uuid)"


def protect(
    table: str, *, rights: str = "SELECT, INSERT, UPDATE, DELETE", column: str = "organization_id"
) -> None:
    """Hide other tenants' rows of `table` from everybody, the owner too, and grant `rights`."""
    force_row_security(table)
    mine = f"{column} = {TENANT}"
    op.execute(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")
    op.execute(f"GRANT {rights} ON {table} TO {APP_ROLE}")


def force_row_security(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def let_beat_see(table: str, *columns: str) -> None:
    """Let the dispatcher's role see whose work is due by these columns, of all tenants' rows."""
    named = ", ".join(("organization_id", *columns))
    op.execute(f"GRANT SELECT ({named}) ON {table} TO {DISPATCHER_ROLE}")
    op.execute(f"CREATE POLICY dispatch ON {table} FOR SELECT TO {DISPATCHER_ROLE} USING (true)")


def hide_from_beat(table: str, *columns: str) -> None:
    """Take back what `let_beat_see` has given."""
    op.execute(f"DROP POLICY dispatch ON {table}")
    named = ", ".join(("organization_id", *columns))
    op.execute(f"REVOKE SELECT ({named}) ON {table} FROM {DISPATCHER_ROLE}")  # noqa: S608
