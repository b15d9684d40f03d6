"""The sample organization that `make run` shows: made once, and always with a link to be signed.

It is clearly a sample: its mail addresses are under example.com (RFC 2606), and its settings say
`sample`. Its secrets are kept in `<VAR_DIR>/demo.json`, so that every start prints the same ones.
"""

from __future__ import annotations

import datetime as dt
import secrets as random
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from models.catalog import Service
from models.db.base import db, uuid7
from models.db.tenancy import Principal, TenantContext, as_system, current_organization_id
from models.identity import ApiKey, Membership, Organization, User
from models.sales import Proposal, SigningLink
from webapp.config import Settings
from webapp.core.database import organization_id
from webapp.core.transaction import in_transaction
from webapp.devstack.state import StateFile
from webapp.services.catalog.services import create_service
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict
from webapp.services.common.writes import now
from webapp.services.identity.accounts import create_organization, create_user
from webapp.services.identity.keys import create_api_key
from webapp.services.sales.drafting import create_proposal
from webapp.services.sales.sending import send_proposal

NAME = "Northlight Studio"
SLUG = "northlight-studio"
OWNER = "Northlight owner"
EMAIL = "owner@northlight.example.com"
VALID_DAYS = 30

SERVICES = {
    "Brand and content workshop": ("Two days on site, with a written summary.", "1800.00"),
    "Website design and build": ("Design, build and launch, up to twelve pages.", "9600.00"),
    "Care plan, one year": ("Updates, backups and two hours of changes a month.", "1440.00"),
}
CLIENT: dict[str, Any] = {
    "client_company": {"name": "Harbour & Pine Coffee", "website": "https://example.com"},
    "contact": {
        "first_name": "Sample",
        "last_name": "Client",
        "email": "client@harbour-and-pine.example.com",
    },
}


class DemoFile(StateFile):
    """`demo.json`: the sample's login, key and waiting link."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "demo.json"

    def text(self, name: str) -> str:
        """The value kept under `name`, empty if there is none."""
        return str(self.get(name) or "")


def seed(app: Flask, var: Path) -> dict[str, str]:
    """Make or complete the sample; returns what there is to try, as text by name.

    `var` is the folder of `demo.json`. Raises Conflict when another organization has its slug,
    StartError for an unreadable file.
    """
    settings: Settings = app.config["SETTINGS"]
    kept = DemoFile(var)
    with app.app_context():
        found = organization_id(settings, SLUG)
        if found is None:
            found = uuid7()
            in_transaction(as_system(found), _make_organization)
        user_id, password, key = in_transaction(as_system(found), lambda: _let_in(kept))
        kept.put("login_password", password)
        kept.put("api_key", key)
        owner = Principal(found, "system", subject_id=user_id, role="owner", label=OWNER)
        link_id = in_transaction(
            TenantContext(principal=owner), lambda: _waiting_link(kept, settings.secret_key)
        )
        kept.put("link_id", str(link_id))
    token = secrets.link_token(settings.secret_key, link_id)
    smtp = urlsplit(settings.smtp_url or "")
    return {
        "organization": f"{NAME} (a sample)",
        "login_email": EMAIL,
        "login_password": password,
        "api_key": key,
        "signing_url": f"{settings.base_url}/sign/{token}",
        "mail": f"SMTP at {smtp.hostname}" if smtp.hostname else str(settings.var_dir / "mail"),
    }


def _make_organization() -> None:
    create_organization(NAME, slug=SLUG).settings = {"sample": True}


def _let_in(kept: DemoFile) -> tuple[UUID, str, str]:
    """The owner's id, password and API key: the kept ones where they still work."""
    organization = db.session.get_one(Organization, current_organization_id())
    if not organization.settings.get("sample"):
        raise Conflict(f"The organization {SLUG} is not the sample; the sample needs that slug.")
    password = kept.text("login_password")
    user = db.session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organization_id == organization.id, User.email == EMAIL)
    ).one_or_none()
    if user is None:
        password = random.token_urlsafe(12)
        user = create_user(EMAIL, OWNER, password, role="owner")
    elif not secrets.password_matches(user.password_hash, password):
        password = random.token_urlsafe(12)
        user.password_hash = secrets.hash_password(password)
    key = kept.text("api_key")
    if not _works(key):
        key = create_api_key("Sample", role="owner")[1]
    return user.id, password, key


def _works(key: str) -> bool:
    """Whether the key is one of this organization that nobody has revoked."""
    if not secrets.is_api_key(key):
        return False
    record = db.session.get(ApiKey, (current_organization_id(), UUID(key.split("_")[2])))
    return record is not None and record.revoked_at is None


def _waiting_link(kept: DemoFile, secret_key: bytes) -> UUID:
    """The link that waits to be signed: the kept one, or that of a fresh proposal."""
    link_id = kept.text("link_id")
    link = db.session.get(SigningLink, (current_organization_id(), UUID(link_id or NIL)))
    if link is not None and link.revoked_at is None:
        proposal = db.session.get_one(Proposal, (link.organization_id, link.proposal_id))
        is_over = proposal.valid_until is not None and proposal.valid_until <= now()
        if proposal.status == "sent" and proposal.deleted_at is None and not is_over:
            return link.id
    proposal = create_proposal(
        {
            "name": "Website relaunch and care",
            "currency": "EUR",
            "valid_until": now() + dt.timedelta(days=VALID_DAYS),
            "notes": "This is a sample: sign it, and see what happens.",
            "items": [
                {"name": name, "description": text, "price": Decimal(price), "service_id": service}
                for (name, (text, price)), service in zip(
                    SERVICES.items(), _services(), strict=True
                )
            ],
            **CLIENT,
        }
    )
    return send_proposal(proposal.id, secret_key).id


NIL = str(UUID(int=0))


def _services() -> list[UUID]:
    """The ids of what the sample sells; made where they are missing."""
    there: dict[str, UUID] = {
        service.name: service.id
        for service in db.session.scalars(
            select(Service).where(
                Service.organization_id == current_organization_id(),
                Service.name.in_(SERVICES),
                Service.deleted_at.is_(None),
            )
        )
    }
    return [
        there.get(name)
        or create_service(
            {"name": name, "description": text, "price": Decimal(price), "currency": "EUR"}
        )["id"]
        for name, (text, price) in SERVICES.items()
    ]
