"""Whose data the running code may touch.

A `Scope` is bound to the running request or job. Before its first statement touches a table the
scope is *resolved*: `begin_request()` in the database checks the credential and binds the tenant
in that same statement (design/stack.md, *The read path*). No scope, no rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, for which organization, with which rights.

    `kind` is api_key, session, signing_link, or system; `subject_id` is the user, or the
    signing link's proposal.
    """

    organization_id: UUID
    kind: str
    credential_id: UUID | None = None
    subject_id: UUID | None = None
    role: str | None = None
    scopes: Sequence[str] | None = None
    label: str = "system"

    @property
    def actor(self) -> dict[str, Any]:
        """How the activity log names this principal."""
        who = self.subject_id or self.credential_id
        return {"kind": self.kind, "id": str(who) if who else None, "name": self.label}


class NoTenantContext(RuntimeError):
    """Tenant data was asked for outside a request or a job."""


@dataclass(slots=True)
class TenantContext:
    """One request's or job's claim to a tenant, before and after the database has checked it.

    `admit` is called with the principal once it is known and raises when it lacks the right.
    `jobs` are those that the transaction asks for, as (kind, id); `unwritten` are the rows of
    those among them that its end still has to insert. `now` is the transaction's time by the
    database's clock, and `driver` the driver's connection, once it has begun.
    """

    credential_kind: str | None = None
    credential_digest: bytes | None = None
    admit: Callable[[Principal | None], None] | None = None
    idempotency_key: str | None = None
    idempotent_answer: Any = None
    principal: Principal | None = None
    in_transaction: bool = False
    driver: Any = None
    now: dt.datetime | None = None
    jobs: list[tuple[str, UUID]] = field(default_factory=list)
    unwritten: list[dict[str, Any]] = field(default_factory=list)

    def resolve(self, row: Any) -> Principal:
        """Take the row `begin_request` returned as the principal, or refuse it."""
        principal = None
        if row is not None and row.principal_organization_id is not None:
            principal = Principal(
                organization_id=row.principal_organization_id,
                kind=self.credential_kind or "",
                credential_id=row.principal_credential_id,
                subject_id=row.principal_subject_id,
                role=row.principal_role,
                scopes=row.principal_scopes,
                label=row.principal_label,
            )
        if self.admit is not None:
            self.admit(principal)
        if principal is None:
            raise NoTenantContext("the credential resolved to nobody")
        self.principal = principal
        return principal


_scope: ContextVar[TenantContext | None] = ContextVar("scope", default=None)


def current_context() -> TenantContext:
    """The scope of the running request or job. Raises NoScope outside one."""
    context = _scope.get()
    if context is None:
        raise NoTenantContext("no request or job is running")
    return context


def current_principal() -> Principal:
    """The resolved principal. Raises NoScope before the first statement or outside a scope."""
    principal = current_context().principal
    if principal is None:
        raise NoTenantContext("the scope is not resolved yet")
    return principal


def current_organization_id() -> UUID:
    return current_principal().organization_id


@contextmanager
def in_context(context: TenantContext) -> Iterator[TenantContext]:
    """Run the block inside `scope`; the one before is back afterwards."""
    token = _scope.set(context)
    try:
        yield context
    finally:
        _scope.reset(token)


def as_system(organization_id: UUID) -> TenantContext:
    """The scope of a job or a command that acts for an organization itself."""
    return TenantContext(principal=Principal(organization_id=organization_id, kind="system"))
