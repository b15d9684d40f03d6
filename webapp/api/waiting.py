"""An accepted answer becomes the result's, if the job is done soon enough (*The sign flow*).

`Prefer: respond-async` or `wait=N` says how long to wait for it (RFC 7240).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy import update

from models.db.base import db
from models.db.tenancy import TenantContext, current_context, current_principal
from models.jobs import IdempotencyKey
from webapp.core.transaction import in_transaction
from webapp.http.responses import ApiResponse
from webapp.http.wait import DEFAULT_SECONDS, done_within

MAX_SECONDS = 30


def wait_wanted() -> tuple[int, bool]:
    """The seconds to wait, and whether the caller said so. Malformed preferences are ignored."""
    prefer = request.headers.get("Prefer", "").lower()
    if "respond-async" in (part.strip() for part in re.split("[,;]", prefer)):
        return 0, True
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?", prefer)
    if found:
        return min(int(found.group(1)), MAX_SECONDS), True
    return DEFAULT_SECONDS, False


def finish_with_job(accepted: ApiResponse, result: Callable[[dict[str, Any]], Any]) -> ApiResponse:
    """Turn an accepted (202) answer into the result's (200) if its job is done soon enough.

    `result` makes the body from the accepted one. A replayed answer that had its result already
    is passed on as it is.
    """
    if accepted.status != 202:
        return accepted
    seconds, stated = wait_wanted()
    if stated:
        preference = "respond-async" if seconds == 0 else f"wait={seconds}"
        accepted.headers["Preference-Applied"] = preference
    job_id = UUID(accepted.body["job"]["id"])
    if seconds == 0 or not done_within(job_id, seconds):
        return accepted
    headers = {name: value for name, value in accepted.headers.items() if name != "Location"}
    done = ApiResponse(200, result(accepted.body), headers)
    _keep_result(current_context(), done)
    return done


def _keep_result(context: TenantContext, answer: ApiResponse) -> None:
    """Let a retry with the same key repeat this result instead of asking again."""
    if context.idempotency_key is None:
        return
    key = context.idempotency_key
    actor = str(current_principal().credential_id)
    kept = TenantContext(context.credential_kind, context.credential_digest, context.admit)
    in_transaction(
        kept,
        lambda: db.session.execute(
            update(IdempotencyKey)
            .where(
                IdempotencyKey.organization_id == current_principal().organization_id,
                IdempotencyKey.actor == actor,
                IdempotencyKey.key == key,
                IdempotencyKey.status == 202,
            )
            .values(status=200, body={"body": answer.body, "headers": {}, "version": None})
            .execution_options(synchronize_session=False)
        ),
    )
