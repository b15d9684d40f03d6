"""Invite people by mail: their link is a credential as any other (ADR 0001, ADR 0003)."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import TENANT, protect
from webapp.core.roles import APP_ROLE

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

KINDS = "'api_key', 'session', 'signing_link', 'portal_link'"

INVITATIONS = """
CREATE TABLE invitations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    email varchar(254) NOT NULL,
    role varchar(16) NOT NULL,
    invited_by varchar(255),
    mailings smallint NOT NULL DEFAULT 1,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    withdrawn_at timestamptz,
    member_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_invitations PRIMARY KEY (organization_id, id),
    CONSTRAINT ck_invitations_email_not_blank CHECK (btrim(email) <> ''),
    CONSTRAINT ck_invitations_role_known
        CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    CONSTRAINT ck_invitations_accepted_or_withdrawn
        CHECK (num_nonnulls(accepted_at, withdrawn_at) <= 1),
    CONSTRAINT fk_invitations_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_invitations_organization_id_member_id
        FOREIGN KEY (organization_id, member_id) REFERENCES memberships (organization_id, id)
        ON DELETE SET NULL (member_id))"""
INDEXES = (
    "CREATE INDEX ix_invitations_created_at ON invitations (organization_id, created_at, id)",
    "CREATE INDEX ix_invitations_member_id ON invitations (organization_id, member_id)",
    # Whoever is invited already is reminded, not invited again.
    "CREATE UNIQUE INDEX uq_invitations_email_open ON invitations (organization_id, lower(email))"
    " WHERE accepted_at IS NULL AND withdrawn_at IS NULL",
)

# The account of somebody who is invited here, whom the organization does not see before.
INVITED_ACCOUNT = f"""
CREATE FUNCTION invited_account(p_invitation_id uuid)
RETURNS TABLE (user_id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id, u.password_hash
    FROM public.invitations i JOIN public.users u ON lower(u.email) = lower(i.email)
    WHERE i.organization_id = {TENANT} AND i.id = p_invitation_id
      AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL AND i.expires_at > now()
$$"""
FUNCTION = "invited_account(uuid)"


def upgrade() -> None:
    _admit(f"{KINDS}, 'invitation'")
    op.execute(INVITATIONS)
    for index in INDEXES:
        op.execute(index)
    protect("invitations")
    op.execute(INVITED_ACCOUNT)
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTION}")
    op.execute("DROP TABLE invitations")
    # Forced, row-level security would hide all tenants' rows.
    op.execute("ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM credentials WHERE kind = 'invitation'")
    op.execute("ALTER TABLE credentials FORCE ROW LEVEL SECURITY")
    _admit(KINDS)


def _admit(kinds: str) -> None:
    """Let credentials be of these kinds."""
    op.execute(
        "ALTER TABLE credentials DROP CONSTRAINT ck_credentials_kind_known,"
        f" ADD CONSTRAINT ck_credentials_kind_known CHECK (kind IN ({kinds}))"
    )
