"""What proposals and signatures leave to be done."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import UUID

from flask import current_app

from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.core.mail import compose, deliver
from webapp.services.common import secrets
from webapp.services.sales import (
    after_signing,
    contract_mails,
    contract_sending,
    contract_signing,
    delivery,
    fulfilment,
    sending,
)


@batch_job("sales.fulfil_signature")
def fulfil_signatures(rows: list[JobRow]) -> None:
    """Create engagement, projects, order and the rest of what each signature promises."""
    fulfilment.fulfil_signatures([UUID(row.payload["signature_id"]) for row in rows])


@job("sales.fulfil_contract")
def fulfil_contract(payload: dict[str, Any]) -> None:
    """Open the engagement of a signed contract."""
    contract_signing.fulfil_contract(UUID(payload["signature_id"]))


@job("sales.render_signed_document")
def render_signed_document(payload: dict[str, Any]) -> None:
    """Render the signed PDF with its certificate page, and keep it."""
    base_url = current_app.config["SETTINGS"].base_url
    after_signing.store_signed_document(UUID(payload["signature_id"]), f"{base_url}/verify")


@job(
    "sales.mail_signing_link",
    effect=deliver,
    delivered=delivery.note_delivered,
    undeliverable=delivery.note_undeliverable,
)
def mail_signing_link(payload: dict[str, Any]) -> EmailMessage | None:
    """Send the client the link to read and sign."""
    facts = after_signing.link_facts(payload)
    if facts is None:
        return None
    link_id, mailing = UUID(payload["link_id"]), payload.get("mailing", 1)
    key = link_id if mailing == 1 else f"{link_id}.{mailing}"
    if contract := facts.get("contract"):
        return compose(
            "contract_link",
            key,
            to=_client(facts),
            subject=f"Contract {contract['number']}: {contract['name']}",
            signing_url=_signing_url(link_id, "contract"),
            **facts,
        )
    proposal = facts["proposal"]
    return compose(
        "signing_link",
        key,
        to=_client(facts),
        subject=f"Proposal {proposal['number']}: {proposal['name']}",
        signing_url=_signing_url(link_id),
        **facts,
    )


@job("sales.mail_signed", effect=deliver)
def mail_signed(payload: dict[str, Any]) -> EmailMessage:
    """Thank the client, and tell what was set up."""
    facts = after_signing.signature_facts(UUID(payload["signature_id"]))
    base_url = current_app.config["SETTINGS"].base_url
    link_id = facts["link_id"]
    return compose(
        "signed_client",
        payload["signature_id"],
        to=_client(facts),
        subject=f"Signed: {facts['proposal']['name']}",
        verify_url=f"{base_url}/verify",
        signed_url=_signing_url(link_id) if link_id else None,
        **facts,
    )


@job("sales.mail_signed_owner", effect=deliver)
def mail_signed_owner(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell the proposal's owner that the client signed."""
    facts = after_signing.signature_facts(UUID(payload["signature_id"]))
    if facts["owner"] is None:
        return None
    proposal = facts["proposal"]
    return compose(
        "signed_owner",
        payload["signature_id"],
        to=facts["owner"],
        subject=f"{proposal['client']['name']} signed {proposal['number']}",
        console_url=_console_url(),
        **facts,
    )


@job("sales.mail_declined", effect=deliver)
def mail_declined(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell the proposal's owner that the client declined, and why."""
    facts = after_signing.decline_facts(UUID(payload["proposal_id"]))
    if facts is None or facts["owner"] is None:
        return None
    proposal = facts["proposal"]
    return compose(
        "declined_owner",
        f"{payload['proposal_id']}.{proposal['version']}",
        to=facts["owner"],
        subject=f"{proposal['client']['name']} declined {proposal['number']}",
        console_url=_console_url(),
        **facts,
    )


@job("sales.mail_signed_contract", effect=deliver)
def mail_signed_contract(payload: dict[str, Any]) -> EmailMessage | None:
    """Thank the client for signing a contract, and tell where it is."""
    facts = contract_mails.signed_contract_facts(UUID(payload["signature_id"]))
    if not facts["contact"] or not facts["contact"]["email"]:
        return None
    base_url = current_app.config["SETTINGS"].base_url
    link_id = facts["link_id"]
    return compose(
        "signed_contract_client",
        payload["signature_id"],
        to=_client(facts),
        subject=f"Signed: {facts['contract']['name']}",
        verify_url=f"{base_url}/verify",
        signed_url=_signing_url(link_id, "contract") if link_id else None,
        **facts,
    )


@job("sales.mail_signed_contract_owner", effect=deliver)
def mail_signed_contract_owner(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell the contract's owner that the client signed."""
    facts = contract_mails.signed_contract_facts(UUID(payload["signature_id"]))
    if facts["owner"] is None:
        return None
    contract = facts["contract"]
    return compose(
        "signed_contract_owner",
        payload["signature_id"],
        to=facts["owner"],
        subject=f"{contract['client']['name']} signed {contract['number']}",
        console_url=_console_url(),
        **facts,
    )


@job("sales.expire_contracts")
def expire_contracts(_payload: dict[str, Any]) -> None:
    """Expire the sent contracts whose time has passed."""
    contract_sending.expire_contracts()


@job("sales.expire_proposals")
def expire_proposals(_payload: dict[str, Any]) -> None:
    """Expire the sent proposals whose time has passed."""
    sending.expire_proposals()


def _client(facts: dict[str, Any]) -> tuple[str, str]:
    contact = facts["contact"]
    return f"{contact['first_name']} {contact['last_name']}", contact["email"]


def _signing_url(link_id: UUID, page: str = "sign") -> str:
    settings = current_app.config["SETTINGS"]
    return f"{settings.base_url}/{page}/{secrets.link_token(settings.secret_key, link_id)}"


def _console_url() -> str:
    return f"{current_app.config['SETTINGS'].base_url}/console"
