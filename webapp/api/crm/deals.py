"""Deals: opportunities on their way to a signature."""

from __future__ import annotations

from marshmallow import fields
from webargs.fields import DelimitedList

from models.states import DEAL
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import Currency, Day, Moment, StateIn, name, reference
from webapp.schemas.crm import DealChange, DealCreate, DealOut
from webapp.services.common.exceptions import InvalidTransition
from webapp.services.crm import deals as services
from webapp.services.crm.deals import DEALS

blueprint = ApiBlueprint(
    "deals", "/api/deals", description="Opportunities on their way to a signature."
)

deals = Resource(
    blueprint,
    "deal",
    records=DEALS,
    out=DealOut,
    filters={
        "stage": DelimitedList(StateIn(DEAL)),
        "client_company_id": reference(allow_none=False),
        "contact_id": reference(allow_none=False),
        "owner_id": name(),
        "currency": Currency(),
        "has_value": fields.Boolean(),
        "has_expected_close_date": fields.Boolean(),
        "expected_close_from": Day(),
        "expected_close_until": Day(),
        "stage_since_from": Moment(),
        "stage_since_until": Moment(),
    },
)
deals.list("List deals")
deals.create("Create a deal", DealCreate, services.create_deal)
deals.retrieve("Retrieve a deal")
deals.update("Update a deal", DealChange, services.update_deal, errors=(InvalidTransition,))
deals.delete("Delete a deal", services.trash_deal)
