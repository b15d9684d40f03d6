"""Proposals, signatures and what they become, on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.sales import MAX_DRAWING_LENGTH
from models.states import ENGAGEMENT, ORDER, PROPOSAL
from webapp.schemas.common import (
    EMAIL,
    NAME_LENGTH,
    Currency,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    WholeNumber,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.crm import CompanyBrief, ContactBrief
from webapp.schemas.engagements import ProjectBrief

MAX_ITEMS = 200


class CompanyInline(Input):
    """A client company in words: the one of this name, or a new one."""

    name = name(required=True)
    website = PlainText(allow_none=True, validate=validate.Length(max=NAME_LENGTH))
    phone = PlainText(allow_none=True, validate=validate.Length(max=50))
    tax_number = PlainText(allow_none=True, validate=validate.Length(max=50))


class ContactInline(Input):
    """A contact in words: the one with this e-mail address, or a new one."""

    first_name = name(required=True)
    last_name = name(required=True)
    email = PlainText(required=True, validate=EMAIL)
    phone = PlainText(allow_none=True, validate=validate.Length(max=50))


class ItemIn(Input):
    name = name(required=True)
    description = text()
    price = Money(required=True)
    quantity = WholeNumber(load_default=1, validate=validate.Range(1, 100_000))
    service_id = reference()


class ProposalChange(Input):
    """The fields of a draft; `items`, when given, replace all its items."""

    name = name()
    currency = Currency()
    valid_until = Moment(allow_none=True)
    notes = text()
    client_company_id = reference()
    client_company = fields.Nested(CompanyInline)
    contact_id = reference()
    contact = fields.Nested(ContactInline)
    deal_id = reference()
    engagement_id = reference()
    allow_other_company = flag(
        metadata={"description": "Let it go into an engagement of another company."}
    )
    items = fields.List(fields.Nested(ItemIn), validate=validate.Length(max=MAX_ITEMS))


class ProposalCreate(ProposalChange):
    name = name(required=True)
    currency = Currency(required=True)


class ItemOut(Output):
    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    price = Money()
    quantity = fields.Integer()
    total = Money()
    service_id = fields.UUID(allow_none=True)


class DeliveryOut(Output):
    """What became of the latest mail with the signing link: `delivered` once a mail server has
    taken it, `undeliverable` with the reason in words, `pending` until then."""

    state = fields.String(validate=validate.OneOf(["pending", "delivered", "undeliverable"]))
    to = fields.String()
    at = Moment(allow_none=True)
    reason = fields.String(allow_none=True)


class ProposalOut(Output):
    id = fields.UUID()
    number = fields.String()
    version = fields.Integer()
    name = fields.String()
    status = StateLabel(PROPOSAL)
    status_id = StateNumber(PROPOSAL)
    currency = Currency()
    total = Money()
    valid_until = Moment(allow_none=True)
    notes = fields.String(allow_none=True)
    client_company_id = fields.UUID(allow_none=True)
    client_company = fields.Nested(CompanyBrief, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = fields.Nested(ContactBrief, allow_none=True)
    deal_id = fields.UUID(allow_none=True)
    engagement_id = fields.UUID(allow_none=True)
    owner_id = fields.String()
    items = fields.List(fields.Nested(ItemOut))
    content_sha256 = fields.String(allow_none=True)
    sent_at = Moment(allow_none=True)
    delivery = fields.Nested(DeliveryOut, allow_none=True)
    opened_at = Moment(allow_none=True)
    viewed_at = Moment(allow_none=True)
    signed_at = Moment(allow_none=True)
    declined_at = Moment(allow_none=True)
    decline_reason = fields.String(allow_none=True)
    converted_engagement_id = fields.UUID(allow_none=True)
    converted_order_id = fields.UUID(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class SentProposalOut(ProposalOut):
    """What `send` and `resend` answer: `signing_url` is shown this once."""

    signing_url = fields.String()


class ResendIn(Input):
    """Where to send the link; without it to the contact's address as it is now."""

    email = PlainText(validate=EMAIL)


class DeclineIn(Input):
    reason = reason(required=True)


class RecordSignatureIn(Input):
    """What staff know of a signature they record; everything is optional (S 7e)."""

    signer_name = name()
    signer_email = PlainText(allow_none=True, validate=EMAIL)
    content_sha256 = PlainText(validate=validate.Regexp(r"^[0-9a-f]{64}$"))


class SignatureMark(Input):
    """A name of up to 255 characters, or a PNG of up to 500 kB as a data URL."""

    method = PlainText(required=True, validate=validate.OneOf(["typed", "drawn"]))
    data = PlainText(required=True, validate=validate.Length(1, MAX_DRAWING_LENGTH))


