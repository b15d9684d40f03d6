"""Store files: their versions, the bytes behind them, and how much room those take.

Nothing has written `file_objects` before, so its random names in a store of one for all make way.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import protect

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

_TENANT = """
    organization_id uuid NOT NULL,
    id uuid NOT NULL,"""
CONTENTS = f"""
CREATE TABLE stored_contents ({_TENANT}
    sha256 varchar(64) NOT NULL,
    size bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_stored_contents PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_stored_contents_organization_id_sha256 UNIQUE (organization_id, sha256),
    CONSTRAINT ck_stored_contents_size_minimum CHECK (size >= 0),
    CONSTRAINT ck_stored_contents_sha256_form CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    CONSTRAINT fk_stored_contents_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""
VERSIONS = f"""
CREATE TABLE file_versions ({_TENANT}
    file_id uuid NOT NULL,
    content_id uuid NOT NULL,
    number integer NOT NULL,
    name varchar(255) NOT NULL,
    content_type varchar(127) NOT NULL,
    size bigint NOT NULL,
    sha256 varchar(64) NOT NULL,
    uploaded_by jsonb NOT NULL,
    decision varchar(32),
    decided_at timestamptz,
    decided_by jsonb,
    comment text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_file_versions PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_file_versions_organization_id_file_id_number
        UNIQUE (organization_id, file_id, number),
    CONSTRAINT ck_file_versions_name_not_blank CHECK (btrim(name) <> ''),
    CONSTRAINT ck_file_versions_number_minimum CHECK (number >= 1),
    CONSTRAINT ck_file_versions_size_minimum CHECK (size >= 0),
    CONSTRAINT ck_file_versions_sha256_form CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    CONSTRAINT ck_file_versions_uploaded_by_is_object
        CHECK (jsonb_typeof(uploaded_by) = 'object'),
    CONSTRAINT ck_file_versions_decided_by_is_object
        CHECK (jsonb_typeof(decided_by) = 'object'),
    CONSTRAINT ck_file_versions_decision_known
        CHECK (decision IS NULL OR decision IN ('approved', 'changes_requested')),
    CONSTRAINT ck_file_versions_decided_if_decision
        CHECK ((decision IS NULL) = (decided_at IS NULL)
               AND (decision IS NULL) = (decided_by IS NULL)),
    CONSTRAINT fk_file_versions_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_file_versions_organization_id_file_id
        FOREIGN KEY (organization_id, file_id) REFERENCES file_objects (organization_id, id)
        ON DELETE CASCADE,
    CONSTRAINT fk_file_versions_organization_id_content_id
        FOREIGN KEY (organization_id, content_id)
        REFERENCES stored_contents (organization_id, id) ON DELETE NO ACTION)"""
USAGES = f"""
CREATE TABLE storage_usages ({_TENANT}
    bytes bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_storage_usages PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_storage_usages_organization_id UNIQUE (organization_id),
    CONSTRAINT ck_storage_usages_bytes_minimum CHECK (bytes >= 0),
    CONSTRAINT fk_storage_usages_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE)"""

FILES_BEFORE = f"""
CREATE TABLE file_objects ({_TENANT}
    engagement_id uuid NOT NULL,
    project_id uuid,
    name varchar(255) NOT NULL,
    content_type varchar(127) NOT NULL,
    size bigint NOT NULL,
    sha256 varchar(64) NOT NULL,
    storage_key varchar(255) NOT NULL,
    visible_to_client boolean NOT NULL DEFAULT false,
    uploaded_by jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version integer NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    deletion_batch_id uuid,
    CONSTRAINT pk_file_objects PRIMARY KEY (organization_id, id),
    CONSTRAINT uq_file_objects_storage_key UNIQUE (storage_key),
    CONSTRAINT ck_file_objects_name_not_blank CHECK (btrim(name) <> ''),
    CONSTRAINT ck_file_objects_uploaded_by_is_object
        CHECK (jsonb_typeof(uploaded_by) = 'object'),
    CONSTRAINT ck_file_objects_sha256_form CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    CONSTRAINT ck_file_objects_size_minimum CHECK (size >= 0),
    CONSTRAINT fk_file_objects_organization_id
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
    CONSTRAINT fk_file_objects_organization_id_engagement_id
        FOREIGN KEY (organization_id, engagement_id) REFERENCES engagements (organization_id, id)
        ON DELETE CASCADE,
    CONSTRAINT fk_file_objects_organization_id_project_id
        FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id)
        ON DELETE SET NULL (project_id))"""
INDEXES_BEFORE = {
    "ix_file_objects_created_at": "created_at, id) WHERE deleted_at IS NULL",
    "ix_file_objects_engagement_id": "engagement_id, created_at, id)",
    "ix_file_objects_project_id": "project_id, created_at, id)",
    "ix_file_objects_deleted_at": "deleted_at) WHERE deleted_at IS NOT NULL",
}


def upgrade() -> None:
    op.execute("ALTER TABLE file_objects DROP COLUMN storage_key")
    op.execute("ALTER TABLE file_objects ADD COLUMN version integer NOT NULL DEFAULT 1")
    op.execute(
        "ALTER TABLE file_objects ADD CONSTRAINT ck_file_objects_version_minimum"
        " CHECK (version >= 1) NOT VALID"
    )
    op.execute("ALTER TABLE file_objects VALIDATE CONSTRAINT ck_file_objects_version_minimum")
    for table in (CONTENTS, VERSIONS, USAGES):
        op.execute(table)
    op.execute(
        "CREATE INDEX ix_stored_contents_created_at"
        " ON stored_contents (organization_id, created_at, id)"
    )
    op.execute(
        "CREATE INDEX ix_file_versions_file_id"
        " ON file_versions (organization_id, file_id, created_at, id)"
    )
    op.execute(
        "CREATE INDEX ix_file_versions_content_id"
        " ON file_versions (organization_id, content_id, created_at, id)"
    )
    op.execute(
        "CREATE INDEX ix_file_objects_visible_to_client ON file_objects"
        " (organization_id, visible_to_client, created_at, id) WHERE deleted_at IS NULL"
    )
    for name in ("stored_contents", "file_versions", "storage_usages"):
        protect(name)


def downgrade() -> None:
    # The rows cannot be kept without the names they had before: the table is made anew.
    op.execute("DROP TABLE file_versions, stored_contents, storage_usages, file_objects")
    op.execute(FILES_BEFORE)
    for name, columns in INDEXES_BEFORE.items():
        op.execute(f"CREATE INDEX {name} ON file_objects (organization_id, {columns}")
    protect("file_objects")
