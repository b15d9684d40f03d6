"""Index tasks and milestones by what their lists are filtered and sorted by."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

DUE = "(COALESCE(due_date, '9999-12-31'::date))"


def upgrade() -> None:
    create_index_concurrently(
        "ix_milestones_project_id_position_id", "milestones", "organization_id", "project_id",
        "position", "id",
    )
    drop_index_concurrently("ix_milestones_project_id_position")
    create_index_concurrently(
        "ix_tasks_project_id_position_id", "tasks", "organization_id", "project_id", "position",
        "id",
    )
    drop_index_concurrently("ix_tasks_project_id_position")
    drop_index_concurrently("ix_tasks_milestone_id")
    create_index_concurrently(
        "ix_tasks_milestone_id", "tasks", "organization_id", "milestone_id", "created_at", "id"
    )
    create_index_concurrently(
        "ix_tasks_conversation_id", "tasks", "organization_id", "conversation_id"
    )
    create_index_concurrently(
        "ix_tasks_due_date_sorted", "tasks", "organization_id", DUE, "id",
        where="deleted_at IS NULL",
    )


def downgrade() -> None:
    drop_index_concurrently("ix_tasks_due_date_sorted")
    drop_index_concurrently("ix_tasks_conversation_id")
    drop_index_concurrently("ix_tasks_milestone_id")
    create_index_concurrently("ix_tasks_milestone_id", "tasks", "organization_id", "milestone_id")
    create_index_concurrently(
        "ix_tasks_project_id_position", "tasks", "organization_id", "project_id", "position"
    )
    drop_index_concurrently("ix_tasks_project_id_position_id")
    create_index_concurrently(
        "ix_milestones_project_id_position", "milestones", "organization_id", "project_id",
        "position",
    )
    drop_index_concurrently("ix_milestones_project_id_position_id")
