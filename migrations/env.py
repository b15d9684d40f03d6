"""Runs the migrations as the owner of the tables, on the connection the caller gives."""

from alembic import context

import models
from models.db.base import Base
from webapp.config import Settings
from webapp.core.database import owner_engine

assert models  # registers every table


def include_object(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and name == "alembic_version")


connection = context.config.attributes.get("connection")
if connection is None:
    engine = owner_engine(Settings.from_environment())
    connection = engine.connect()

with connection.begin():
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=False,
    )
    context.run_migrations()
