"""API keys: made and shown once, limited, rotated, revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import g

from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.auth.permissions import demand_grant
from webapp.http.responses import ApiResponse
from webapp.schemas.access import ApiKeyChange, ApiKeyCreate, ApiKeyOut, ApiKeyRotate, NewApiKeyOut
from webapp.services.common.exceptions import Forbidden
from webapp.services.identity import keys

blueprint = ApiBlueprint(
    "api_keys", "/api/api-keys", description="What lets your programs in, and what each may do."
)

api_keys = Resource(blueprint, "api_key", records=keys.API_KEYS, out=ApiKeyOut)
# Who sees a key sees what it may do and where from: that is for those who may make one.
api_keys.list("List API keys", permission="identity:write")
api_keys.retrieve("Retrieve an API key", permission="identity:write")
api_keys.update("Rename an API key, or limit it to networks", ApiKeyChange, keys.update_api_key)


def _with_key(answer: ApiResponse) -> ApiResponse:
    """Show the key this once. It is not in what is kept for a retry, which gets null."""
    made_id, key = g.pop("made_api_key", (None, None))
    answer.body["key"] = key if answer.body["id"] == made_id else None
    return answer


def _made(made: tuple[Any, str]) -> ApiResponse:
    record, key = made
    answer = api_keys.answer({"api_key_id": record.id}, status=201)
    answer.headers |= {"Location": f"/api/api-keys/{record.id}", "Cache-Control": "no-store"}
    g.made_api_key = (str(record.id), key)
    return answer


@blueprint.operation(
    "POST",
    "",
    permission="identity:write",
    body=ApiKeyCreate,
    out=NewApiKeyOut,
    status=201,
    has_etag=True,
    after_commit=_with_key,
)
def create_api_key(body: dict[str, Any]) -> ApiResponse:
    """Make an API key; it is shown this once"""
    demand_grant(current_principal(), body["role"], body.get("scopes"))
    return _made(keys.create_api_key(body.pop("name"), **body))


@blueprint.operation(
    "POST",
    "/<uuid:api_key_id>/rotate",
    permission="identity:write",
    body=ApiKeyRotate,
    body_required=False,
    out=NewApiKeyOut,
    status=201,
    if_match=True,
    has_etag=True,
    errors=(Forbidden,),
    after_commit=_with_key,
)
def rotate_api_key(
    body: dict[str, Any], api_key_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Make a key in the place of this one, which goes on working for `overlap_hours`"""
    old = keys.API_KEYS.get(api_key_id)
    # Whoever reads the new key has its rights; those of a key never change.
    demand_grant(current_principal(), old["role"], old["scopes"])
    return _made(
        keys.rotate_api_key(
            api_key_id,
            overlap=dt.timedelta(hours=body["overlap_hours"]),
            expires_at=body.get("expires_at"),
            expected_row_version=expected_row_version,
        )
    )


def _revoke(api_key_id: UUID, *, expected_row_version: int | None) -> None:
    keys.revoke_api_key(api_key_id, expected_row_version=expected_row_version)


api_keys.delete("Revoke an API key at once", _revoke)