class SignIn(Input):
    """The client's own signature."""

    signer_name = name(required=True)
    signer_email = PlainText(required=True, validate=EMAIL)
    consent = fields.Boolean(
        required=True,
        truthy={True},
        falsy={False},
        validate=validate.Equal(True, error="Sign only if you agree: send true."),
    )
    signature = fields.Nested(SignatureMark, required=True)
    content_sha256 = PlainText(required=True, validate=validate.Regexp(r"^[0-9a-f]{64}$"))


class OrderBrief(Output):
    id = fields.UUID()
    number = fields.String()
    engagement_id = fields.UUID()
    proposal_id = fields.UUID(allow_none=True)
    status = StateLabel(ORDER)
    status_id = StateNumber(ORDER)
    total = Money()
    currency = Currency()


class EngagementBrief(Output):
    id = fields.UUID()
    name = fields.String()
    status = StateLabel(ENGAGEMENT)
    status_id = StateNumber(ENGAGEMENT)


class JobBrief(Output):
    id = fields.UUID()
    kind = fields.String()
    state = fields.String()
    created_at = Moment()


class SigningResult(Output):
    """What signing created (S 7e)."""

    proposal = fields.Nested(ProposalOut)
    engagement = fields.Nested(EngagementBrief, allow_none=True)
    projects = fields.List(fields.Nested(ProjectBrief))
    order = fields.Nested(OrderBrief, allow_none=True)


class SigningAccepted(Output):
    """The signature is recorded; the job carries it out.

    `proposal` is null where it could not be read any more after the signature was recorded.
    """

    proposal = fields.Nested(ProposalOut, allow_none=True)
    job = fields.Nested(JobBrief)


class PublicParty(Output):
    name = fields.String()


class PublicItem(Output):
    name = fields.String()
    description = fields.String()
    price = fields.String()
    quantity = fields.Integer()
    total = fields.String()


class PublicContact(Output):
    first_name = fields.String()
    last_name = fields.String()
    email = fields.String()


class PublicProposalOut(Output):
    """What the client may read: the frozen content and how things stand."""

    number = fields.String()
    version = fields.Integer()
    name = fields.String()
    status = StateLabel(PROPOSAL)
    status_id = StateNumber(PROPOSAL)
    currency = Currency()
    total = fields.String()
    notes = fields.String()
    valid_until = Moment(allow_none=True)
    sent_at = Moment()
    signed_at = Moment(allow_none=True)
    organization = fields.Nested(PublicParty)
    client = fields.Nested(PublicParty)
    contact = fields.Nested(PublicContact)
    items = fields.List(fields.Nested(PublicItem))
    content_sha256 = fields.String()
    consent_text = fields.String()


class PublicSigningResult(Output):
    proposal = fields.Nested(PublicProposalOut)
    engagement = fields.Nested(EngagementBrief, allow_none=True)
    projects = fields.List(fields.Nested(ProjectBrief))
    order = fields.Nested(OrderBrief, allow_none=True)


class PublicSigningAccepted(Output):
    """As `SigningAccepted`, for the client who holds the link."""

    proposal = fields.Nested(PublicProposalOut, allow_none=True)
    job = fields.Nested(JobBrief)


class CertificateOut(Output):
    """The evidence of a signature, and of the document made of it."""

    id = fields.UUID()
    proposal_id = fields.UUID()
    version = fields.Integer()
    signer_name = fields.String()
    signer_email = fields.String(allow_none=True)
    method = fields.String()
    consent_text = fields.String(allow_none=True)
    consent_version = fields.String(allow_none=True)
    locale = fields.String(allow_none=True)
    ip = fields.String(allow_none=True)
    user_agent = fields.String(allow_none=True)
    content_sha256 = fields.String()
    signed_at = Moment()
    recorded_by = fields.String(allow_none=True)
    document_sha256 = fields.String(allow_none=True)


class VerificationOut(Output):
    """What is on record under a document's SHA-256."""

    sha256 = fields.String()
    kind = fields.String(validate=validate.OneOf(["signed document", "proposal content"]))
    organization = fields.String()
    proposal_number = fields.String()
    proposal_name = fields.String()
    version = fields.Integer()
    signer_name = fields.String()
    signed_at = Moment()


class PreviewItem(Output):
    name = fields.String()
    phase = fields.String()
    phase_id = fields.Integer()


class SigningPreview(Output):
    """Exactly what signing would create."""

    engagement = fields.Nested(EngagementBrief)
    creates_engagement = fields.Boolean()
    projects = fields.List(fields.Nested(PreviewItem))
    order = fields.Nested(OrderBrief)
