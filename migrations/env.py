"""Runs the migrations as the owner of the tables, on the connection the caller gives.

Each migration has a transaction of its own, so that one may leave it (`indexes.py`) and a
failure leaves the database at the last revision that was finished.
"""

from alembic import context
from sqlalchemy import text

import models
from models.db.base import Base
from webapp.config import Settings
from webapp.core.database import owner_engine

assert models  # registers every table

# Whoever waits for a table's lock holds up all who come after: better to fail and be run again.
LOCK_TIMEOUT = "5s"


def include_object(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and name == "alembic_version")


connection = context.config.attributes.get("connection")
if connection is None:
    engine = owner_engine(Settings.from_environment())
    connection = engine.connect()

connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
connection.commit()
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_object=include_object,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
