"""Client companies."""

from __future__ import annotations

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.crm import CompanyChange, CompanyCreate, CompanyOut
from webapp.services.crm import companies as services
from webapp.services.crm.companies import COMPANIES

blueprint = ApiBlueprint(
    "companies", "/api/companies", description="The companies the firm works for."
)

companies = Resource(blueprint, "company", records=COMPANIES, out=CompanyOut)
companies.list("List companies")
companies.create("Create a company", CompanyCreate, services.create_company)
companies.retrieve("Retrieve a company")
companies.update("Update a company", CompanyChange, services.update_company)
companies.delete("Delete a company", services.trash_company)
