"""What happens after people come, leave, or change their password."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import UUID

from flask import current_app

from tasks.runtime.jobs import job
from webapp.core.mail import compose, deliver
from webapp.services.common import secrets
from webapp.services.identity import invitations, password_resets
from webapp.services.identity.handover import hand_over as hand_over_records


@job("identity.hand_over")
def hand_over(payload: dict[str, Any]) -> None:
    """Make what a member who left owned another's."""
    hand_over_records(payload)


@job("identity.mail_invitation", effect=deliver)
def mail_invitation(payload: dict[str, Any]) -> EmailMessage | None:
    """Send somebody the link by which they join."""
    facts = invitations.mail_facts(payload)
    if facts is None:
        return None
    return compose(
        "invitation",
        f"{payload['invitation_id']}.{payload['mailing']}",
        to=("", facts.pop("email")),
        subject=f"Join {facts['organization']['name']}",
        link=_link("invitations", UUID(payload["invitation_id"])),
        **facts,
    )


@job("identity.mail_password_reset", effect=deliver)
def mail_password_reset(payload: dict[str, Any]) -> EmailMessage | None:
    """Send somebody the link by which they choose another password."""
    facts = password_resets.mail_facts(payload)
    if facts is None:
        return None
    return compose(
        "password_reset",
        payload["reset_id"],
        subject="Choose another password",
        link=_link("password-reset", UUID(payload["reset_id"])),
        **facts,
    )


@job("identity.mail_password_changed", effect=deliver)
def mail_password_changed(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell somebody that their password was changed."""
    facts = password_resets.mail_facts(payload)
    if facts is None:
        return None
    base_url = current_app.config["SETTINGS"].base_url
    return compose(
        "password_changed",
        payload["reset_id"],
        subject="Your password was changed",
        link=f"{base_url}/password-reset",
        at=payload["at"],
        ip=payload["ip"],
        **facts,
    )


def _link(page: str, link_id: UUID) -> str:
    settings = current_app.config["SETTINGS"]
    return f"{settings.base_url}/{page}/{secrets.link_token(settings.secret_key, link_id)}"
