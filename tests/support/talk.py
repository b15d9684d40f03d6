"""A project's conversation, and those who write in it and read it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from models.db.base import uuid7
from models.db.tenancy import Principal, TenantContext
from tests.support.tenants import Api, Tenant
from webapp.core.transaction import in_transaction
from webapp.services.identity.accounts import create_user

T = TypeVar("T")


@dataclass(frozen=True)
class Talk:
    """A conversation: its path, and the ids in it."""

    api: Api
    tenant: Tenant
    engagement_id: str
    project_id: str
    id: str

    @classmethod
    def begin(cls, api: Api, tenant: Tenant) -> Talk:
        """A conversation in a new engagement's project."""
        engagement = api.made("/api/engagements", {"name": "x"})
        project = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
        made = api.made(f"/api/projects/{project['id']}/conversations", {"subject": "Kickoff"})
        return cls(api, tenant, engagement["id"], project["id"], made["id"])

    @property
    def path(self) -> str:
        return f"/api/projects/{self.project_id}/conversations/{self.id}"

    def post(self, content: str = "Hello", *, by: Api | None = None, **body: Any) -> Any:
        """A new message."""
        return (by or self.api).made(f"{self.path}/messages", {"content": content, **body})

    def colleague(self, role: str = "member") -> Api:
        """Somebody else of the firm."""
        return Api(app=self.api.app, api_key=self.tenant.key(role))

    def member(self, name: str) -> tuple[str, str]:
        """Id and address of a new member."""
        email = f"{name.lower()}.{secrets.token_hex(6)}@firm.example"
        user = self.tenant.run(
            lambda: create_user(email, name, secrets.token_hex(16), role="member")
        )
        return str(user.id), email

    def as_client(self, work: Callable[[], T], contact_id: UUID | None = None) -> T:
        """Do something as a contact of the client."""
        principal = Principal(
            organization_id=self.tenant.id,
            kind="contact",
            subject_id=contact_id or uuid7(),
            label="Robin Ray",
        )
        with self.tenant.app.app_context():
            return in_transaction(TenantContext(principal=principal), work)
