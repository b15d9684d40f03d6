"""Keep an audit log: who came in, and who changed what others may do.

Append-only: the application may write and read it, not change or delete it. Source:
docs/explanation/security.md, *Audit log*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect
from webapp.core.roles import APP_ROLE

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

EVENTS = """
CREATE TABLE audit_events (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    kind varchar(64) NOT NULL,
    actor jsonb NOT NULL,
    actor_id uuid,
    entity_type varchar(64),
    entity_id uuid,
    ip varchar(64),
    user_agent varchar(512),
    details jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_events PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_audit_events_kind_not_blank CHECK (btrim(kind) <> ''),
    CONSTRAINT ck_audit_events_actor_is_object CHECK (jsonb_typeof(actor) = 'object'),
    CONSTRAINT ck_audit_events_details_is_object CHECK (jsonb_typeof(details) = 'object'),
    CONSTRAINT fk_audit_events_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""
INDEXES = {
    "ix_audit_events_occurred_at_id": "occurred_at, id",
    "ix_audit_events_kind_occurred_at_id": "kind, occurred_at, id",
    "ix_audit_events_actor_id_occurred_at_id": "actor_id, occurred_at, id",
    "ix_audit_events_entity_id_occurred_at_id": "entity_id, occurred_at, id",
}

# What befalls a person's account is told in each organization that has them. It is asked alike for
# an email that nobody has, so that how long it takes tells nothing.
NOTE_ACCOUNT_EVENT = """
CREATE FUNCTION note_account_event(p_email text, p_kind text, p_ip text, p_user_agent text)
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO public.audit_events
        (organization_id, id, kind, actor, entity_type, entity_id, ip, user_agent, details)
    SELECT m.organization_id, gen_random_uuid(), p_kind,
           '{"kind": "anybody", "id": null, "name": "anybody"}', 'user', u.id, p_ip,
           p_user_agent, jsonb_build_object('email', u.email)
    FROM public.users u JOIN public.memberships m ON m.user_id = u.id AND m.deleted_at IS NULL
    WHERE lower(u.email) = lower(p_email)
$$"""
FUNCTION = "note_account_event(text, text, text, text)"


def upgrade() -> None:
    op.execute(EVENTS)
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON audit_events (organization_id, {columns})")
    protect("audit_events", rights="SELECT, INSERT")
    op.execute("CREATE POLICY noting ON audit_events FOR INSERT TO CURRENT_USER WITH CHECK (true)")
    op.execute(NOTE_ACCOUNT_EVENT)
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTION}")
    op.execute("DROP TABLE audit_events")
