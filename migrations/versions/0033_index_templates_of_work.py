"""Let each milestone and task of a template be planned once in a project."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "uq_milestones_project_id_template_milestone_id", "milestones", "organization_id",
        "project_id", "template_milestone_id", unique=True,
    )
    create_index_concurrently(
        "ix_milestones_template_milestone_id", "milestones", "organization_id",
        "template_milestone_id",
    )
    create_index_concurrently(
        "uq_tasks_project_id_template_task_id", "tasks", "organization_id", "project_id",
        "template_task_id", unique=True,
    )
    create_index_concurrently(
        "ix_tasks_template_task_id", "tasks", "organization_id", "template_task_id"
    )


def downgrade() -> None:
    drop_index_concurrently("ix_tasks_template_task_id")
    drop_index_concurrently("uq_tasks_project_id_template_task_id")
    drop_index_concurrently("ix_milestones_template_milestone_id")
    drop_index_concurrently("uq_milestones_project_id_template_milestone_id")
