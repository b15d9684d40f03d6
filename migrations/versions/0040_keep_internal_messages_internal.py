"""Keep a message as internal, or as shown to the client, as it was posted.

Source: rulings.md, *Internal messages*.
"""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION keep_message_internal() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'whether a message is internal is settled when it is posted'
        USING ERRCODE = 'restrict_violation';
END $$"""
TRIGGER = """
CREATE TRIGGER keep_internal BEFORE UPDATE OF is_internal ON messages FOR EACH ROW
WHEN (OLD.is_internal IS DISTINCT FROM NEW.is_internal)
EXECUTE FUNCTION keep_message_internal()"""


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_internal ON messages")
    op.execute("DROP FUNCTION keep_message_internal()")
