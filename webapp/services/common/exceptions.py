"""What can go wrong, by condition. `webapp/http/errors.py` maps each to HTTP, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID


class DomainError(Exception):
    """The request could not be carried out."""

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.extra = {key: value for key, value in extra.items() if value is not None}
        super().__init__(self.detail)


class Unauthorized(DomainError):
    """Send a valid API key as `Authorization: Bearer …`."""


class Forbidden(DomainError):
    """Your role or key does not allow this."""


class NotFound(DomainError):
    """There is no such thing here."""


class Conflict(DomainError):
    """The state of the resource does not allow this."""


class InvalidTransition(Conflict):
    """The status cannot change that way."""


class AlreadySigned(Conflict):
    """This has been signed already."""

    def __init__(self, engagement_id: UUID | None, detail: str | None = None) -> None:
        super().__init__(detail, engagement_id=str(engagement_id) if engagement_id else None)


class ContentChanged(Conflict):
    """The content is not the one that was shown; load it again and sign what you see."""


class Expired(Conflict):
    """This proposal has expired; ask for a new one."""


class LinkReplaced(DomainError):
    """This link was replaced by a newer version; use the link in the latest mail."""


class StaleVersion(DomainError):
    """The resource has changed since you read it; read it again and repeat your change."""


class IdempotencyKeyReused(DomainError):
    """This Idempotency-Key was used for another request; use a new key for a new request."""


class Invalid(DomainError):
    """The input is not valid."""

    def __init__(self, errors: Mapping[str, list[str]], detail: str | None = None) -> None:
        self.errors = dict(errors)
        super().__init__(detail or "; ".join(f"{k}: {v[0]}" for k, v in self.errors.items()))


class Unavailable(DomainError):
    """The service cannot answer right now; try again shortly."""
