"""Contracts that stand alone: drawn up, changed, cancelled, renewed (rulings.md, *Contracts*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.contracts import Contract
from models.crm import ClientCompany, Contact, Deal
from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import EngagementContract
from models.sales import SigningLink
from models.states import CONTRACT
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import next_number
from webapp.services.billing.terms import kept, names_days
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    move,
    now,
    touch,
    trash,
)
from webapp.services.sales.contract_terms import next_term

REFERENCES: dict[str, type[TenantRecord]] = {
    "client_company_id": ClientCompany,
    "contact_id": Contact,
    "deal_id": Deal,
}
# What the next term takes over from the one before.
_LASTING = (
    "name", "body", "client_company_id", "contact_id", "currency", "total_value", "auto_renew",
    "notice_days", "owner_id",
)  # fmt: skip


def create_contract(values: Mapping[str, Any]) -> Contract:
    """Draw up a contract, the caller's own. Raises Invalid naming the fields."""
    values = _with_terms(values)
    check_values(values, REFERENCES)
    _check(values)
    contract = Contract(
        id=uuid7(),
        organization_id=current_organization_id(),
        **{"owner_id": current_principal().actor["id"], **values},
    )
    contract.number = next_number("contract")
    return create(contract)


def update_contract(
    values: Mapping[str, Any], contract_id: UUID, *, expected_row_version: int | None = None
) -> Contract:
    """Change a draft.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict when it is no draft.
    """
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if contract.status != "draft":
        raise Conflict(
            f"This contract is {CONTRACT.label(contract.status)}; only a draft can be changed."
        )
    values = _with_terms(values)
    check_values(values, REFERENCES)
    names = ("total_value", "currency", "start_date", "end_date", "billing")
    _check({**{name: getattr(contract, name) for name in names}, **values})
    change(contract, values)
    return contract


def trash_contract(contract_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a contract. A signed one is evidence and stays: Conflict."""
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if contract.status == "signed":
        raise Conflict("A signed contract cannot be deleted.")
    end_link(contract)
    _free_the_term_before(contract)
    trash(contract)


def cancel_contract(
    contract_id: UUID,
    values: Mapping[str, Any] | None = None,
    *,
    expected_row_version: int | None = None,
) -> Contract:
    """Give a contract up that nobody signed. Raises NotFound, StaleVersion, InvalidTransition."""
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if CONTRACT.allows(contract.status, "cancelled"):
        end_link(contract)
        contract.cancelled_at = now()
        _free_the_term_before(contract)
    move(contract, CONTRACT, "cancelled", reason=(values or {}).get("reason"))
    return contract


def renew_contract(contract_id: UUID, *, expected_row_version: int | None = None) -> Contract:
    """Draw up the contract of the next term, as a draft, for the same engagements.

    Raises NotFound, StaleVersion, and Conflict when the contract is not signed, has no term, or has
    been renewed already, which it names.
    """
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if contract.status != "signed":
        raise Conflict(
            f"This contract is {CONTRACT.label(contract.status)}; only a signed one can be renewed."
        )
    if contract.start_date is None or contract.end_date is None:
        raise Conflict("This contract has no term; it needs a start_date and an end_date for that.")
    renewed = db.session.scalars(
        select(Contract).where(
            Contract.organization_id == contract.organization_id,
            Contract.renews_id == contract.id,
        )
    ).one_or_none()
    if renewed is not None:
        raise Conflict(
            f"This contract is renewed already, by {renewed.number}.", contract_id=str(renewed.id)
        )
    term = next_term(contract.start_date, contract.end_date)
    if term is None:
        raise Conflict("The next term would end beyond the calendar.")
    following = Contract(
        id=uuid7(),
        organization_id=contract.organization_id,
        renews_id=contract.id,
        start_date=term[0],
        end_date=term[1],
        billing=None if names_days(contract.billing) else contract.billing,
        **{name: getattr(contract, name) for name in _LASTING},
    )
    engagement_ids = engagements_under(contract.id)
    following.number = next_number("contract")
    create(following, metadata={"renews": contract.number})
    insert_records(
        [
            EngagementContract(engagement_id=engagement_id, contract_id=following.id)
            for engagement_id in engagement_ids
        ]
    )
    touch(contract)
    record_activity(contract, "renewed", metadata={"contract": following.number})
    return following


def engagements_under(contract_id: UUID) -> list[UUID]:
    """The engagements that work under the contract, the first one first."""
    return list(
        db.session.scalars(
            select(EngagementContract.engagement_id)
            .where(
                EngagementContract.organization_id == current_organization_id(),
                EngagementContract.contract_id == contract_id,
            )
            .order_by(EngagementContract.id)
        )
    )


def end_link(contract: Contract) -> None:
    """Let nobody sign by the contract's link any more, if there is one."""
    for link in db.session.scalars(
        select(SigningLink).where(
            SigningLink.organization_id == contract.organization_id,
            SigningLink.contract_id == contract.id,
            SigningLink.revoked_at.is_(None),
        )
    ):
        link.revoked_at = now()


def _free_the_term_before(contract: Contract) -> None:
    """The contract that this one was to renew can be renewed by another."""
    contract.renews_id = None


def _with_terms(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with their terms as they are kept."""
    return {**values, "billing": kept(values["billing"])} if "billing" in values else dict(values)


def _check(values: Mapping[str, Any]) -> None:
    """Raises Invalid naming the fields that do not go together."""
    errors = {}
    if values.get("total_value") is not None and values.get("currency") is None:
        errors["currency"] = ["Say the currency of total_value."]
    if values.get("billing") is not None and values.get("total_value") is None:
        errors["total_value"] = ["Say what the contract is worth, so that it can be billed."]
    start, end = values.get("start_date"), values.get("end_date")
    if start and end and end < start:
        errors["end_date"] = ["This must not be before start_date."]
    if errors:
        raise Invalid(errors)
