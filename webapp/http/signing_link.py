"""What a client's request itself tells of the signature: consent, language, address, browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request

from webapp.auth.credentials import signing_link_context
from webapp.core.transaction import in_transaction
from webapp.http.caller import user_agent
from webapp.services.sales import contract_sending
from webapp.services.sales.content import CONSENT_TEXT, CONSENT_VERSION
from webapp.services.sales.contract_links import contract_of_caller
from webapp.services.sales.evidence import Evidence
from webapp.services.sales.queries import linked_to_caller
from webapp.services.sales.sending import mark_opened


def evidence_of_request(
    signer_name: str,
    signer_email: str,
    method: str,
    data: str,
    content_sha256: str,
    selection: Sequence[Mapping[str, Any]] | None = None,
    consent_text: str = CONSENT_TEXT,
) -> Evidence:
    """The evidence of the client's own signature: what they sent, and where it came from."""
    languages = request.accept_languages.values()
    return Evidence(
        signer_name=signer_name,
        signer_email=signer_email,
        method=method,
        data=data,
        consent_text=consent_text,
        consent_version=CONSENT_VERSION,
        locale=next(iter(languages), "")[:35] or None,
        ip=request.remote_addr,
        user_agent=user_agent(),
        content_sha256=content_sha256,
        selection=selection,
    )


def opened_by_link(*, even_replaced: bool = False) -> dict[str, object]:
    """The proposal behind the caller's link; that the link was first fetched is noted.

    Mail scanners fetch links as well, so this says nothing of a person, and HEAD not even this
    (sign-flow.md, *Reading*).
    """
    proposal = linked_to_caller(even_replaced=even_replaced)
    is_first = proposal["status"] == "sent" and proposal["opened_at"] is None
    if is_first and request.method == "GET":
        in_transaction(signing_link_context("link:read"), mark_opened)
    return proposal


def contract_opened_by_link(*, even_replaced: bool = False) -> dict[str, Any]:
    """As `opened_by_link`, for the contract behind the caller's link."""
    contract = contract_of_caller(even_replaced=even_replaced)
    is_first = contract["status"] == "sent" and contract["opened_at"] is None
    if is_first and request.method == "GET":
        in_transaction(signing_link_context("link:read"), contract_sending.mark_opened)
    return contract
