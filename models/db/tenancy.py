"""Whose data the running code may touch.

A `TenantContext` is bound to the running request or job. Before its first statement touches a
table the context is *resolved*: `begin_request()` in the database checks the credential and binds
the tenant in that same statement (architecture.md, *One read*). No context, no rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class ShownCredential:
    """What a caller showed to be let in, not checked yet: the secret's kind and SHA-256.

    `admit` is called with the principal once it is known, None if there is none, and raises when
    it lacks the right. `address` and `user_agent` tell where the caller is, as far as is known.
    """

    kind: str
    digest: bytes
    admit: Callable[[Principal | None], None]
    address: str | None = None
    user_agent: str | None = None


@dataclass(slots=True)
class IdempotentRequest:
    """A request with an Idempotency-Key; `kept` is the answer stored under it, if there is one.

    `form` stands for the body where that is a form with a file. `was_refused` remembers that an
    earlier try at its transaction was.
    """

    key: str
    form: bytes | None = None
    kept: Mapping[str, Any] | None = None
    was_refused: bool = False


@dataclass(slots=True)
class OpenTransaction:
    """The transaction that runs: the driver's connection, and its time by the database's clock.

    `organization` is the row of what the organization has set, once somebody has asked for it.
    """

    driver: Any
    now: dt.datetime
    organization: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PendingJobs:
    """The jobs that the transaction asks for: `rows` to be inserted before its end, and `lanes` to
    be woken after it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    lanes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class TenantContext:
    """One request's or job's claim to a tenant, before and after the database has checked it.

    A request has a `credential` and gets its `principal` from the database; a job or command has
    its principal from the start. `transaction` is None while none is open.
    """

    credential: ShownCredential | None = None
    principal: Principal | None = None
    idempotency: IdempotentRequest | None = None
    transaction: OpenTransaction | None = None
    jobs: PendingJobs = field(default_factory=PendingJobs)

    def resolve(self, row: Mapping[str, Any] | None) -> Principal:
        """Take the row `begin_request` returned as the principal, or refuse it.

        Raises what the credential's `admit` raises.
        """
        assert self.credential is not None
        principal = None
        if row is not None and row["principal_organization_id"] is not None:
            principal = Principal(
                organization_id=row["principal_organization_id"],
                kind=self.credential.kind,
                credential_id=row["principal_credential_id"],
                subject_id=row["principal_subject_id"],
                role=row["principal_role"],
                scopes=row["principal_scopes"],
                label=row["principal_label"],
            )
        self.credential.admit(principal)
        if principal is None:
            raise NoTenantContext("the credential resolved to nobody")
        self.principal = principal
        return principal

    def start_over(self) -> None:
        """Forget what an earlier try at the transaction has left behind."""
        self.transaction = None
        self.jobs = PendingJobs()
        if self.idempotency is not None:
            self.idempotency.kept = None
        if self.credential is not None:
            self.principal = None


_context: ContextVar[TenantContext | None] = ContextVar("tenant_context", default=None)


def current_context() -> TenantContext:
    """The context of the running request or job. Raises NoTenantContext outside one."""
    context = _context.get()
    if context is None:
        raise NoTenantContext("no request or job is running")
    return context


def current_transaction() -> OpenTransaction:
    """The transaction that runs. Raises NoTenantContext when none is open."""
    transaction = current_context().transaction
    if transaction is None:
        raise NoTenantContext("no transaction is open")
    return transaction


def current_principal() -> Principal:
    """The resolved principal. Raises NoTenantContext before the first statement or outside."""
    principal = current_context().principal
    if principal is None:
        raise NoTenantContext("the context is not resolved yet")
    return principal


def current_organization_id() -> UUID:
    return current_principal().organization_id


@contextmanager
def in_context(context: TenantContext) -> Iterator[TenantContext]:
    """Run the block inside `context`; the one before is back afterwards."""
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def as_system(organization_id: UUID) -> TenantContext:
    """The context of a job or a command that acts for an organization itself."""
    return TenantContext(principal=Principal(organization_id=organization_id, kind="system"))
