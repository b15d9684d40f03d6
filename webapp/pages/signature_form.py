"""The form with which a client signs: what it sends, and what is said of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from webapp.http.errors import flatten
from webapp.schemas.signing import SignIn
from webapp.services.common.exceptions import Invalid

Page = tuple[str, int]
Errors = Mapping[str, list[str]]

# What a field says when nothing was entered; the schema's words are for programs.
MISSING = {
    "signer_name": "Enter your full name.",
    "signer_email": "Enter your email address.",
    "signature": "Type your name as your signature.",
    "drawn": "Draw your signature in the box, or choose to type it.",
    "consent": "Tick the box to say that you agree.",
    "content_sha256": "The form was not complete. Please read the proposal and sign once more.",
    "reason": "Say in a few words why.",
}


def signature_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The signature that the form sends, checked as the API checks it.

    Raises Invalid naming the fields.
    """
    is_drawn = form.get("method") == "drawn"
    data = form.get("drawn" if is_drawn else "signature", "")
    return checked_form(
        SignIn(),
        {
            "signer_name": form.get("signer_name", ""),
            "signer_email": form.get("signer_email", "").strip(),
            "consent": form.get("consent") == "yes",
            "signature": {"method": "drawn" if is_drawn else "typed", "data": data},
            "content_sha256": form.get("content_sha256", ""),
        },
    )


def checked_form(schema: Schema, body: dict[str, Any]) -> dict[str, Any]:
    """A form's content, checked as the API checks it. Raises Invalid naming the fields."""
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise Invalid(flatten(error.messages)) from error
    return loaded


def messages_of(error: Invalid, form: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong, by the form's own fields and in words for people."""
    drawn = form.get("method") == "drawn"
    errors: dict[str, list[str]] = {}
    for path, messages in error.errors.items():
        if path.partition(".")[0] == "selection":
            errors["selection"] = [*errors.get("selection", []), *messages]
            continue
        field = path if path in MISSING else ("drawn" if drawn else "signature")
        # Its own words where it was left out, and for what nobody types.
        silent = not form.get(field, "").strip() or field == "content_sha256"
        errors[field] = [MISSING[field]] if silent else messages
    return errors
