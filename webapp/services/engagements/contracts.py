"""The contracts an engagement works under: brought in and taken out (rulings.md, *Contracts*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from models.contracts import Contract
from models.db.base import db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from models.engagements import Engagement, EngagementContract
from models.sales import Proposal
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, NotFound
from webapp.services.common.writes import lock, touch
from webapp.services.engagements.state_rules import refuse_if_over
from webapp.services.sales.contracts import create_contract


def attach_contract(values: Mapping[str, Any], engagement_id: UUID) -> Contract:
    """Let the engagement work under a contract: the one named, or a new draft.

    A new one is for the engagement's client unless it says for whom.

    Raises NotFound, Invalid naming the fields, and Conflict when the engagement is closed or
    cancelled, or works under the contract already.
    """
    values = dict(values)
    allow_other_company = values.pop("allow_other_company", False)
    engagement = lock(Engagement, engagement_id)
    refuse_if_over(engagement, "takes no new contracts")
    if "contract_id" in values:
        try:
            contract = lock(Contract, values["contract_id"])
        except NotFound as error:
            raise Invalid({"contract_id": [error.detail]}) from error
        _refuse_second(engagement, contract)
    else:
        about_client = ("client_company_id", "contact_id")
        if values.keys().isdisjoint(about_client):
            values |= {name: getattr(engagement, name) for name in about_client}
        contract = create_contract(values)
    if not allow_other_company:
        _refuse_other_company(engagement, contract)
    insert_records(
        [EngagementContract(id=uuid7(), engagement_id=engagement.id, contract_id=contract.id)]
    )
    if engagement.contract_id is None and not _is_first_elsewhere(contract):
        engagement.contract_id = contract.id
    touch(engagement)
    record_activity(engagement, "contract_attached", metadata={"contract": contract.number})
    return contract


def detach_contract(
    engagement_id: UUID, contract_id: UUID, *, expected_row_version: int | None = None
) -> None:
    """Take a contract out of an engagement; the contract itself stays.

    Raises NotFound, StaleVersion of the engagement, and Conflict for the contract of a proposal
    whose signature made a part of the engagement.
    """
    engagement = lock(Engagement, engagement_id, expected_row_version=expected_row_version)
    contract = lock(Contract, contract_id)
    if contract.proposal_id is not None:
        proposal = db.session.get(Proposal, (contract.organization_id, contract.proposal_id))
        if proposal is not None and proposal.converted_engagement_id == engagement_id:
            raise Conflict("What was signed with this contract is part of the engagement.")
    taken = db.session.scalars(
        delete(EngagementContract)
        .where(
            EngagementContract.organization_id == current_organization_id(),
            EngagementContract.engagement_id == engagement_id,
            EngagementContract.contract_id == contract_id,
        )
        .returning(EngagementContract.id)
    ).all()
    if not taken and engagement.contract_id != contract_id:
        raise NotFound("This engagement does not work under this contract.")
    if engagement.contract_id == contract_id:
        engagement.contract_id = None
    touch(engagement)
    record_activity(engagement, "contract_detached", metadata={"contract": contract.number})


def _refuse_second(engagement: Engagement, contract: Contract) -> None:
    linked = db.session.scalars(
        select(EngagementContract.id).where(
            EngagementContract.organization_id == engagement.organization_id,
            EngagementContract.engagement_id == engagement.id,
            EngagementContract.contract_id == contract.id,
        )
    ).first()
    if linked is not None:
        raise Conflict("This engagement works under this contract already.")


def _refuse_other_company(engagement: Engagement, contract: Contract) -> None:
    """The rule is the one for proposals (rulings.md, *An engagement's client*)."""
    ours, theirs = engagement.client_company_id, contract.client_company_id
    if ours is not None and theirs is not None and ours != theirs:
        wrong = "This contract is with another company; send allow_other_company: true with it."
        raise Invalid({"contract_id": [wrong]})


def _is_first_elsewhere(contract: Contract) -> bool:
    """Whether another engagement names the contract as its own, which only one can."""
    return (
        db.session.scalars(
            select(Engagement.id).where(
                Engagement.organization_id == contract.organization_id,
                Engagement.contract_id == contract.id,
            )
        ).first()
        is not None
    )
