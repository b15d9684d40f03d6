"""Create every table, with its constraints and indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('beat_slots',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('slot', sa.DateTime(timezone=True), nullable=False),
    sa.Column('jobs', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('name', 'slot', name=op.f('pk_beat_slots'))
    )
    op.create_table('organizations',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.String(length=63), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('timezone', sa.String(length=64), server_default='UTC', nullable=False),
    sa.Column('currency', sa.String(length=3), server_default='EUR', nullable=False),
    sa.Column('retention_days', sa.Integer(), server_default=sa.text('30'), nullable=False),
    sa.Column('financial_retention_years', sa.Integer(), server_default=sa.text('7'), nullable=False),
    sa.Column('settings', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_organizations_name_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_organizations_currency_form')),
    sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f('ck_organizations_slug_form')),
    sa.CheckConstraint('financial_retention_years BETWEEN 1 AND 99', name=op.f('ck_organizations_financial_retention_range')),
    sa.CheckConstraint('retention_days BETWEEN 1 AND 3650', name=op.f('ck_organizations_retention_days_range')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organizations')),
    sa.UniqueConstraint('slug', name=op.f('uq_organizations_slug'))
    )
    op.create_table('users',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('failed_logins', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_users_name_not_blank')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users'))
    )
    op.create_index('uq_users_email', 'users', [sa.literal_column('lower(email)')], unique=True)
    op.create_table('api_keys',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.String(length=64)), nullable=True),
    sa.Column('created_by', sa.String(length=255), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_api_keys_name_not_blank')),
    sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name=op.f('ck_api_keys_role_known')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_api_keys_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_api_keys'))
    )
    op.create_table('client_companies',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('website', sa.String(length=2048), nullable=True),
    sa.Column('phone', sa.String(length=64), nullable=True),
    sa.Column('tax_number', sa.String(length=64), nullable=True),
    sa.Column('address', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('custom_fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_client_companies_name_not_blank')),
    sa.CheckConstraint("jsonb_typeof(custom_fields) = 'object'", name=op.f('ck_client_companies_custom_fields_is_object')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_client_companies_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_client_companies'))
    )
    op.create_index('ix_client_companies_created_at', 'client_companies', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_client_companies_deleted_at', 'client_companies', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_table('credentials',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('role', sa.String(length=16), nullable=True),
    sa.Column('scopes', postgresql.ARRAY(sa.String(length=64)), nullable=True),
    sa.Column('label', sa.String(length=255), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('api_key', 'session', 'signing_link', 'portal_link')", name=op.f('ck_credentials_kind_known')),
    sa.CheckConstraint("role IS NULL OR role IN ('owner', 'admin', 'member', 'viewer')", name=op.f('ck_credentials_role_known')),
    sa.CheckConstraint('octet_length(digest) = 32', name=op.f('ck_credentials_digest_length')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_credentials_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_credentials')),
    sa.UniqueConstraint('digest', name=op.f('uq_credentials_digest'))
    )
    op.create_index('ix_credentials_expires_at', 'credentials', ['expires_at'], unique=False)
    op.create_index('ix_credentials_organization_id', 'credentials', ['organization_id'], unique=False)
    op.create_index('ix_credentials_subject_id', 'credentials', ['subject_id'], unique=False)
    op.create_table('custom_field_definitions',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('entity_type', sa.String(length=16), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('label', sa.String(length=255), nullable=False),
    sa.Column('field_type', sa.String(length=16), nullable=False),
    sa.Column('required', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('options', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("btrim(label) <> ''", name=op.f('ck_custom_field_definitions_label_not_blank')),
    sa.CheckConstraint("entity_type IN ('engagement', 'project', 'deal', 'contact', 'company')", name=op.f('ck_custom_field_definitions_entity_type_known')),
    sa.CheckConstraint("field_type IN ('text', 'number', 'date', 'boolean', 'select', 'multiselect')", name=op.f('ck_custom_field_definitions_field_type_known')),
    sa.CheckConstraint("jsonb_typeof(options) = 'array'", name=op.f('ck_custom_field_definitions_options_is_array')),
    sa.CheckConstraint("key ~ '^[a-z][a-z0-9_]*$'", name=op.f('ck_custom_field_definitions_key_form')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_custom_field_definitions_position_minimum')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_custom_field_definitions_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_custom_field_definitions')),
    sa.UniqueConstraint('organization_id', 'entity_type', 'key', name=op.f('uq_custom_field_definitions_organization_id_entity_type_key'))
    )
    op.create_index('ix_custom_field_definitions_created_at', 'custom_field_definitions', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('engagement_templates',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('schedule', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_engagement_templates_name_not_blank')),
    sa.CheckConstraint("jsonb_typeof(schedule) = 'object'", name=op.f('ck_engagement_templates_schedule_is_object')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_engagement_templates_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_engagement_templates'))
    )
    op.create_index('ix_engagement_templates_created_at', 'engagement_templates', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_engagement_templates_deleted_at', 'engagement_templates', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_table('idempotency_keys',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('route', sa.String(length=255), nullable=False),
    sa.Column('request_hash', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('body', postgresql.JSON(astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_idempotency_keys_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_idempotency_keys')),
    sa.UniqueConstraint('organization_id', 'actor', 'key', name=op.f('uq_idempotency_keys_organization_id_actor_key'))
    )
    op.create_index('ix_idempotency_keys_created_at', 'idempotency_keys', ['created_at'], unique=False)
    op.create_table('jobs',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('dedupe_key', sa.String(length=255), nullable=False),
    sa.Column('ordering_key', sa.String(length=255), nullable=True),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.String(length=16), server_default='ready', nullable=False),
    sa.Column('attempts', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('max_attempts', sa.SmallInteger(), server_default=sa.text('8'), nullable=False),
    sa.Column('run_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('publish_after', sa.DateTime(timezone=True), server_default=sa.text("now() + interval '2 seconds'"), nullable=False),
    sa.Column('fence', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name=op.f('ck_jobs_lease_if_running')),
    sa.CheckConstraint("(state IN ('done', 'dead', 'cancelled')) = (finished_at IS NOT NULL)", name=op.f('ck_jobs_finished_if_terminal')),
    sa.CheckConstraint("state IN ('ready', 'running', 'done', 'dead', 'cancelled')", name=op.f('ck_jobs_state_known')),
    sa.CheckConstraint('attempts >= 0 AND attempts <= max_attempts', name=op.f('ck_jobs_attempts_range')),
    sa.CheckConstraint('octet_length(payload::text) < 65536', name=op.f('ck_jobs_payload_size')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_jobs_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_jobs')),
    sa.UniqueConstraint('organization_id', 'kind', 'dedupe_key', name=op.f('uq_jobs_organization_id_kind_dedupe_key'))
    )
    op.create_index('ix_jobs_finished_at', 'jobs', ['finished_at'], unique=False, postgresql_where=sa.text("state = 'done'"))
    op.create_index('ix_jobs_kind_seq', 'jobs', ['organization_id', 'kind', 'seq'], unique=False, postgresql_where=sa.text("state = 'ready'"))
    op.create_index('ix_jobs_lease_until', 'jobs', ['lease_until'], unique=False, postgresql_where=sa.text("state = 'running'"))
    op.create_index('ix_jobs_ordering_key', 'jobs', ['organization_id', 'ordering_key', 'seq'], unique=False, postgresql_where=sa.text("ordering_key IS NOT NULL AND state IN ('ready', 'running')"))
    op.create_index('ix_jobs_publish_after', 'jobs', ['publish_after'], unique=False, postgresql_where=sa.text("state = 'ready'"))
    op.create_index('ix_jobs_state', 'jobs', ['organization_id', 'state', 'id'], unique=False)
    op.create_table('memberships',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name=op.f('ck_memberships_role_known')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_memberships_organization_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_memberships_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_memberships')),
    sa.UniqueConstraint('organization_id', 'user_id', name=op.f('uq_memberships_organization_id_user_id'))
    )
    op.create_index('ix_memberships_user_id', 'memberships', ['user_id'], unique=False)
    op.create_table('number_series',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('series', sa.String(length=32), nullable=False),
    sa.Column('last', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(series) <> ''", name=op.f('ck_number_series_series_not_blank')),
    sa.CheckConstraint('last >= 0', name=op.f('ck_number_series_last_minimum')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_number_series_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_number_series')),
    sa.UniqueConstraint('organization_id', 'series', name=op.f('uq_number_series_organization_id_series'))
    )
    op.create_table('project_templates',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_project_templates_name_not_blank')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_project_templates_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_project_templates'))
    )
    op.create_index('ix_project_templates_created_at', 'project_templates', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_project_templates_deleted_at', 'project_templates', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_table('webhook_endpoints',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('url', sa.String(length=2048), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('event_types', postgresql.ARRAY(sa.String(length=64)), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failure_count', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("btrim(url) <> ''", name=op.f('ck_webhook_endpoints_url_not_blank')),
    sa.CheckConstraint('failure_count >= 0', name=op.f('ck_webhook_endpoints_failure_count_minimum')),
    sa.CheckConstraint('octet_length(secret) >= 24', name=op.f('ck_webhook_endpoints_secret_length')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_webhook_endpoints_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_webhook_endpoints'))
    )
    op.create_index('ix_webhook_endpoints_created_at', 'webhook_endpoints', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('contacts',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('first_name', sa.String(length=255), nullable=False),
    sa.Column('last_name', sa.String(length=255), server_default='', nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('email_key', sa.String(length=254), sa.Computed('lower(email)', persisted=True), nullable=True),
    sa.Column('phone', sa.String(length=64), nullable=True),
    sa.Column('title', sa.String(length=255), nullable=True),
    sa.Column('custom_fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(first_name) <> ''", name=op.f('ck_contacts_first_name_not_blank')),
    sa.CheckConstraint("jsonb_typeof(custom_fields) = 'object'", name=op.f('ck_contacts_custom_fields_is_object')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_contacts_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_contacts_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_contacts'))
    )
    op.create_index('ix_contacts_client_company_id', 'contacts', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_contacts_created_at', 'contacts', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_contacts_deleted_at', 'contacts', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('uq_contacts_email_key', 'contacts', ['organization_id', 'email_key'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('job_attempts',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('n', sa.SmallInteger(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('worker', sa.String(length=255), nullable=False),
    sa.Column('outcome', sa.String(length=16), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("outcome IS NULL OR outcome IN ('done', 'failed', 'refused')", name=op.f('ck_job_attempts_outcome_known')),
    sa.ForeignKeyConstraint(['organization_id', 'job_id'], ['jobs.organization_id', 'jobs.id'], name=op.f('fk_job_attempts_organization_id_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_job_attempts_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_job_attempts'))
    )
    op.create_index('ix_job_attempts_job_id', 'job_attempts', ['organization_id', 'job_id', 'n'], unique=False)
    op.create_table('login_sessions',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('membership_id', sa.Uuid(), nullable=False),
    sa.Column('csrf_digest', sa.LargeBinary(), nullable=False),
    sa.Column('ip', sa.String(length=64), nullable=True),
    sa.Column('user_agent', sa.String(length=512), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id', 'membership_id'], ['memberships.organization_id', 'memberships.id'], name=op.f('fk_login_sessions_organization_id_membership_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_login_sessions_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_login_sessions'))
    )
    op.create_index('ix_login_sessions_expires_at', 'login_sessions', ['expires_at'], unique=False)
    op.create_index('ix_login_sessions_membership_id', 'login_sessions', ['organization_id', 'membership_id'], unique=False)
    op.create_table('project_template_milestones',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_template_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('due_offset_days', sa.Integer(), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_project_template_milestones_name_not_blank')),
    sa.CheckConstraint('due_offset_days >= 0', name=op.f('ck_project_template_milestones_due_offset_days_minimum')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_project_template_milestones_position_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'project_template_id'], ['project_templates.organization_id', 'project_templates.id'], name=op.f('fk_project_template_milestones_organization_id_project_template_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_project_template_milestones_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_project_template_milestones'))
    )
    op.create_index('ix_project_template_milestones_project_template_id_position', 'project_template_milestones', ['organization_id', 'project_template_id', 'position'], unique=False, postgresql_where=None)
    op.create_table('services',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('price', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('project_template_id', sa.Uuid(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_services_name_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_services_currency_form')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_services_price_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'project_template_id'], ['project_templates.organization_id', 'project_templates.id'], name=op.f('fk_services_organization_id_project_template_id'), ondelete='SET NULL (project_template_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_services_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_services'))
    )
    op.create_index('ix_services_created_at', 'services', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_services_deleted_at', 'services', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_services_is_active', 'services', ['organization_id', 'is_active', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_services_project_template_id', 'services', ['organization_id', 'project_template_id'], unique=False, postgresql_where=None)
    op.create_table('webhook_deliveries',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('endpoint_id', sa.Uuid(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('event_type', sa.String(length=64), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.String(length=16), server_default='pending', nullable=False),
    sa.Column('attempts', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('response_status', sa.SmallInteger(), nullable=True),
    sa.Column('response_excerpt', sa.Text(), nullable=True),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name=op.f('ck_webhook_deliveries_delivered_at_if_delivered')),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f('ck_webhook_deliveries_state_known')),
    sa.CheckConstraint('attempts >= 0', name=op.f('ck_webhook_deliveries_attempts_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'endpoint_id'], ['webhook_endpoints.organization_id', 'webhook_endpoints.id'], name=op.f('fk_webhook_deliveries_organization_id_endpoint_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_webhook_deliveries_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_webhook_deliveries')),
    sa.UniqueConstraint('organization_id', 'endpoint_id', 'event_id', name=op.f('uq_webhook_deliveries_organization_id_endpoint_id_event_id'))
    )
    op.create_index('ix_webhook_deliveries_created_at', 'webhook_deliveries', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_webhook_deliveries_endpoint_id', 'webhook_deliveries', ['organization_id', 'endpoint_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_webhook_deliveries_state', 'webhook_deliveries', ['organization_id', 'state', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('deals',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('owner_id', sa.String(length=255), nullable=False),
    sa.Column('stage', sa.String(length=16), server_default='lead', nullable=False),
    sa.Column('value', sa.Numeric(precision=12, scale=2), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('expected_close_date', sa.Date(), nullable=True),
    sa.Column('lost_reason', sa.Text(), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('custom_fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(stage IN ('won', 'lost')) = (closed_at IS NOT NULL)", name=op.f('ck_deals_closed_if_won_or_lost')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_deals_name_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_deals_currency_form')),
    sa.CheckConstraint("jsonb_typeof(custom_fields) = 'object'", name=op.f('ck_deals_custom_fields_is_object')),
    sa.CheckConstraint("stage IN ('lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost')", name=op.f('ck_deals_stage_known')),
    sa.CheckConstraint('value >= 0', name=op.f('ck_deals_value_minimum')),
    sa.CheckConstraint('value IS NULL OR currency IS NOT NULL', name=op.f('ck_deals_value_with_currency')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_deals_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_deals_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_deals_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_deals'))
    )
    op.create_index('ix_deals_client_company_id', 'deals', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_deals_contact_id', 'deals', ['organization_id', 'contact_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_deals_created_at', 'deals', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_deals_deleted_at', 'deals', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_deals_owner_id', 'deals', ['organization_id', 'owner_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_deals_stage', 'deals', ['organization_id', 'stage', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('engagement_template_services',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_template_id', sa.Uuid(), nullable=False),
    sa.Column('service_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('quantity', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('position >= 0', name=op.f('ck_engagement_template_services_position_minimum')),
    sa.CheckConstraint('quantity >= 1', name=op.f('ck_engagement_template_services_quantity_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_template_id'], ['engagement_templates.organization_id', 'engagement_templates.id'], name=op.f('fk_engagement_template_services_organization_id_engagement_template_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'service_id'], ['services.organization_id', 'services.id'], name=op.f('fk_engagement_template_services_organization_id_service_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_engagement_template_services_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_engagement_template_services'))
    )
    op.create_index('ix_engagement_template_services_engagement_template_id_position', 'engagement_template_services', ['organization_id', 'engagement_template_id', 'position'], unique=False, postgresql_where=None)
    op.create_index('ix_engagement_template_services_service_id', 'engagement_template_services', ['organization_id', 'service_id'], unique=False, postgresql_where=None)
    op.create_table('project_template_tasks',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_template_id', sa.Uuid(), nullable=False),
    sa.Column('milestone_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('priority', sa.String(length=16), server_default='normal', nullable=False),
    sa.Column('due_offset_days', sa.Integer(), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_project_template_tasks_name_not_blank')),
    sa.CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name=op.f('ck_project_template_tasks_priority_known')),
    sa.CheckConstraint('due_offset_days >= 0', name=op.f('ck_project_template_tasks_due_offset_days_minimum')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_project_template_tasks_position_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'milestone_id'], ['project_template_milestones.organization_id', 'project_template_milestones.id'], name=op.f('fk_project_template_tasks_organization_id_milestone_id'), ondelete='SET NULL (milestone_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'project_template_id'], ['project_templates.organization_id', 'project_templates.id'], name=op.f('fk_project_template_tasks_organization_id_project_template_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_project_template_tasks_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_project_template_tasks'))
    )
    op.create_index('ix_project_template_tasks_milestone_id', 'project_template_tasks', ['organization_id', 'milestone_id'], unique=False, postgresql_where=None)
    op.create_index('ix_project_template_tasks_project_template_id_position', 'project_template_tasks', ['organization_id', 'project_template_id', 'position'], unique=False, postgresql_where=None)
    op.create_table('proposals',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('status', sa.String(length=16), server_default='draft', nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), server_default=sa.text('0'), nullable=False),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('deal_id', sa.Uuid(), nullable=True),
    sa.Column('engagement_id', sa.Uuid(), nullable=True),
    sa.Column('owner_id', sa.String(length=255), nullable=False),
    sa.Column('content_sha256', sa.String(length=64), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('viewed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('signed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('declined_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decline_reason', sa.Text(), nullable=True),
    sa.Column('expired_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('converted_engagement_id', sa.Uuid(), nullable=True),
    sa.Column('converted_order_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(status = 'signed') = (signed_at IS NOT NULL)", name=op.f('ck_proposals_signed_at_if_signed')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_proposals_name_not_blank')),
    sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_proposals_content_sha256_form')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_proposals_currency_form')),
    sa.CheckConstraint("status <> 'declined' OR declined_at IS NOT NULL", name=op.f('ck_proposals_declined_at_if_declined')),
    sa.CheckConstraint("status <> 'expired' OR expired_at IS NOT NULL", name=op.f('ck_proposals_expired_at_if_expired')),
    sa.CheckConstraint("status = 'draft' OR (content_sha256 IS NOT NULL AND sent_at IS NOT NULL)", name=op.f('ck_proposals_frozen_once_sent')),
    sa.CheckConstraint("status = 'signed' OR (converted_engagement_id IS NULL AND converted_order_id IS NULL)", name=op.f('ck_proposals_converted_only_if_signed')),
    sa.CheckConstraint("status IN ('draft', 'sent', 'signed', 'declined', 'expired')", name=op.f('ck_proposals_status_known')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_proposals_total_minimum')),
    sa.CheckConstraint('version >= 1', name=op.f('ck_proposals_version_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_proposals_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_proposals_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'deal_id'], ['deals.organization_id', 'deals.id'], name=op.f('fk_proposals_organization_id_deal_id'), ondelete='SET NULL (deal_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_proposals_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_proposals')),
    sa.UniqueConstraint('organization_id', 'number', name=op.f('uq_proposals_organization_id_number'))
    )
    op.create_index('ix_proposals_client_company_id', 'proposals', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_contact_id', 'proposals', ['organization_id', 'contact_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_converted_engagement_id', 'proposals', ['organization_id', 'converted_engagement_id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_converted_order_id', 'proposals', ['organization_id', 'converted_order_id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_created_at', 'proposals', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_proposals_deal_id', 'proposals', ['organization_id', 'deal_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_deleted_at', 'proposals', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_proposals_engagement_id', 'proposals', ['organization_id', 'engagement_id'], unique=False, postgresql_where=None)
    op.create_index('ix_proposals_owner_id', 'proposals', ['organization_id', 'owner_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_proposals_status', 'proposals', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_proposals_valid_until', 'proposals', ['organization_id', 'valid_until'], unique=False, postgresql_where=sa.text("status = 'sent'"))
    op.create_table('contracts',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('status', sa.String(length=16), server_default='draft', nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=True),
    sa.Column('deal_id', sa.Uuid(), nullable=True),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('content_sha256', sa.String(length=64), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('total_value', sa.Numeric(precision=12, scale=2), nullable=True),
    sa.Column('start_date', sa.Date(), nullable=True),
    sa.Column('end_date', sa.Date(), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('signed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(status = 'signed') = (signed_at IS NOT NULL)", name=op.f('ck_contracts_signed_at_if_signed')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_contracts_name_not_blank')),
    sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_contracts_content_sha256_form')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_contracts_currency_form')),
    sa.CheckConstraint("status <> 'sent' OR sent_at IS NOT NULL", name=op.f('ck_contracts_sent_at_if_sent')),
    sa.CheckConstraint("status IN ('draft', 'sent', 'signed', 'expired', 'cancelled')", name=op.f('ck_contracts_status_known')),
    sa.CheckConstraint('end_date >= start_date', name=op.f('ck_contracts_end_date_not_before_start_date')),
    sa.CheckConstraint('total_value >= 0', name=op.f('ck_contracts_total_value_minimum')),
    sa.CheckConstraint('total_value IS NULL OR currency IS NOT NULL', name=op.f('ck_contracts_total_value_with_currency')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_contracts_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_contracts_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'deal_id'], ['deals.organization_id', 'deals.id'], name=op.f('fk_contracts_organization_id_deal_id'), ondelete='SET NULL (deal_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_contracts_organization_id_proposal_id'), ondelete='SET NULL (proposal_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_contracts_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_contracts')),
    sa.UniqueConstraint('organization_id', 'number', name=op.f('uq_contracts_organization_id_number')),
    sa.UniqueConstraint('organization_id', 'proposal_id', name=op.f('uq_contracts_organization_id_proposal_id'))
    )
    op.create_index('ix_contracts_client_company_id', 'contracts', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_contracts_contact_id', 'contracts', ['organization_id', 'contact_id'], unique=False, postgresql_where=None)
    op.create_index('ix_contracts_created_at', 'contracts', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_contracts_deal_id', 'contracts', ['organization_id', 'deal_id'], unique=False, postgresql_where=None)
    op.create_index('ix_contracts_deleted_at', 'contracts', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_contracts_status', 'contracts', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('proposal_items',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=False),
    sa.Column('service_id', sa.Uuid(), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('price', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('quantity', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_proposal_items_name_not_blank')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_proposal_items_position_minimum')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_proposal_items_price_minimum')),
    sa.CheckConstraint('quantity >= 1', name=op.f('ck_proposal_items_quantity_minimum')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_proposal_items_total_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_proposal_items_organization_id_proposal_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'service_id'], ['services.organization_id', 'services.id'], name=op.f('fk_proposal_items_organization_id_service_id'), ondelete='SET NULL (service_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_proposal_items_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_proposal_items'))
    )
    op.create_index('ix_proposal_items_proposal_id_position', 'proposal_items', ['organization_id', 'proposal_id', 'position'], unique=False, postgresql_where=None)
    op.create_index('ix_proposal_items_service_id', 'proposal_items', ['organization_id', 'service_id'], unique=False, postgresql_where=None)
    op.create_table('proposal_versions',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('content_sha256', sa.String(length=64), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_proposal_versions_content_sha256_form')),
    sa.CheckConstraint('version >= 1', name=op.f('ck_proposal_versions_version_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_proposal_versions_organization_id_proposal_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_proposal_versions_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_proposal_versions')),
    sa.UniqueConstraint('organization_id', 'proposal_id', 'version', name=op.f('uq_proposal_versions_organization_id_proposal_id_version'))
    )
    op.create_table('signing_links',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('credential_id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_signing_links_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_signing_links_organization_id_proposal_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_signing_links_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_signing_links')),
    sa.UniqueConstraint('organization_id', 'credential_id', name=op.f('uq_signing_links_organization_id_credential_id')),
    sa.UniqueConstraint('organization_id', 'proposal_id', 'version', name=op.f('uq_signing_links_organization_id_proposal_id_version'))
    )
    op.create_index('ix_signing_links_contact_id', 'signing_links', ['organization_id', 'contact_id'], unique=False, postgresql_where=None)
    op.create_table('engagements',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=True),
    sa.Column('contract_id', sa.Uuid(), nullable=True),
    sa.Column('deal_id', sa.Uuid(), nullable=True),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('owner_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='active', nullable=False),
    sa.Column('start_date', sa.Date(), nullable=True),
    sa.Column('end_date', sa.Date(), nullable=True),
    sa.Column('total_value', sa.Numeric(precision=12, scale=2), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('legal_hold', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('custom_fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(status IN ('completed', 'cancelled')) = (closed_at IS NOT NULL)", name=op.f('ck_engagements_closed_if_final')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_engagements_name_not_blank')),
    sa.CheckConstraint("btrim(owner_id) <> ''", name=op.f('ck_engagements_owner_id_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_engagements_currency_form')),
    sa.CheckConstraint("jsonb_typeof(custom_fields) = 'object'", name=op.f('ck_engagements_custom_fields_is_object')),
    sa.CheckConstraint("status IN ('active', 'on_hold', 'completed', 'cancelled')", name=op.f('ck_engagements_status_known')),
    sa.CheckConstraint('end_date >= start_date', name=op.f('ck_engagements_end_date_not_before_start_date')),
    sa.CheckConstraint('total_value >= 0', name=op.f('ck_engagements_total_value_minimum')),
    sa.CheckConstraint('total_value IS NULL OR currency IS NOT NULL', name=op.f('ck_engagements_total_value_with_currency')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_engagements_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_engagements_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contract_id'], ['contracts.organization_id', 'contracts.id'], name=op.f('fk_engagements_organization_id_contract_id'), ondelete='SET NULL (contract_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'deal_id'], ['deals.organization_id', 'deals.id'], name=op.f('fk_engagements_organization_id_deal_id'), ondelete='SET NULL (deal_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_engagements_organization_id_proposal_id'), ondelete='SET NULL (proposal_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_engagements_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_engagements')),
    sa.UniqueConstraint('organization_id', 'contract_id', name=op.f('uq_engagements_organization_id_contract_id')),
    sa.UniqueConstraint('organization_id', 'proposal_id', name=op.f('uq_engagements_organization_id_proposal_id'))
    )
    op.create_index('ix_engagements_client_company_id', 'engagements', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_engagements_contact_id', 'engagements', ['organization_id', 'contact_id', 'created_at', 'id'], unique=False, postgresql_where=None)

    op.create_index('ix_engagements_created_at', 'engagements', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_engagements_deal_id', 'engagements', ['organization_id', 'deal_id'], unique=False, postgresql_where=None)
    op.create_index('ix_engagements_deleted_at', 'engagements', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_engagements_owner_id', 'engagements', ['organization_id', 'owner_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_engagements_status', 'engagements', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('signatures',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=True),
    sa.Column('contract_id', sa.Uuid(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=True),
    sa.Column('signer_name', sa.String(length=255), nullable=False),
    sa.Column('signer_email', sa.String(length=254), nullable=True),
    sa.Column('method', sa.String(length=16), nullable=False),
    sa.Column('data', sa.Text(), nullable=True),
    sa.Column('consent_text', sa.Text(), nullable=True),
    sa.Column('consent_version', sa.String(length=32), nullable=True),
    sa.Column('locale', sa.String(length=35), nullable=True),
    sa.Column('ip', sa.String(length=64), nullable=True),
    sa.Column('user_agent', sa.String(length=512), nullable=True),
    sa.Column('content_sha256', sa.String(length=64), nullable=False),
    sa.Column('signed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('recorded_by', sa.String(length=255), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(signer_name) <> ''", name=op.f('ck_signatures_signer_name_not_blank')),
    sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_signatures_content_sha256_form')),
    sa.CheckConstraint("method IN ('typed', 'drawn', 'recorded')", name=op.f('ck_signatures_method_known')),
    sa.CheckConstraint("recorded_by IS NOT NULL OR (method <> 'recorded' AND num_nulls(signer_email, data, consent_text, consent_version) = 0)", name=op.f('ck_signatures_complete_unless_recorded')),
    sa.CheckConstraint('(proposal_id IS NULL) = (version IS NULL)', name=op.f('ck_signatures_version_if_proposal')),
    sa.CheckConstraint('num_nonnulls(proposal_id, contract_id) >= 1', name=op.f('ck_signatures_signs_something')),
    sa.CheckConstraint('octet_length(data) <= 1048576', name=op.f('ck_signatures_data_size')),
    sa.ForeignKeyConstraint(['organization_id', 'contract_id'], ['contracts.organization_id', 'contracts.id'], name=op.f('fk_signatures_organization_id_contract_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_signatures_organization_id_proposal_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_signatures_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_signatures')),
    sa.UniqueConstraint('organization_id', 'contract_id', name=op.f('uq_signatures_organization_id_contract_id')),
    sa.UniqueConstraint('organization_id', 'proposal_id', name=op.f('uq_signatures_organization_id_proposal_id'))
    )
    op.create_index('ix_signatures_created_at', 'signatures', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('activity_events',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=True),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('action', sa.String(length=128), nullable=False),
    sa.Column('entity_type', sa.String(length=64), nullable=False),
    sa.Column('entity_id', sa.Uuid(), nullable=False),
    sa.Column('entity_version', sa.Integer(), nullable=False),
    sa.Column('actor', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('from_state', sa.Text(), nullable=True),
    sa.Column('to_state', sa.Text(), nullable=True),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(action) <> ''", name=op.f('ck_activity_events_action_not_blank')),
    sa.CheckConstraint("btrim(type) <> ''", name=op.f('ck_activity_events_type_not_blank')),
    sa.CheckConstraint("jsonb_typeof(actor) = 'object'", name=op.f('ck_activity_events_actor_is_object')),
    sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f('ck_activity_events_metadata_is_object')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_activity_events_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_activity_events_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_activity_events'))
    )
    op.create_index('ix_activity_events_engagement_id_occurred_at_id', 'activity_events', ['organization_id', 'engagement_id', 'occurred_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_activity_events_entity_type_entity_id_entity_version', 'activity_events', ['organization_id', 'entity_type', 'entity_id', 'entity_version'], unique=False, postgresql_where=None)
    op.create_index('ix_activity_events_occurred_at_id', 'activity_events', ['organization_id', 'occurred_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('engagement_contracts',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('contract_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id', 'contract_id'], ['contracts.organization_id', 'contracts.id'], name=op.f('fk_engagement_contracts_organization_id_contract_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_engagement_contracts_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_engagement_contracts_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_engagement_contracts')),
    sa.UniqueConstraint('organization_id', 'engagement_id', 'contract_id', name=op.f('uq_engagement_contracts_organization_id_engagement_id_contract_id'))
    )
    op.create_index('ix_engagement_contracts_contract_id', 'engagement_contracts', ['organization_id', 'contract_id'], unique=False, postgresql_where=None)
    op.create_table('engagement_health',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('score', sa.SmallInteger(), nullable=False),
    sa.Column('level', sa.String(length=16), nullable=False),
    sa.Column('reasons', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('computed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("jsonb_typeof(reasons) = 'array'", name=op.f('ck_engagement_health_reasons_is_array')),
    sa.CheckConstraint("level IN ('good', 'at_risk', 'critical')", name=op.f('ck_engagement_health_level_known')),
    sa.CheckConstraint('score BETWEEN 0 AND 100', name=op.f('ck_engagement_health_score_range')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_engagement_health_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_engagement_health_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_engagement_health')),
    sa.UniqueConstraint('organization_id', 'engagement_id', name=op.f('uq_engagement_health_organization_id_engagement_id'))
    )
    op.create_index('ix_engagement_health_level', 'engagement_health', ['organization_id', 'level'], unique=False, postgresql_where=None)
    op.create_table('orders',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=True),
    sa.Column('client_company_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='unpaid', nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_orders_currency_form')),
    sa.CheckConstraint("status IN ('unpaid', 'partially_paid', 'paid', 'cancelled', 'refunded')", name=op.f('ck_orders_status_known')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_orders_total_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'client_company_id'], ['client_companies.organization_id', 'client_companies.id'], name=op.f('fk_orders_organization_id_client_company_id'), ondelete='SET NULL (client_company_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_orders_organization_id_contact_id'), ondelete='SET NULL (contact_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_orders_organization_id_engagement_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_orders_organization_id_proposal_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_orders_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_orders')),
    sa.UniqueConstraint('organization_id', 'number', name=op.f('uq_orders_organization_id_number')),
    sa.UniqueConstraint('organization_id', 'proposal_id', name=op.f('uq_orders_organization_id_proposal_id'))
    )
    op.create_index('ix_orders_client_company_id', 'orders', ['organization_id', 'client_company_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_orders_contact_id', 'orders', ['organization_id', 'contact_id'], unique=False, postgresql_where=None)
    op.create_index('ix_orders_created_at', 'orders', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_orders_engagement_id', 'orders', ['organization_id', 'engagement_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_orders_status', 'orders', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('portal_accesses',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('granted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id', 'contact_id'], ['contacts.organization_id', 'contacts.id'], name=op.f('fk_portal_accesses_organization_id_contact_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_portal_accesses_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_portal_accesses_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_portal_accesses')),
    sa.UniqueConstraint('organization_id', 'engagement_id', 'contact_id', name=op.f('uq_portal_accesses_organization_id_engagement_id_contact_id'))
    )
    op.create_index('ix_portal_accesses_contact_id', 'portal_accesses', ['organization_id', 'contact_id'], unique=False, postgresql_where=None)
    op.create_index('ix_portal_accesses_created_at', 'portal_accesses', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('projects',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('service_id', sa.Uuid(), nullable=True),
    sa.Column('proposal_item_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='active', nullable=False),
    sa.Column('phase', sa.String(length=16), server_default='kickoff', nullable=False),
    sa.Column('start_date', sa.Date(), nullable=True),
    sa.Column('due_date', sa.Date(), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('custom_fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name=op.f('ck_projects_completed_at_if_completed')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_projects_name_not_blank')),
    sa.CheckConstraint("jsonb_typeof(custom_fields) = 'object'", name=op.f('ck_projects_custom_fields_is_object')),
    sa.CheckConstraint("phase IN ('kickoff', 'setup', 'build', 'testing', 'deployment', 'handoff')", name=op.f('ck_projects_phase_known')),
    sa.CheckConstraint("status IN ('active', 'on_hold', 'completed', 'cancelled')", name=op.f('ck_projects_status_known')),
    sa.CheckConstraint('due_date >= start_date', name=op.f('ck_projects_due_date_not_before_start_date')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_projects_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_item_id'], ['proposal_items.organization_id', 'proposal_items.id'], name=op.f('fk_projects_organization_id_proposal_item_id'), ondelete='SET NULL (proposal_item_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'service_id'], ['services.organization_id', 'services.id'], name=op.f('fk_projects_organization_id_service_id'), ondelete='SET NULL (service_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_projects_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_projects')),
    sa.UniqueConstraint('organization_id', 'proposal_item_id', name=op.f('uq_projects_organization_id_proposal_item_id'))
    )
    op.create_index('ix_projects_created_at', 'projects', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_projects_deleted_at', 'projects', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_projects_engagement_id', 'projects', ['organization_id', 'engagement_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_projects_phase', 'projects', ['organization_id', 'phase', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_projects_service_id', 'projects', ['organization_id', 'service_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_projects_status', 'projects', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('signed_documents',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('signature_id', sa.Uuid(), nullable=False),
    sa.Column('proposal_id', sa.Uuid(), nullable=True),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_signed_documents_sha256_form')),
    sa.CheckConstraint('size = octet_length(content)', name=op.f('ck_signed_documents_size_of_content')),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_id'], ['proposals.organization_id', 'proposals.id'], name=op.f('fk_signed_documents_organization_id_proposal_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id', 'signature_id'], ['signatures.organization_id', 'signatures.id'], name=op.f('fk_signed_documents_organization_id_signature_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_signed_documents_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_signed_documents')),
    sa.UniqueConstraint('organization_id', 'signature_id', name=op.f('uq_signed_documents_organization_id_signature_id'))
    )
    op.create_index('ix_signed_documents_proposal_id', 'signed_documents', ['organization_id', 'proposal_id'], unique=False, postgresql_where=None)
    op.create_index('ix_signed_documents_sha256', 'signed_documents', ['organization_id', 'sha256'], unique=False, postgresql_where=None)
    op.create_table('conversations',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.String(length=255), nullable=False),
    sa.Column('status', sa.String(length=16), server_default='open', nullable=False),
    sa.Column('last_message_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_activity_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(subject) <> ''", name=op.f('ck_conversations_subject_not_blank')),
    sa.CheckConstraint("status IN ('open', 'closed')", name=op.f('ck_conversations_status_known')),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_conversations_organization_id_project_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_conversations_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_conversations'))
    )
    op.create_index('ix_conversations_created_at', 'conversations', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_conversations_deleted_at', 'conversations', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_conversations_project_id', 'conversations', ['organization_id', 'project_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_conversations_status', 'conversations', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('file_objects',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('content_type', sa.String(length=127), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('storage_key', sa.String(length=255), nullable=False),
    sa.Column('visible_to_client', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('uploaded_by', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_file_objects_name_not_blank')),
    sa.CheckConstraint("jsonb_typeof(uploaded_by) = 'object'", name=op.f('ck_file_objects_uploaded_by_is_object')),
    sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_file_objects_sha256_form')),
    sa.CheckConstraint('size >= 0', name=op.f('ck_file_objects_size_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_file_objects_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_file_objects_organization_id_project_id'), ondelete='SET NULL (project_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_file_objects_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_file_objects')),
    sa.UniqueConstraint('storage_key', name=op.f('uq_file_objects_storage_key'))
    )
    op.create_index('ix_file_objects_created_at', 'file_objects', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_file_objects_deleted_at', 'file_objects', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_file_objects_engagement_id', 'file_objects', ['organization_id', 'engagement_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_file_objects_project_id', 'file_objects', ['organization_id', 'project_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('invoice_schedules',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('amount', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('next_period', sa.Date(), nullable=True),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_invoice_schedules_currency_form')),
    sa.CheckConstraint("kind IN ('once', 'monthly', 'milestone')", name=op.f('ck_invoice_schedules_kind_known')),
    sa.CheckConstraint('amount >= 0', name=op.f('ck_invoice_schedules_amount_minimum')),
    sa.CheckConstraint('ends_on >= starts_on', name=op.f('ck_invoice_schedules_ends_on_not_before_starts_on')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_invoice_schedules_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'order_id'], ['orders.organization_id', 'orders.id'], name=op.f('fk_invoice_schedules_organization_id_order_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_invoice_schedules_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_invoice_schedules')),
    sa.UniqueConstraint('organization_id', 'order_id', name=op.f('uq_invoice_schedules_organization_id_order_id'))
    )
    op.create_index('ix_invoice_schedules_created_at', 'invoice_schedules', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_invoice_schedules_engagement_id', 'invoice_schedules', ['organization_id', 'engagement_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_invoice_schedules_next_period', 'invoice_schedules', ['organization_id', 'next_period'], unique=False, postgresql_where=sa.text('is_active'))
    op.create_table('milestones',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('due_date', sa.Date(), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_milestones_name_not_blank')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_milestones_position_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_milestones_organization_id_project_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_milestones_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_milestones'))
    )
    op.create_index('ix_milestones_created_at', 'milestones', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_milestones_deleted_at', 'milestones', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_milestones_project_id_position', 'milestones', ['organization_id', 'project_id', 'position'], unique=False, postgresql_where=None)
    op.create_table('order_items',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('proposal_item_id', sa.Uuid(), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=True),
    sa.Column('service_id', sa.Uuid(), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('price', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('quantity', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_order_items_name_not_blank')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_order_items_position_minimum')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_order_items_price_minimum')),
    sa.CheckConstraint('quantity >= 1', name=op.f('ck_order_items_quantity_minimum')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_order_items_total_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'order_id'], ['orders.organization_id', 'orders.id'], name=op.f('fk_order_items_organization_id_order_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_order_items_organization_id_project_id'), ondelete='SET NULL (project_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'proposal_item_id'], ['proposal_items.organization_id', 'proposal_items.id'], name=op.f('fk_order_items_organization_id_proposal_item_id'), ondelete='SET NULL (proposal_item_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'service_id'], ['services.organization_id', 'services.id'], name=op.f('fk_order_items_organization_id_service_id'), ondelete='SET NULL (service_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_order_items_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_order_items'))
    )
    op.create_index('ix_order_items_order_id_position', 'order_items', ['organization_id', 'order_id', 'position'], unique=False, postgresql_where=None)
    op.create_index('ix_order_items_project_id', 'order_items', ['organization_id', 'project_id'], unique=False, postgresql_where=None)
    op.create_index('ix_order_items_proposal_item_id', 'order_items', ['organization_id', 'proposal_item_id'], unique=False, postgresql_where=None)
    op.create_index('ix_order_items_service_id', 'order_items', ['organization_id', 'service_id'], unique=False, postgresql_where=None)
    op.create_table('phase_changes',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('from_phase', sa.String(length=16), nullable=True),
    sa.Column('to_phase', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('actor', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("from_phase IN ('kickoff', 'setup', 'build', 'testing', 'deployment', 'handoff')", name=op.f('ck_phase_changes_from_phase_known')),
    sa.CheckConstraint("jsonb_typeof(actor) = 'object'", name=op.f('ck_phase_changes_actor_is_object')),
    sa.CheckConstraint("to_phase IN ('kickoff', 'setup', 'build', 'testing', 'deployment', 'handoff')", name=op.f('ck_phase_changes_to_phase_known')),
    sa.CheckConstraint('from_phase <> to_phase', name=op.f('ck_phase_changes_phase_differs')),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_phase_changes_organization_id_project_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_phase_changes_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_phase_changes'))
    )
    op.create_index('ix_phase_changes_project_id_changed_at_id', 'phase_changes', ['organization_id', 'project_id', 'changed_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('invoices',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=True),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('schedule_id', sa.Uuid(), nullable=True),
    sa.Column('period', sa.String(length=32), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='draft', nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('subtotal', sa.Numeric(precision=12, scale=2), server_default=sa.text('0'), nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), server_default=sa.text('0'), nullable=False),
    sa.Column('paid', sa.Numeric(precision=12, scale=2), server_default=sa.text('0'), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=True),
    sa.Column('due_date', sa.Date(), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('voided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name=op.f('ck_invoices_paid_at_if_paid')),
    sa.CheckConstraint("(status = 'void') = (voided_at IS NOT NULL)", name=op.f('ck_invoices_voided_at_if_void')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_invoices_currency_form')),
    sa.CheckConstraint("status IN ('draft', 'sent', 'partially_paid', 'paid', 'overdue', 'void')", name=op.f('ck_invoices_status_known')),
    sa.CheckConstraint("status IN ('draft', 'void') OR num_nulls(number, issued_on, sent_at) = 0", name=op.f('ck_invoices_numbered_once_sent')),
    sa.CheckConstraint('(schedule_id IS NULL) = (period IS NULL)', name=op.f('ck_invoices_period_if_scheduled')),
    sa.CheckConstraint('due_date >= issued_on', name=op.f('ck_invoices_due_date_not_before_issued_on')),
    sa.CheckConstraint('paid >= 0', name=op.f('ck_invoices_paid_minimum')),
    sa.CheckConstraint('subtotal >= 0', name=op.f('ck_invoices_subtotal_minimum')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_invoices_total_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'engagement_id'], ['engagements.organization_id', 'engagements.id'], name=op.f('fk_invoices_organization_id_engagement_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'order_id'], ['orders.organization_id', 'orders.id'], name=op.f('fk_invoices_organization_id_order_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id', 'schedule_id'], ['invoice_schedules.organization_id', 'invoice_schedules.id'], name=op.f('fk_invoices_organization_id_schedule_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_invoices_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_invoices')),
    sa.UniqueConstraint('organization_id', 'number', name=op.f('uq_invoices_organization_id_number')),
    sa.UniqueConstraint('organization_id', 'schedule_id', 'period', name=op.f('uq_invoices_organization_id_schedule_id_period'))
    )
    op.create_index('ix_invoices_created_at', 'invoices', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_invoices_due_date', 'invoices', ['organization_id', 'due_date'], unique=False, postgresql_where=sa.text("status IN ('sent', 'partially_paid')"))
    op.create_index('ix_invoices_engagement_id', 'invoices', ['organization_id', 'engagement_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_invoices_order_id', 'invoices', ['organization_id', 'order_id'], unique=False, postgresql_where=None)
    op.create_index('ix_invoices_status', 'invoices', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('messages',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('conversation_id', sa.Uuid(), nullable=False),
    sa.Column('sender_kind', sa.String(length=16), nullable=False),
    sa.Column('sender_id', sa.String(length=64), nullable=True),
    sa.Column('sender_name', sa.String(length=255), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('is_internal', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('attachments', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("btrim(content) <> '' OR attachments <> '[]'", name=op.f('ck_messages_not_empty')),
    sa.CheckConstraint("btrim(sender_kind) <> ''", name=op.f('ck_messages_sender_kind_not_blank')),
    sa.CheckConstraint("jsonb_typeof(attachments) = 'array'", name=op.f('ck_messages_attachments_is_array')),
    sa.ForeignKeyConstraint(['organization_id', 'conversation_id'], ['conversations.organization_id', 'conversations.id'], name=op.f('fk_messages_organization_id_conversation_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_messages_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_messages'))
    )
    op.create_index('ix_messages_conversation_id', 'messages', ['organization_id', 'conversation_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_messages_created_at', 'messages', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_messages_deleted_at', 'messages', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_table('read_markers',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('conversation_id', sa.Uuid(), nullable=False),
    sa.Column('reader_kind', sa.String(length=16), nullable=False),
    sa.Column('reader_id', sa.String(length=64), nullable=False),
    sa.Column('last_read_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['organization_id', 'conversation_id'], ['conversations.organization_id', 'conversations.id'], name=op.f('fk_read_markers_organization_id_conversation_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_read_markers_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_read_markers')),
    sa.UniqueConstraint('organization_id', 'conversation_id', 'reader_kind', 'reader_id', name='uq_read_markers_reader')
    )
    op.create_index('ix_read_markers_reader_kind_reader_id', 'read_markers', ['organization_id', 'reader_kind', 'reader_id'], unique=False, postgresql_where=None)
    op.create_table('tasks',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('milestone_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='todo', nullable=False),
    sa.Column('priority', sa.String(length=16), server_default='normal', nullable=False),
    sa.Column('assignee_id', sa.Uuid(), nullable=True),
    sa.Column('due_date', sa.Date(), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deletion_batch_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name=op.f('ck_tasks_completed_at_if_completed')),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_tasks_name_not_blank')),
    sa.CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name=op.f('ck_tasks_priority_known')),
    sa.CheckConstraint("status IN ('todo', 'in_progress', 'review', 'completed', 'cancelled')", name=op.f('ck_tasks_status_known')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_tasks_position_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'assignee_id'], ['memberships.organization_id', 'memberships.user_id'], name=op.f('fk_tasks_organization_id_assignee_id'), ondelete='SET NULL (assignee_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'milestone_id'], ['milestones.organization_id', 'milestones.id'], name=op.f('fk_tasks_organization_id_milestone_id'), ondelete='SET NULL (milestone_id)'),
    sa.ForeignKeyConstraint(['organization_id', 'project_id'], ['projects.organization_id', 'projects.id'], name=op.f('fk_tasks_organization_id_project_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_tasks_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_tasks'))
    )
    op.create_index('ix_tasks_assignee_id', 'tasks', ['organization_id', 'assignee_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_tasks_created_at', 'tasks', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_tasks_deleted_at', 'tasks', ['organization_id', 'deleted_at'], unique=False, postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.create_index('ix_tasks_due_date', 'tasks', ['organization_id', 'due_date'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('ix_tasks_milestone_id', 'tasks', ['organization_id', 'milestone_id'], unique=False, postgresql_where=None)
    op.create_index('ix_tasks_project_id_position', 'tasks', ['organization_id', 'project_id', 'position'], unique=False, postgresql_where=None)
    op.create_index('ix_tasks_status', 'tasks', ['organization_id', 'status', 'created_at', 'id'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('credit_notes',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('amount', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(reason) <> ''", name=op.f('ck_credit_notes_reason_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_credit_notes_currency_form')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_credit_notes_amount_positive')),
    sa.ForeignKeyConstraint(['organization_id', 'invoice_id'], ['invoices.organization_id', 'invoices.id'], name=op.f('fk_credit_notes_organization_id_invoice_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_credit_notes_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_credit_notes')),
    sa.UniqueConstraint('organization_id', 'number', name=op.f('uq_credit_notes_organization_id_number'))
    )
    op.create_index('ix_credit_notes_created_at', 'credit_notes', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_credit_notes_invoice_id', 'credit_notes', ['organization_id', 'invoice_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_table('invoice_lines',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('order_item_id', sa.Uuid(), nullable=True),
    sa.Column('position', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('price', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('quantity', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('total', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(name) <> ''", name=op.f('ck_invoice_lines_name_not_blank')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_invoice_lines_position_minimum')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_invoice_lines_price_minimum')),
    sa.CheckConstraint('quantity >= 1', name=op.f('ck_invoice_lines_quantity_minimum')),
    sa.CheckConstraint('total >= 0', name=op.f('ck_invoice_lines_total_minimum')),
    sa.ForeignKeyConstraint(['organization_id', 'invoice_id'], ['invoices.organization_id', 'invoices.id'], name=op.f('fk_invoice_lines_organization_id_invoice_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id', 'order_item_id'], ['order_items.organization_id', 'order_items.id'], name=op.f('fk_invoice_lines_organization_id_order_item_id'), ondelete='SET NULL (order_item_id)'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_invoice_lines_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_invoice_lines'))
    )
    op.create_index('ix_invoice_lines_invoice_id_position', 'invoice_lines', ['organization_id', 'invoice_id', 'position'], unique=False, postgresql_where=None)
    op.create_index('ix_invoice_lines_order_item_id', 'invoice_lines', ['organization_id', 'order_item_id'], unique=False, postgresql_where=None)
    op.create_table('payments',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.Numeric(precision=12, scale=2), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('method', sa.String(length=32), nullable=False),
    sa.Column('reference', sa.String(length=255), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("btrim(method) <> ''", name=op.f('ck_payments_method_not_blank')),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_payments_currency_form')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_payments_amount_positive')),
    sa.ForeignKeyConstraint(['organization_id', 'invoice_id'], ['invoices.organization_id', 'invoices.id'], name=op.f('fk_payments_organization_id_invoice_id'), ondelete='NO ACTION'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_payments_organization_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'id', name=op.f('pk_payments'))
    )
    op.create_index('ix_payments_created_at', 'payments', ['organization_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('ix_payments_invoice_id', 'payments', ['organization_id', 'invoice_id', 'created_at', 'id'], unique=False, postgresql_where=None)
    op.create_index('uq_payments_reference', 'payments', ['organization_id', 'reference'], unique=True, postgresql_where=sa.text('reference IS NOT NULL'))
    # Proposals, engagements and orders refer to one another; these close the circle.
    op.create_foreign_key(op.f('fk_proposals_organization_id_converted_engagement_id'), 'proposals', 'engagements', ['organization_id', 'converted_engagement_id'], ['organization_id', 'id'], ondelete='SET NULL (converted_engagement_id)')
    op.create_foreign_key(op.f('fk_proposals_organization_id_converted_order_id'), 'proposals', 'orders', ['organization_id', 'converted_order_id'], ['organization_id', 'id'], ondelete='SET NULL (converted_order_id)')
    op.create_foreign_key(op.f('fk_proposals_organization_id_engagement_id'), 'proposals', 'engagements', ['organization_id', 'engagement_id'], ['organization_id', 'id'], ondelete='SET NULL (engagement_id)')


def downgrade() -> None:
    op.drop_constraint(op.f('fk_proposals_organization_id_converted_engagement_id'), 'proposals', type_='foreignkey')
    op.drop_constraint(op.f('fk_proposals_organization_id_converted_order_id'), 'proposals', type_='foreignkey')
    op.drop_constraint(op.f('fk_proposals_organization_id_engagement_id'), 'proposals', type_='foreignkey')
    op.drop_index('uq_payments_reference', table_name='payments', postgresql_where=sa.text('reference IS NOT NULL'))
    op.drop_index('ix_payments_invoice_id', table_name='payments', postgresql_where=None)
    op.drop_index('ix_payments_created_at', table_name='payments', postgresql_where=None)
    op.drop_table('payments')
    op.drop_index('ix_invoice_lines_order_item_id', table_name='invoice_lines', postgresql_where=None)
    op.drop_index('ix_invoice_lines_invoice_id_position', table_name='invoice_lines', postgresql_where=None)
    op.drop_table('invoice_lines')
    op.drop_index('ix_credit_notes_invoice_id', table_name='credit_notes', postgresql_where=None)
    op.drop_index('ix_credit_notes_created_at', table_name='credit_notes', postgresql_where=None)
    op.drop_table('credit_notes')
    op.drop_index('ix_tasks_status', table_name='tasks', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_tasks_project_id_position', table_name='tasks', postgresql_where=None)
    op.drop_index('ix_tasks_milestone_id', table_name='tasks', postgresql_where=None)
    op.drop_index('ix_tasks_due_date', table_name='tasks', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_tasks_deleted_at', table_name='tasks', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_tasks_created_at', table_name='tasks', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_tasks_assignee_id', table_name='tasks', postgresql_where=None)
    op.drop_table('tasks')
    op.drop_index('ix_read_markers_reader_kind_reader_id', table_name='read_markers', postgresql_where=None)
    op.drop_table('read_markers')
    op.drop_index('ix_messages_deleted_at', table_name='messages', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_messages_created_at', table_name='messages', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_messages_conversation_id', table_name='messages', postgresql_where=None)
    op.drop_table('messages')
    op.drop_index('ix_invoices_status', table_name='invoices', postgresql_where=None)
    op.drop_index('ix_invoices_order_id', table_name='invoices', postgresql_where=None)
    op.drop_index('ix_invoices_engagement_id', table_name='invoices', postgresql_where=None)
    op.drop_index('ix_invoices_due_date', table_name='invoices', postgresql_where=sa.text("status IN ('sent', 'partially_paid')"))
    op.drop_index('ix_invoices_created_at', table_name='invoices', postgresql_where=None)
    op.drop_table('invoices')
    op.drop_index('ix_phase_changes_project_id_changed_at_id', table_name='phase_changes', postgresql_where=None)
    op.drop_table('phase_changes')
    op.drop_index('ix_order_items_service_id', table_name='order_items', postgresql_where=None)
    op.drop_index('ix_order_items_proposal_item_id', table_name='order_items', postgresql_where=None)
    op.drop_index('ix_order_items_project_id', table_name='order_items', postgresql_where=None)
    op.drop_index('ix_order_items_order_id_position', table_name='order_items', postgresql_where=None)
    op.drop_table('order_items')
    op.drop_index('ix_milestones_project_id_position', table_name='milestones', postgresql_where=None)
    op.drop_index('ix_milestones_deleted_at', table_name='milestones', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_milestones_created_at', table_name='milestones', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('milestones')
    op.drop_index('ix_invoice_schedules_next_period', table_name='invoice_schedules', postgresql_where=sa.text('is_active'))
    op.drop_index('ix_invoice_schedules_engagement_id', table_name='invoice_schedules', postgresql_where=None)
    op.drop_index('ix_invoice_schedules_created_at', table_name='invoice_schedules', postgresql_where=None)
    op.drop_table('invoice_schedules')
    op.drop_index('ix_file_objects_project_id', table_name='file_objects', postgresql_where=None)
    op.drop_index('ix_file_objects_engagement_id', table_name='file_objects', postgresql_where=None)
    op.drop_index('ix_file_objects_deleted_at', table_name='file_objects', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_file_objects_created_at', table_name='file_objects', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('file_objects')
    op.drop_index('ix_conversations_status', table_name='conversations', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_conversations_project_id', table_name='conversations', postgresql_where=None)
    op.drop_index('ix_conversations_deleted_at', table_name='conversations', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_conversations_created_at', table_name='conversations', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('conversations')
    op.drop_index('ix_signed_documents_sha256', table_name='signed_documents', postgresql_where=None)
    op.drop_index('ix_signed_documents_proposal_id', table_name='signed_documents', postgresql_where=None)
    op.drop_table('signed_documents')
    op.drop_index('ix_projects_status', table_name='projects', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_projects_service_id', table_name='projects', postgresql_where=None)
    op.drop_index('ix_projects_phase', table_name='projects', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_projects_engagement_id', table_name='projects', postgresql_where=None)
    op.drop_index('ix_projects_deleted_at', table_name='projects', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_projects_created_at', table_name='projects', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('projects')
    op.drop_index('ix_portal_accesses_created_at', table_name='portal_accesses', postgresql_where=None)
    op.drop_index('ix_portal_accesses_contact_id', table_name='portal_accesses', postgresql_where=None)
    op.drop_table('portal_accesses')
    op.drop_index('ix_orders_status', table_name='orders', postgresql_where=None)
    op.drop_index('ix_orders_engagement_id', table_name='orders', postgresql_where=None)
    op.drop_index('ix_orders_created_at', table_name='orders', postgresql_where=None)
    op.drop_index('ix_orders_contact_id', table_name='orders', postgresql_where=None)
    op.drop_index('ix_orders_client_company_id', table_name='orders', postgresql_where=None)
    op.drop_table('orders')
    op.drop_index('ix_engagement_health_level', table_name='engagement_health', postgresql_where=None)
    op.drop_table('engagement_health')
    op.drop_index('ix_engagement_contracts_contract_id', table_name='engagement_contracts', postgresql_where=None)
    op.drop_table('engagement_contracts')
    op.drop_index('ix_activity_events_occurred_at_id', table_name='activity_events', postgresql_where=None)
    op.drop_index('ix_activity_events_entity_type_entity_id_entity_version', table_name='activity_events', postgresql_where=None)
    op.drop_index('ix_activity_events_engagement_id_occurred_at_id', table_name='activity_events', postgresql_where=None)
    op.drop_table('activity_events')
    op.drop_index('ix_signatures_created_at', table_name='signatures', postgresql_where=None)
    op.drop_table('signatures')
    op.drop_index('ix_engagements_status', table_name='engagements', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_engagements_owner_id', table_name='engagements', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_engagements_deleted_at', table_name='engagements', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_engagements_deal_id', table_name='engagements', postgresql_where=None)
    op.drop_index('ix_engagements_created_at', table_name='engagements', postgresql_where=sa.text('deleted_at IS NULL'))

    op.drop_index('ix_engagements_contact_id', table_name='engagements', postgresql_where=None)
    op.drop_index('ix_engagements_client_company_id', table_name='engagements', postgresql_where=None)
    op.drop_table('engagements')
    op.drop_index('ix_signing_links_contact_id', table_name='signing_links', postgresql_where=None)
    op.drop_table('signing_links')
    op.drop_table('proposal_versions')
    op.drop_index('ix_proposal_items_service_id', table_name='proposal_items', postgresql_where=None)
    op.drop_index('ix_proposal_items_proposal_id_position', table_name='proposal_items', postgresql_where=None)
    op.drop_table('proposal_items')
    op.drop_index('ix_contracts_status', table_name='contracts', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_contracts_deleted_at', table_name='contracts', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_contracts_deal_id', table_name='contracts', postgresql_where=None)
    op.drop_index('ix_contracts_created_at', table_name='contracts', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_contracts_contact_id', table_name='contracts', postgresql_where=None)
    op.drop_index('ix_contracts_client_company_id', table_name='contracts', postgresql_where=None)
    op.drop_table('contracts')
    op.drop_index('ix_proposals_valid_until', table_name='proposals', postgresql_where=sa.text("status = 'sent'"))
    op.drop_index('ix_proposals_status', table_name='proposals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_proposals_owner_id', table_name='proposals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_proposals_engagement_id', table_name='proposals', postgresql_where=None)
    op.drop_index('ix_proposals_deleted_at', table_name='proposals', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_proposals_deal_id', table_name='proposals', postgresql_where=None)
    op.drop_index('ix_proposals_created_at', table_name='proposals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_proposals_converted_order_id', table_name='proposals', postgresql_where=None)
    op.drop_index('ix_proposals_converted_engagement_id', table_name='proposals', postgresql_where=None)
    op.drop_index('ix_proposals_contact_id', table_name='proposals', postgresql_where=None)
    op.drop_index('ix_proposals_client_company_id', table_name='proposals', postgresql_where=None)
    op.drop_table('proposals')
    op.drop_index('ix_project_template_tasks_project_template_id_position', table_name='project_template_tasks', postgresql_where=None)
    op.drop_index('ix_project_template_tasks_milestone_id', table_name='project_template_tasks', postgresql_where=None)
    op.drop_table('project_template_tasks')
    op.drop_index('ix_engagement_template_services_service_id', table_name='engagement_template_services', postgresql_where=None)
    op.drop_index('ix_engagement_template_services_engagement_template_id_position', table_name='engagement_template_services', postgresql_where=None)
    op.drop_table('engagement_template_services')
    op.drop_index('ix_deals_stage', table_name='deals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_deals_owner_id', table_name='deals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_deals_deleted_at', table_name='deals', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_deals_created_at', table_name='deals', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_deals_contact_id', table_name='deals', postgresql_where=None)
    op.drop_index('ix_deals_client_company_id', table_name='deals', postgresql_where=None)
    op.drop_table('deals')
    op.drop_index('ix_webhook_deliveries_state', table_name='webhook_deliveries', postgresql_where=None)
    op.drop_index('ix_webhook_deliveries_endpoint_id', table_name='webhook_deliveries', postgresql_where=None)
    op.drop_index('ix_webhook_deliveries_created_at', table_name='webhook_deliveries', postgresql_where=None)
    op.drop_table('webhook_deliveries')
    op.drop_index('ix_services_project_template_id', table_name='services', postgresql_where=None)
    op.drop_index('ix_services_is_active', table_name='services', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_services_deleted_at', table_name='services', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_services_created_at', table_name='services', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('services')
    op.drop_index('ix_project_template_milestones_project_template_id_position', table_name='project_template_milestones', postgresql_where=None)
    op.drop_table('project_template_milestones')
    op.drop_index('ix_login_sessions_membership_id', table_name='login_sessions')
    op.drop_index('ix_login_sessions_expires_at', table_name='login_sessions')
    op.drop_table('login_sessions')
    op.drop_index('ix_job_attempts_job_id', table_name='job_attempts')
    op.drop_table('job_attempts')
    op.drop_index('uq_contacts_email_key', table_name='contacts', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_contacts_deleted_at', table_name='contacts', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_contacts_created_at', table_name='contacts', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index('ix_contacts_client_company_id', table_name='contacts', postgresql_where=None)
    op.drop_table('contacts')
    op.drop_index('ix_webhook_endpoints_created_at', table_name='webhook_endpoints', postgresql_where=None)
    op.drop_table('webhook_endpoints')
    op.drop_index('ix_project_templates_deleted_at', table_name='project_templates', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_project_templates_created_at', table_name='project_templates', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('project_templates')
    op.drop_table('number_series')
    op.drop_index('ix_memberships_user_id', table_name='memberships')
    op.drop_table('memberships')
    op.drop_index('ix_jobs_state', table_name='jobs')
    op.drop_index('ix_jobs_publish_after', table_name='jobs', postgresql_where=sa.text("state = 'ready'"))
    op.drop_index('ix_jobs_ordering_key', table_name='jobs', postgresql_where=sa.text("ordering_key IS NOT NULL AND state IN ('ready', 'running')"))
    op.drop_index('ix_jobs_lease_until', table_name='jobs', postgresql_where=sa.text("state = 'running'"))
    op.drop_index('ix_jobs_kind_seq', table_name='jobs', postgresql_where=sa.text("state = 'ready'"))
    op.drop_index('ix_jobs_finished_at', table_name='jobs', postgresql_where=sa.text("state = 'done'"))
    op.drop_table('jobs')
    op.drop_index('ix_idempotency_keys_created_at', table_name='idempotency_keys')
    op.drop_table('idempotency_keys')
    op.drop_index('ix_engagement_templates_deleted_at', table_name='engagement_templates', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_engagement_templates_created_at', table_name='engagement_templates', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('engagement_templates')
    op.drop_index('ix_custom_field_definitions_created_at', table_name='custom_field_definitions', postgresql_where=None)
    op.drop_table('custom_field_definitions')
    op.drop_index('ix_credentials_subject_id', table_name='credentials')
    op.drop_index('ix_credentials_organization_id', table_name='credentials')
    op.drop_index('ix_credentials_expires_at', table_name='credentials')
    op.drop_table('credentials')
    op.drop_index('ix_client_companies_deleted_at', table_name='client_companies', postgresql_where=sa.text('deleted_at IS NOT NULL'))
    op.drop_index('ix_client_companies_created_at', table_name='client_companies', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('client_companies')
    op.drop_table('api_keys')
    op.drop_index('uq_users_email', table_name='users')
    op.drop_table('users')
    op.drop_table('organizations')
    op.drop_table('beat_slots')
