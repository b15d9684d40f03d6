"""The database's history: Alembic revisions, numbered NNNN_verb_thing."""
