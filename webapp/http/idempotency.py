"""Answers kept for retries: the same Idempotency-Key gets the same answer, for 24 hours.

The answer is written in the transaction whose effect it tells of, so a retry after an unknown
outcome learns the truth (api.md, *Headers*; jobs.md, *When something dies*).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import request
from sqlalchemy.exc import IntegrityError

from models.db.base import uuid7
from models.db.inserts import Statement, execute_with_jobs
from models.db.tenancy import IdempotentRequest, TenantContext, current_principal
from models.db.transactions import ANSWER_LIFETIME
from webapp.core.transaction import RunAgain
from webapp.http.responses import ApiResponse
from webapp.services.common.exceptions import DomainError, IdempotencyKeyReused, Invalid
from webapp.services.files.contents import Upload

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
# Tells that the answer is the one given before.
REPLAYED = "Idempotent-Replayed"


def idempotent_request(form: Mapping[str, Any] | None = None) -> IdempotentRequest | None:
    """The request's key, if it has one. Raises Invalid naming the header for a malformed one.

    Of a form with a file `form` has the fields: the body is not in memory.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise Invalid({HEADER: [f"Send 1 to {MAX_LENGTH} printable ASCII characters."]})
    return IdempotentRequest(key, form=None if form is None else _form_as_bytes(form))


def with_idempotency(context: TenantContext, work: Callable[[], ApiResponse]) -> ApiResponse:
    """Run `work` unless its key has an answer already; keep the new answer with its effect.

    A request that is refused may have its twin to blame, the same request with the same key, which
    signed or took the e-mail address first: the transaction is run again, once, and finds the
    twin's answer, or is refused for a reason of its own.

    Raises IdempotencyKeyReused when the key came with another request before, and RunAgain.
    """
    request_with_key = context.idempotency
    if request_with_key is None:
        return work()
    fingerprint = _fingerprint(request_with_key)
    if request_with_key.kept is not None:
        return _kept_answer(request_with_key.kept, fingerprint)
    try:
        answer = work()
        if answer.status < 300:
            _keep(request_with_key.key, fingerprint, answer)
    except (DomainError, IntegrityError) as error:
        if request_with_key.was_refused:
            raise
        request_with_key.was_refused = True
        raise RunAgain from error
    return answer


def _kept_answer(kept: Mapping[str, Any], fingerprint: bytes) -> ApiResponse:
    if bytes(kept["request_hash"]) != fingerprint:
        raise IdempotencyKeyReused()
    stored = kept["body"]
    headers = {**stored["headers"], REPLAYED: "true"}
    return ApiResponse(kept["status"], stored["body"], headers, stored["version"])


# A key whose answer is too old is free again; the prune may not have come to it yet.
_KEEP = Statement(
    f"""
    INSERT INTO idempotency_keys AS kept
        (organization_id, id, actor, key, route, request_hash, status, body, created_at)
    VALUES (%(organization_id)s, %(id)s, %(actor)s, %(key)s, %(route)s, %(request_hash)s,
            %(status)s, %(body)s, now())
    ON CONFLICT (organization_id, actor, key) DO UPDATE
        SET route = excluded.route, request_hash = excluded.request_hash,
            status = excluded.status, body = excluded.body, created_at = excluded.created_at
        WHERE kept.created_at < now() - {ANSWER_LIFETIME}
    RETURNING true"""  # noqa: S608 - our own text
)


def _keep(key: str, fingerprint: bytes, answer: ApiResponse) -> None:
    values = {
        **_kept_values(key, answer),
        "id": uuid7(),
        "route": request.endpoint or "",
        "request_hash": fingerprint,
    }
    if not execute_with_jobs(_KEEP, values):
        # The same key won while this ran: undo this effect, and answer as that one did.
        raise RunAgain


def _kept_values(key: str, answer: ApiResponse) -> dict[str, Any]:
    principal = current_principal()
    body = {"body": answer.body, "headers": answer.headers, "version": answer.row_version}
    return {
        "organization_id": principal.organization_id,
        "actor": str(principal.credential_id),
        "key": key,
        "status": answer.status,
        "body": orjson.dumps(body).decode(),
    }


def _form_as_bytes(form: Mapping[str, Any]) -> bytes:
    """A form's fields by name; a file is told by its name and its digest."""
    told = {
        name: [value.name, value.sha256] if isinstance(value, Upload) else value
        for name, value in form.items()
    }
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _fingerprint(request_with_key: IdempotentRequest) -> bytes:
    what = hashlib.sha256()
    address = f"{request.environ['PATH_INFO']}?{request.environ.get('QUERY_STRING', '')}"
    sent = request_with_key.form
    body = request.get_data() if sent is None else sent
    for part in (request.method.encode(), address.encode("latin-1"), body):
        what.update(len(part).to_bytes(8, "big") + part)
    return what.digest()
