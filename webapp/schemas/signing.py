"""Signatures, and what they become, on the wire (rulings.md, *Fields on the wire*, *Choices*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.sales import MAX_DRAWING_LENGTH
from models.states import ENGAGEMENT, ORDER, PROPOSAL
from webapp.schemas.common import (
    EMAIL,
    Currency,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    WholeNumber,
    name,
    reference,
)
from webapp.schemas.engagements import ProjectBrief
from webapp.schemas.sales import MAX_ITEMS, MAX_QUANTITY, ProposalOut, SectionOut
from webapp.schemas.schedules import PartOut
from webapp.schemas.terms import TermsOut


class SelectionIn(Input):
    """An optional item that is taken, or a quantity within the item's bounds."""

    id = reference(required=True, allow_none=False)
    quantity = WholeNumber(validate=validate.Range(1, MAX_QUANTITY))


def selection() -> fields.List:
    """What is chosen of a proposal; without it what is not optional, as it was offered."""
    return fields.List(
        fields.Nested(SelectionIn),
        validate=validate.Length(max=MAX_ITEMS),
        metadata={"x-depends-on": "the proposal: it has items to choose"},
    )


class PreviewIn(Input):
    selection = selection()


class RecordSignatureIn(Input):
    """What staff know of a signature they record; everything is optional (S 7e)."""

    signer_name = name()
    signer_email = PlainText(allow_none=True, validate=EMAIL)
    content_sha256 = PlainText(validate=validate.Regexp(r"^[0-9a-f]{64}$"))
    selection = selection()


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
    selection = selection()


class OrderBrief(Output):
    id = fields.UUID()
    number = fields.String()
    engagement_id = fields.UUID()
    proposal_id = fields.UUID(allow_none=True)
    status = StateLabel(ORDER)
    status_id = StateNumber(ORDER)
    total = Money()
    discount = Money()
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


class SelectionOut(Output):
    """How much of an item was taken."""

    id = fields.UUID()
    quantity = fields.Integer()


class PublicParty(Output):
    name = fields.String()


class PublicItem(Output):
    """`id` and what follows are there in content of schema 2."""

    name = fields.String()
    description = fields.String()
    price = fields.String()
    quantity = fields.Integer()
    total = fields.String()
    id = fields.UUID()
    optional = fields.Boolean()
    min_quantity = fields.Integer()
    max_quantity = fields.Integer()
    tax_category = fields.String()
    tax_rate = fields.String()


class PublicContact(Output):
    first_name = fields.String()
    last_name = fields.String()
    email = fields.String()


class PublicProposalOut(Output):
    """What the client may read: the frozen content and how things stand.

    `schema`, `sections`, `discount` and `billing` are there in content of schema 2.
    """

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
    schema = fields.Integer()
    sections = fields.List(fields.Nested(SectionOut))
    discount = fields.String()
    billing = fields.Nested(TermsOut, allow_none=True)
    selection = fields.List(fields.Nested(SelectionOut), allow_none=True)
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
    selection = fields.List(fields.Nested(SelectionOut), allow_none=True)
    document_sha256 = fields.String(allow_none=True)


class VerificationOut(Output):
    """What is on record under a document's SHA-256.

    Of a contract, `proposal_number` and `proposal_name` are its own number and name.
    """

    sha256 = fields.String()
    kind = fields.String(
        validate=validate.OneOf(["signed document", "proposal content", "contract content"])
    )
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
    """Exactly what signing would create, and what would be invoiced when (net)."""

    engagement = fields.Nested(EngagementBrief)
    creates_engagement = fields.Boolean()
    projects = fields.List(fields.Nested(PreviewItem))
    order = fields.Nested(OrderBrief)
    invoices = fields.List(fields.Nested(PartOut))
