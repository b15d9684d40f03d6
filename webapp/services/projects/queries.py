"""How projects are read."""

from __future__ import annotations

from models.catalog import Service
from models.engagements import Engagement
from models.projects import Project
from webapp.services.catalog.services import SERVICES
from webapp.services.common.reads import RecordQuery, among, brief, equals
from webapp.services.engagements.queries import ENGAGEMENTS

PROJECTS = RecordQuery(
    Project,
    domain="projects",
    noun="project",
    extra={
        "engagement": brief(
            Engagement, Project.engagement_id, name=Engagement.name, status=Engagement.status
        ),
        "service": brief(Service, Project.service_id, name=Service.name),
    },
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
