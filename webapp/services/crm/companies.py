"""Client companies: how they are read, made, changed and trashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.crm import ClientCompany
from models.db.queries import Row
from webapp.services.common.reads import RecordQuery
from webapp.services.common.writes import change, check_values, create_read, lock, trash

COMPANIES = RecordQuery(
    ClientCompany,
    domain="crm",
    noun="company",
    custom_fields="company",
    sorts={"name": ClientCompany.name},
)


def create_company(values: Mapping[str, Any]) -> Row:
    """Make a company. Raises Invalid naming the fields."""
    return create_read(ClientCompany(**values), COMPANIES, custom_fields="company")


def update_company(
    values: Mapping[str, Any], company_id: UUID, *, expected_row_version: int | None = None
) -> ClientCompany:
    """Change a company. Raises NotFound, StaleVersion, Invalid naming the fields."""
    company = lock(ClientCompany, company_id, expected_row_version=expected_row_version)
    check_values(values, {}, custom_fields="company")
    change(company, values)
    return company


def trash_company(company_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a company; what names it goes on naming it. Raises NotFound, StaleVersion."""
    trash(lock(ClientCompany, company_id, expected_row_version=expected_row_version))
