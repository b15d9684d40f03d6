"""The contracts an engagement works under (rulings.md, *Contracts*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from webargs.fields import DelimitedList

from models.states import CONTRACT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.responses import ApiResponse
from webapp.schemas.common import StateIn
from webapp.schemas.contracts import AttachContractIn, ContractOut
from webapp.services.common.exceptions import Conflict
from webapp.services.engagements import contracts as service
from webapp.services.engagements.queries import ENGAGEMENTS
from webapp.services.sales.contract_queries import CONTRACTS_OF_ENGAGEMENT

blueprint = ApiBlueprint(
    "engagement_contracts",
    "/api/engagements",
    description="The contracts an engagement works under.",
)

contracts = Resource(
    blueprint,
    "engagement_contract",
    records=CONTRACTS_OF_ENGAGEMENT,
    out=ContractOut,
    filters={"status": DelimitedList(StateIn(CONTRACT))},
    rule="/<uuid:engagement_id>/contracts",
)
contracts.list(
    "List an engagement's contracts", prepare=lambda engagement_id: ENGAGEMENTS.get(engagement_id)
)


@blueprint.operation(
    "POST",
    "/<uuid:engagement_id>/contracts",
    permission="engagements:write",
    body=AttachContractIn,
    out=ContractOut,
    status=201,
    has_etag=True,
    errors=(Conflict,),
)
def attach_contract(body: dict[str, Any], engagement_id: UUID) -> ApiResponse:
    """Bring a contract into an engagement, or draw up a new one for it"""
    contract = service.attach_contract(body, engagement_id)
    path = {"engagement_id": engagement_id, "engagement_contract_id": contract.id}
    answer = contracts.answer(path, status=201)
    answer.headers["Location"] = f"/api/contracts/{contract.id}"
    return answer


@blueprint.operation(
    "DELETE",
    "/<uuid:engagement_id>/contracts/<uuid:contract_id>",
    permission="engagements:write",
    status=204,
    if_match=True,
    errors=(Conflict,),
)
def detach_contract(
    engagement_id: UUID, contract_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Take a contract out of an engagement"""
    service.detach_contract(engagement_id, contract_id, expected_row_version=expected_row_version)
    return ApiResponse(204)
