"""Client companies."""

from __future__ import annotations

from webapp.api.framework.operations import Desk
from webapp.api.framework.resource import Crud
from webapp.schemas.crm import CompanyChange, CompanyCreate, CompanyOut
from webapp.services.crm import companies as services
from webapp.services.crm.companies import COMPANIES

desk = Desk("companies", "/api/companies", description="The companies the firm works for.")

companies = Crud(desk, "company", reader=COMPANIES, out=CompanyOut)
companies.list("List companies")
companies.create("Create a company", CompanyCreate, services.create_company)
companies.retrieve("Retrieve a company")
companies.update("Update a company", CompanyChange, services.update_company)
companies.delete("Delete a company", services.trash_company)
