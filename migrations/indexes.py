"""Indexes on tables in use: built and dropped beside the reads and writes of the application.

A migration that calls these does nothing else, because it cannot be taken back as a whole: each
call commits. Interrupted, it is simply run again.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

# While an index is built others read and write on, so waiting for them may take its time.
PATIENCE = "10min"

_STATE = text(
    "SELECT i.indisvalid FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE c.relname = :name AND c.relnamespace = 'public'::regnamespace"
)


def create_index_concurrently(
    name: str, table: str, *columns: str, where: str | None = None, unique: bool = False
) -> None:
    """Build an index without stopping writes; `columns` and `where` are SQL.

    What an interrupted run left is dropped and built anew; an index that is there and valid
    stays. Raises sqlalchemy's DBAPIError when a unique key is broken already, or a transaction
    that is older has not ended after `PATIENCE`.
    """
    kind = "UNIQUE INDEX" if unique else "INDEX"
    condition = f" WHERE {where}" if where else ""
    valid = op.get_bind().scalar(_STATE, {"name": name})
    if valid is False:
        drop_index_concurrently(name)
    if not valid:
        _execute(f"CREATE {kind} CONCURRENTLY {name} ON {table} ({', '.join(columns)}){condition}")


def drop_index_concurrently(name: str) -> None:
    """Drop an index without stopping reads and writes; one that is not there is no error."""
    _execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def _execute(statement: str) -> None:
    """Run a statement that no transaction may hold, and wait patiently for its locks."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(text("SHOW lock_timeout"))
        op.execute(f"SET lock_timeout = '{PATIENCE}'")
        try:
            op.execute(statement)
        finally:
            op.execute(f"SET lock_timeout = '{before}'")
