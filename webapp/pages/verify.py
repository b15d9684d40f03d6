"""The verify page: is this signed document ours, and unchanged? Anybody may ask."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.auth.guard import open_to_all
from webapp.extensions import limiter
from webapp.services.common.exceptions import Invalid
from webapp.services.sales.verification import is_sha256, verify_document

blueprint = Blueprint("verify", __name__, url_prefix="/verify")
limiter.limit("30/minute")(blueprint)

MAX_BYTES = 5 * 1024 * 1024
ANYBODY = "anybody who holds a document may check it, and learns only what stands in it"


@blueprint.get("")
@open_to_all(ANYBODY)
def page() -> str:
    return render_template("verify/verify.html")


@blueprint.post("")
@open_to_all(ANYBODY)
def check() -> str | tuple[str, int]:
    request.max_content_length = MAX_BYTES
    try:
        sha256 = _sha256_of_request()
    except Invalid as error:
        return render_template("verify/verify.html", errors=error.errors, form=request.form), 422
    found = verify_document(sha256)
    result: dict[str, Any] = {"found": found is not None, "sha256": sha256, **(found or {})}
    return render_template("verify/verify.html", result=result)


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> tuple[str, int]:
    message = "This file is larger than 5 MB; a signed document is smaller. Enter its SHA-256."
    return render_template("verify/verify.html", errors={"document": [message]}), 413


def _sha256_of_request() -> str:
    """The uploaded document's SHA-256, or the one typed in. Raises Invalid naming the field."""
    if "sha256" in request.form:
        typed = "".join(request.form["sha256"].split()).lower()
        if not is_sha256(typed):
            raise Invalid({"sha256": ["A SHA-256 has 64 characters, 0–9 and a–f."]})
        return typed
    document = request.files.get("document")
    if document is None or not document.filename:
        raise Invalid({"document": ["Choose the signed PDF."]})
    return hashlib.file_digest(document.stream, "sha256").hexdigest()  # type: ignore[arg-type]
