"""Verifying a signed document by its SHA-256: the verify page's twin for programs."""

from __future__ import annotations

from typing import Any

from webapp.api.framework.operations import ApiBlueprint
from webapp.extensions import limiter
from webapp.schemas.signing import VerificationOut
from webapp.services.common.exceptions import NotFound
from webapp.services.sales.verification import verify_document

blueprint = ApiBlueprint(
    "verification", "/api/public/verify", description="Is a signed document ours, and unchanged?"
)
limiter.limit("30/minute")(blueprint)


@blueprint.operation(
    "GET",
    "/<string:sha256>",
    open_because="anybody who holds a document may check it, and learns only what stands in it",
    out=VerificationOut,
)
def get_verification(sha256: str) -> dict[str, Any]:
    """Verify a signed document by its SHA-256, in hexadecimal; 404 if it is not on record"""
    sha256 = sha256.lower()
    found = verify_document(sha256)
    if found is None:
        raise NotFound("No signed document is on record with this SHA-256.")
    return {"sha256": sha256, **found}
