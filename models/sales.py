"""Proposals, what the client saw of them, and the evidence that they were signed.

The flow that fills these tables: sign-flow.md. What was signed is never removed
with the thing it was signed on: signatures and signed documents refuse the deletion of what they
refer to (NO ACTION, so that only deleting the whole organization takes them along).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    USER_AGENT_LENGTH,
    at_least,
    currency_form,
    digest_form,
    in_order,
    index,
    json_array,
    json_object,
    list_index,
    not_blank,
    purge_index,
    tax_of_item,
)
from models.states import PROPOSAL

SIGNATURE_METHODS = ("typed", "drawn", "recorded")
# A drawn signature is a PNG of at most so many bytes, kept as a data URL: base64 makes four
# characters of three bytes. A typed one is a name.
MAX_DRAWING_BYTES = 500_000
DRAWING_PREFIX = "data:image/png;base64,"
MAX_DRAWING_LENGTH = len(DRAWING_PREFIX) + (MAX_DRAWING_BYTES + 2) // 3 * 4
MAX_TYPED_LENGTH = 255


class Proposal(Versioned, SoftDeletable, TenantRecord):
    """An offer to a client.

    `opened_at` is when the link was first fetched, by a mail scanner perhaps, `viewed_at` when a
    person first did something there. `valid_until_by_default` says that nobody chose the time.
    `version` counts the contents the client was shown; `content_sha256` freezes the current one
    when it is sent. `engagement_id` is an engagement the signature shall add to, another company's
    only where staff said so (`allow_other_company`); `converted_engagement_id` is the one it did
    become part of.

    `total` is net of the discount: what the client gets without choosing anything, and once it is
    signed what they chose. `has_choices` says that some item can be chosen or its quantity set;
    `sections` are the texts before the items, `billing` how it is invoiced (rulings.md, *Choices*
    and *Terms*).
    """

    __tablename__ = "proposals"
    noun = "proposal"
    __table_args__ = (
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        belongs_to("deal_id", "deals", ondelete="SET NULL"),
        # Engagements and orders point back at the proposal: these three close the circle and
        # are added after all tables exist.
        belongs_to("engagement_id", "engagements", ondelete="SET NULL", use_alter=True),
        belongs_to("converted_engagement_id", "engagements", ondelete="SET NULL", use_alter=True),
        belongs_to("converted_order_id", "orders", ondelete="SET NULL", use_alter=True),
        UniqueConstraint("organization_id", "number"),
        not_blank(),
        PROPOSAL.check(),
        at_least(0, "total"),
        at_least(0, "discount"),
        json_array("sections"),
        json_object("billing"),
        at_least(1, "version"),
        currency_form(),
        digest_form("content_sha256"),
        CheckConstraint(
            "status = 'draft' OR (content_sha256 IS NOT NULL AND sent_at IS NOT NULL)",
            name="frozen_once_sent",
        ),
        CheckConstraint(
            "(status = 'signed') = (signed_at IS NOT NULL)", name="signed_at_if_signed"
        ),
        CheckConstraint(
            "status <> 'declined' OR declined_at IS NOT NULL", name="declined_at_if_declined"
        ),
        CheckConstraint(
            "status <> 'expired' OR expired_at IS NOT NULL", name="expired_at_if_expired"
        ),
        CheckConstraint(
            "status = 'signed' OR (converted_engagement_id IS NULL AND converted_order_id IS NULL)",
            name="converted_only_if_signed",
        ),
        list_index("proposals", live_only=True),
        list_index("proposals", "status", live_only=True),
        list_index("proposals", "owner_id", live_only=True),
        list_index("proposals", "client_company_id"),
        list_index("proposals", "contact_id"),
        list_index("proposals", "deal_id"),
        index("proposals", "engagement_id"),
        index("proposals", "converted_engagement_id"),
        index("proposals", "converted_order_id"),
        index("proposals", "valid_until", where="status = 'sent'"),
        purge_index("proposals"),
    )

    number: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    name: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16), server_default="draft", default="draft")
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    discount: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    has_choices: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    sections: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    billing: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    notes: Mapped[str | None]
    valid_until: Mapped[dt.datetime | None]
    valid_until_by_default: Mapped[bool] = mapped_column(
        server_default=text("false"), default=False
    )
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    engagement_id: Mapped[UUID | None]
    allow_other_company: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    owner_id: Mapped[str] = mapped_column(String(255))
    content_sha256: Mapped[str | None] = mapped_column(String(64))
    sent_at: Mapped[dt.datetime | None]
    opened_at: Mapped[dt.datetime | None]
    viewed_at: Mapped[dt.datetime | None]
    signed_at: Mapped[dt.datetime | None]
    declined_at: Mapped[dt.datetime | None]
    decline_reason: Mapped[str | None]
    expired_at: Mapped[dt.datetime | None]
    converted_engagement_id: Mapped[UUID | None]
    converted_order_id: Mapped[UUID | None]


class ProposalItem(TenantRecord):
    """One line of a proposal; the signature turns each that is chosen into a project.

    Where there are bounds, the client sets the quantity; an optional one is left out unless they
    choose it. One that says no tax has the organization's.
    """

    __tablename__ = "proposal_items"
    noun = "proposal_item"
    __table_args__ = (
        belongs_to("proposal_id", "proposals"),
        belongs_to("service_id", "services", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "price"),
        at_least(1, "quantity"),
        at_least(1, "min_quantity"),
        in_order("quantity", "max_quantity"),
        in_order("min_quantity", "quantity"),
        *tax_of_item(),
        at_least(0, "total"),
        at_least(0, "position"),
        index("proposal_items", "proposal_id", "position"),
        index("proposal_items", "service_id"),
    )

    proposal_id: Mapped[UUID]
    service_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    price: Mapped[Decimal]
    quantity: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    optional: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    min_quantity: Mapped[int | None]
    max_quantity: Mapped[int | None]
    tax_category: Mapped[str | None] = mapped_column(String(16))
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    total: Mapped[Decimal]


class ProposalVersion(TenantRecord):
    """A content as it was sent: canonical JSON (RFC 8785) and its SHA-256. Never rewritten."""

    __tablename__ = "proposal_versions"
    noun = "proposal_version"
    __table_args__ = (
        belongs_to("proposal_id", "proposals"),
        UniqueConstraint("organization_id", "proposal_id", "version"),
        at_least(1, "version"),
        digest_form("content_sha256"),
    )

    proposal_id: Mapped[UUID]
    version: Mapped[int]
    content: Mapped[str]
    content_sha256: Mapped[str] = mapped_column(String(64))
    sent_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    superseded_at: Mapped[dt.datetime | None]


class SigningLink(TenantRecord):
    """The link by which the client reads and signs one version of a proposal, or a contract.

    The token derives from `id`.

    `credential_id` names the credential that holds the token's digest; credentials are global,
    so the database keeps no reference. `email` is where it was sent to, the frozen content's
    address where it is not set; another address gets a link of its own, and this one is revoked.
    `mailings` counts how often it was to be mailed; what became of the latest is `delivered_at`,
    when a mail server took it, or `undeliverable_at` with the reason in words.
    """

    __tablename__ = "signing_links"
    noun = "signing_link"
    __table_args__ = (
        belongs_to("proposal_id", "proposals"),
        belongs_to("contract_id", "contracts"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "credential_id"),
        CheckConstraint("num_nonnulls(proposal_id, contract_id) = 1", name="opens_one"),
        CheckConstraint(
            "num_nonnulls(delivered_at, undeliverable_at) <= 1", name="delivered_or_not"
        ),
        CheckConstraint(
            "(undeliverable_at IS NULL) = (undeliverable_reason IS NULL)",
            name="reason_if_undeliverable",
        ),
        # One living link a version.
        Index(
            "uq_signing_links_organization_id_proposal_id_version_living",
            "organization_id",
            "proposal_id",
            "version",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index(
            "uq_signing_links_organization_id_contract_id_living",
            "organization_id",
            "contract_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        index("signing_links", "proposal_id"),
        index("signing_links", "contract_id"),
        index("signing_links", "contact_id"),
    )

    proposal_id: Mapped[UUID | None]
    contract_id: Mapped[UUID | None]
    version: Mapped[int]
    credential_id: Mapped[UUID]
    contact_id: Mapped[UUID | None]
    email: Mapped[str | None] = mapped_column(String(254))
    revoked_at: Mapped[dt.datetime | None]
    mailings: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"), default=1)
    delivered_at: Mapped[dt.datetime | None]
    undeliverable_at: Mapped[dt.datetime | None]
    undeliverable_reason: Mapped[str | None]


class Signature(TenantRecord):
    """The evidence of one signature. Append-only.

    A client's own carries everything; one that staff recorded for the client (`recorded_by`)
    carries what staff knew, and says so. `selection` is what was chosen (id and quantity of each
    item), where there was a choice.
    """

    __tablename__ = "signatures"
    noun = "signature"
    __table_args__ = (
        belongs_to("proposal_id", "proposals", ondelete="NO ACTION"),
        belongs_to("contract_id", "contracts", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "proposal_id"),
        UniqueConstraint("organization_id", "contract_id"),
        CheckConstraint("num_nonnulls(proposal_id, contract_id) >= 1", name="signs_something"),
        CheckConstraint("(proposal_id IS NULL) = (version IS NULL)", name="version_if_proposal"),
        CheckConstraint("method IN ('typed', 'drawn', 'recorded')", name="method_known"),
        CheckConstraint(
            "recorded_by IS NOT NULL OR (method <> 'recorded'"
            " AND num_nulls(signer_email, data, consent_text, consent_version) = 0)",
            name="complete_unless_recorded",
        ),
        CheckConstraint("octet_length(data) <= 1048576", name="data_size"),
        json_array("selection"),
        not_blank("signer_name"),
        digest_form("content_sha256"),
        list_index("signatures"),
        # Whoever verifies a document does not know whose it is, so this leads without the tenant.
        Index("ix_signatures_content_sha256", "content_sha256"),
    )

    proposal_id: Mapped[UUID | None]
    contract_id: Mapped[UUID | None]
    version: Mapped[int | None]
    signer_name: Mapped[str] = mapped_column(String(255))
    signer_email: Mapped[str | None] = mapped_column(String(254))
    method: Mapped[str] = mapped_column(String(16))
    data: Mapped[str | None]
    consent_text: Mapped[str | None]
    consent_version: Mapped[str | None] = mapped_column(String(32))
    locale: Mapped[str | None] = mapped_column(String(35))
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(USER_AGENT_LENGTH))
    content_sha256: Mapped[str] = mapped_column(String(64))
    signed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    recorded_by: Mapped[str | None] = mapped_column(String(255))
    selection: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))


class SignedDocument(TenantRecord):
    """The signed PDF as it was handed out; `size` is in bytes. Append-only."""

    __tablename__ = "signed_documents"
    noun = "signed_document"
    __table_args__ = (
        belongs_to("signature_id", "signatures", ondelete="NO ACTION"),
        belongs_to("proposal_id", "proposals", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "signature_id"),
        digest_form("sha256"),
        CheckConstraint("size = octet_length(content)", name="size_of_content"),
        index("signed_documents", "proposal_id"),
        Index("ix_signed_documents_sha256", "sha256"),
    )

    signature_id: Mapped[UUID]
    proposal_id: Mapped[UUID | None]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]
