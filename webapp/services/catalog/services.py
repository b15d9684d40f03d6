"""Services, the things the firm sells: how they are read, made, changed and trashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.catalog import ProjectTemplate, Service
from models.db.base import TenantRecord
from models.db.queries import Row
from webapp.services.common.reads import RecordQuery, equals
from webapp.services.common.writes import change, check_values, create_read, lock, trash

SERVICES = RecordQuery(
    Service,
    domain="catalog",
    noun="service",
    filters={
        "is_active": equals(Service.is_active),
        "project_template_id": equals(Service.project_template_id),
    },
)
REFERENCES: dict[str, type[TenantRecord]] = {"project_template_id": ProjectTemplate}


def create_service(values: Mapping[str, Any]) -> Row:
    """Make a service. Raises Invalid naming the fields."""
    return create_read(Service(**values), SERVICES, references=REFERENCES)


def update_service(
    values: Mapping[str, Any], service_id: UUID, *, expected_row_version: int | None = None
) -> Service:
    """Change a service; what was sold keeps its own price.

    Raises NotFound, StaleVersion, Invalid naming the fields.
    """
    service = lock(Service, service_id, expected_row_version=expected_row_version)
    check_values(values, REFERENCES)
    change(service, values)
    return service


def trash_service(service_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a service; its projects go on. Raises NotFound, StaleVersion."""
    trash(lock(Service, service_id, expected_row_version=expected_row_version))
