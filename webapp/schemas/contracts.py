"""Contracts on the wire (rulings.md, *Contracts*)."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from models.states import CONTRACT, ENGAGEMENT
from webapp.schemas.common import (
    Currency,
    Day,
    Input,
    Moment,
    Money,
    Output,
    StateLabel,
    StateNumber,
    WholeNumber,
    check_order,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.crm import CompanyBrief, ContactBrief
from webapp.schemas.sales import DeliveryOut
from webapp.schemas.signing import JobBrief, PublicContact, PublicParty
from webapp.schemas.terms import TermsIn, TermsOut


class ContractChange(Input):
    """The fields of a draft; `body` is what is agreed, as Markdown."""

    name = name()
    body = text()
    client_company_id = reference()
    contact_id = reference()
    deal_id = reference()
    currency = Currency(allow_none=True)
    total_value = Money(allow_none=True)
    billing = fields.Nested(TermsIn, allow_none=True, metadata={"x-depends-on": "total_value"})
    start_date = Day(allow_none=True)
    end_date = Day(allow_none=True)
    auto_renew = flag()
    notice_days = WholeNumber(allow_none=True, validate=validate.Range(0, 3650))

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_order(data, "start_date", "end_date")


class ContractCreate(ContractChange):
    name = name(required=True)


class ContractEngagement(Output):
    id = fields.UUID()
    name = fields.String()
    status = StateLabel(ENGAGEMENT)
    status_id = StateNumber(ENGAGEMENT)


class ContractOut(Output):
    """A contract; `engagements` that work under it are there where one is retrieved."""

    id = fields.UUID()
    number = fields.String()
    name = fields.String()
    status = StateLabel(CONTRACT)
    status_id = StateNumber(CONTRACT)
    body = fields.String(allow_none=True)
    proposal_id = fields.UUID(allow_none=True)
    client_company_id = fields.UUID(allow_none=True)
    client_company = fields.Nested(CompanyBrief, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = fields.Nested(ContactBrief, allow_none=True)
    deal_id = fields.UUID(allow_none=True)
    owner_id = fields.String(allow_none=True)
    currency = Currency(allow_none=True)
    total_value = Money(allow_none=True)
    billing = fields.Nested(TermsOut, allow_none=True)
    start_date = Day(allow_none=True)
    end_date = Day(allow_none=True)
    is_ending_soon = fields.Boolean()
    auto_renew = fields.Boolean()
    notice_days = fields.Integer(allow_none=True)
    renews_id = fields.UUID(allow_none=True)
    renewed_by_id = fields.UUID(allow_none=True)
    content_sha256 = fields.String(allow_none=True)
    valid_until = Moment(allow_none=True)
    sent_at = Moment(allow_none=True)
    delivery = fields.Nested(DeliveryOut, allow_none=True)
    opened_at = Moment(allow_none=True)
    viewed_at = Moment(allow_none=True)
    expired_at = Moment(allow_none=True)
    signed_at = Moment(allow_none=True)
    cancelled_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
    engagements = fields.List(fields.Nested(ContractEngagement))


class SendContractIn(Input):
    """Until when it can be signed; as long as the organization's links live if it is not said."""

    valid_until = Moment(metadata={"x-depends-on": "the time it is sent"})


class SentContractOut(ContractOut):
    """What `send` and `resend` answer: `signing_url` is shown this once."""

    signing_url = fields.String()


class PublicContractOut(Output):
    """What the client may read of a contract: the frozen content and how things stand."""

    number = fields.String()
    name = fields.String()
    status = StateLabel(CONTRACT)
    status_id = StateNumber(CONTRACT)
    body = fields.String()
    currency = fields.String(allow_none=True)
    total_value = fields.String(allow_none=True)
    billing = fields.Nested(TermsOut, allow_none=True)
    start_date = fields.String(allow_none=True)
    end_date = fields.String(allow_none=True)
    auto_renew = fields.Boolean()
    notice_days = fields.Integer(allow_none=True)
    valid_until = Moment(allow_none=True)
    sent_at = Moment(allow_none=True)
    signed_at = Moment(allow_none=True)
    organization = fields.Nested(PublicParty)
    client = fields.Nested(PublicParty)
    contact = fields.Nested(PublicContact, allow_none=True)
    content_sha256 = fields.String()
    consent_text = fields.String()


class PublicContractSigned(Output):
    """`engagement` is null until it is there."""

    contract = fields.Nested(PublicContractOut)
    engagement = fields.Nested(ContractEngagement, allow_none=True)


class PublicContractAccepted(Output):
    """The signature is recorded; the job carries it out."""

    contract = fields.Nested(PublicContractOut, allow_none=True)
    job = fields.Nested(JobBrief)


class CancelIn(Input):
    reason = reason()


class ContractSigned(Output):
    """What signing a contract led to: the engagement it opened or goes on under."""

    contract = fields.Nested(ContractOut)
    engagement = fields.Nested(ContractEngagement, allow_none=True)


class ContractSigningAccepted(Output):
    """The signature is recorded; the job carries it out.

    `contract` is null where it could not be read any more after the signature was recorded.
    """

    contract = fields.Nested(ContractOut, allow_none=True)
    job = fields.Nested(JobBrief)


class AttachContractIn(ContractChange):
    """A contract that is there already (`contract_id`), or the fields of a new one."""

    contract_id = reference(allow_none=False)
    allow_other_company = flag(
        load_default=False,
        metadata={"description": "Let a contract with another company come in."},
    )

    @validates_schema
    def check_which(self, data: dict[str, Any], **_: Any) -> None:
        fields_of_new = set(data) - {"contract_id", "allow_other_company"}
        if "contract_id" in data and fields_of_new:
            wrong = "Leave this out for a contract that is there already."
            raise ValidationError({field: [wrong] for field in sorted(fields_of_new)})
        if "contract_id" not in data and "name" not in data:
            raise ValidationError({"contract_id": ["Send this, or the name of a new contract."]})
