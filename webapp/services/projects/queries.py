"""How projects are read."""

from __future__ import annotations

from sqlalchemy import func, literal_column, select

from models.catalog import Service
from models.engagements import Engagement
from models.projects import Project, Task
from webapp.services.catalog.services import SERVICES
from webapp.services.common.reads import RecordQuery, among, brief, equals
from webapp.services.engagements.queries import ENGAGEMENTS

_DONE = func.count().filter(Task.status == "completed")
_ALL = func.count()
_PROGRESS = (
    select(
        func.json_build_object(
            literal_column("'tasks'"), _ALL,
            literal_column("'completed'"), _DONE,
            literal_column("'percent'"), _DONE * 100 / func.nullif(_ALL, 0),
        )
    )
    .where(
        Task.organization_id == Project.organization_id,
        Task.project_id == Project.id,
        Task.deleted_at.is_(None),
        Task.status != "cancelled",
    )
    .correlate(Project)
    .scalar_subquery()
)  # fmt: skip

PROJECTS = RecordQuery(
    Project,
    domain="projects",
    noun="project",
    extra={
        "engagement": brief(
            Engagement, Project.engagement_id, name=Engagement.name, status=Engagement.status
        ),
        "service": brief(Service, Project.service_id, name=Service.name),
        "progress": _PROGRESS,
    },
    custom_fields="project",
    filters={
        "engagement_id": equals(Project.engagement_id),
        "status": among(Project.status),
        "phase": among(Project.phase),
        "service_id": equals(Project.service_id),
    },
    expandable={
        "engagement": ("engagement_id", ENGAGEMENTS),
        "service": ("service_id", SERVICES),
    },
)
