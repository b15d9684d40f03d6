"""Edit messages, keep what they said before, name members in them, and find them by their words.

Source: rulings.md, *Conversations*. Full-text operators are not leakproof, so under row-level
security an index on them would serve nobody: the words are rows, compared as plain texts.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security, protect

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

REVISIONS = """
CREATE TABLE message_revisions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    message_id uuid NOT NULL,
    content text NOT NULL,
    mentions jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_message_revisions PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_message_revisions_mentions_is_array CHECK (jsonb_typeof(mentions) = 'array'),
    CONSTRAINT fk_message_revisions_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_message_revisions_organization_id_message_id
        FOREIGN KEY (organization_id, message_id) REFERENCES messages (organization_id, id)
        ON DELETE CASCADE)"""
WORDS = """
CREATE TABLE message_words (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    word varchar(255) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_message_words PRIMARY KEY (organization_id, id),
    CONSTRAINT fk_message_words_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_message_words_organization_id_message_id
        FOREIGN KEY (organization_id, message_id) REFERENCES messages (organization_id, id)
        ON DELETE CASCADE)"""
# The first 1,000 different words of a message, in small letters and without endings taken off: a
# firm's clients write in several languages.
_WORDS_OF = """
    SELECT {m}.organization_id, gen_random_uuid(), {m}.conversation_id, {m}.id, found.lexeme
    FROM {source} (
        SELECT w.lexeme FROM unnest(to_tsvector('simple', {m}.content)) w
        WHERE length(w.lexeme) <= 255 ORDER BY w.positions[1] LIMIT 1000) found"""
_INTO = "INSERT INTO public.message_words (organization_id, id, conversation_id, message_id, word)"
# It runs with the rights of whoever writes the message.
KEEP = f"""
CREATE FUNCTION keep_message_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM public.message_words w
        WHERE w.organization_id = NEW.organization_id AND w.message_id = NEW.id;
    END IF;
    {_INTO}{_WORDS_OF.format(m="NEW", source="")};
    RETURN NULL;
END $$"""
FILL = _INTO + _WORDS_OF.format(m="m", source="messages m CROSS JOIN LATERAL")


def upgrade() -> None:
    op.execute(
        "ALTER TABLE messages ADD COLUMN edited_at timestamptz,"
        " ADD COLUMN mentions jsonb NOT NULL DEFAULT '[]',"
        " ADD CONSTRAINT ck_messages_mentions_is_array CHECK (jsonb_typeof(mentions) = 'array')"
    )
    op.execute(REVISIONS)
    op.execute(
        "CREATE INDEX ix_message_revisions_message_id"
        " ON message_revisions (organization_id, message_id, created_at, id)"
    )
    protect("message_revisions", rights="SELECT, INSERT")
    op.execute(WORDS)
    with_all_messages(FILL)
    op.execute(
        "CREATE INDEX ix_message_words_conversation_id_word_message_id"
        " ON message_words (organization_id, conversation_id, word, message_id)"
    )
    op.execute(
        "CREATE INDEX ix_message_words_message_id ON message_words (organization_id, message_id)"
    )
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER keep_words_of_new AFTER INSERT ON messages FOR EACH ROW"
        " WHEN (NEW.content <> '') EXECUTE FUNCTION keep_message_words()"
    )
    op.execute(
        "CREATE TRIGGER keep_words AFTER UPDATE OF content ON messages FOR EACH ROW"
        " WHEN (NEW.content <> OLD.content) EXECUTE FUNCTION keep_message_words()"
    )
    protect("message_words", rights="SELECT, INSERT, DELETE")


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_words ON messages")
    op.execute("DROP TRIGGER keep_words_of_new ON messages")
    op.execute("DROP FUNCTION keep_message_words()")
    op.execute("DROP TABLE message_words")
    op.execute("DROP TABLE message_revisions")
    op.execute("ALTER TABLE messages DROP COLUMN mentions, DROP COLUMN edited_at")


def with_all_messages(statement: str) -> None:
    """Run a statement on all tenants' messages; forced, row-level security would hide them."""
    op.execute("ALTER TABLE messages NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    force_row_security("messages")
