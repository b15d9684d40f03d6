"""Examples for the API document: drawn from the JSON Schema of what is sent and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonSchema = Mapping[str, Any]

# By the field's name, where its schema alone would make a dull one. A field that has an example of
# its own (`metadata={"examples": [...]}`) needs no line here.
BY_NAME: Mapping[str, str] = {
    "action": "api_key:proposal:signed",
    "city": "Berlin",
    "consent_text": "I agree to sign this proposal electronically.",
    "content": "The first draft is ready for you to look at.",
    "country": "DE",
    "currency": "EUR",
    "data": "Robin Ray",
    "decline_reason": "The budget was cut.",
    "description": "What is included, in a few words.",
    "document_sha256": "b" * 64,
    "entity_type": "proposal",
    "first_name": "Robin",
    "from": "Sent",
    "ip": "203.0.113.7",
    "last_name": "Ray",
    "line1": "Harbour Street 7",
    "locale": "en",
    "name": "Website relaunch",
    "notes": "Payable within 14 days.",
    "number": "P-00042",
    "phone": "+49 30 0000000",
    "postal_code": "10115",
    "reason": "The budget was cut.",
    "sha256": "a" * 64,
    "signer_name": "Robin Ray",
    "signing_url": "https://sx.example.com/sign/Zk3mZ3dBq0vT7n1yQ2rLwX8cJ5hG6fD4sA9pO0iU1eY",
    "subject": "Kickoff",
    "tax_number": "DE123456789",
    "to": "Signed",
    "url": "https://files.example.com/draft.pdf",
    "website": "https://juniper.example.com",
}
BY_ENDING: Mapping[str, str] = {
    "email": "robin@example.com",
    "sha256": "a" * 64,
    "total": "1250.00",
    "price": "1250.00",
    "number": "O-00042",
}
BY_FORMAT: Mapping[str, str] = {
    "uuid": "0198c0de-7a00-7000-8000-000000000042",
    "date-time": "2026-03-02T09:30:00Z",
    "date": "2026-03-02",
}
LATER = {"end_date", "due_date", "expected_close_date"}
# What only goes with a move of a state, which a request's example does not make.
WITH_A_MOVE = {"lost_reason", "reason"}


def example(
    schema: JsonSchema, components: Mapping[str, JsonSchema], *, name: str = "", sent: bool = False
) -> Any:
    """A value that the schema accepts. `name` is that of its field, if it is one.

    With `sent` it is what a client sends: the optional ids of other records and states are left
    out, because whether those are accepted depends on what is there.
    """
    while "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(schema[several][0], components, name=name, sent=sent)
    kinds = schema.get("type", "object")
    match kinds[0] if isinstance(kinds, list) else kinds:
        case "object":
            required = schema.get("required", ())
            return {
                key: example(value, components, name=key, sent=sent)
                for key, value in schema.get("properties", {}).items()
                if not sent or key in required or _can_be_sent(key, value)
            }
        case "array":
            singular = name.removesuffix("s")
            return [example(schema["items"], components, name=singular, sent=sent)]
        case "boolean":
            return True
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "number":
            return 1.5
    return _text(schema, name)


def _can_be_sent(name: str, schema: JsonSchema) -> bool:
    # `x-depends-on` marks a field that fits only some values of another one.
    if "anyOf" in schema or "x-depends-on" in schema:
        return False
    return schema.get("format") != "uuid" and name not in WITH_A_MOVE


def _text(schema: JsonSchema, name: str) -> str:
    if schema.get("format") in BY_FORMAT:
        return "2026-06-30" if name in LATER else BY_FORMAT[schema["format"]]
    if name in BY_NAME:
        return BY_NAME[name]
    return next((text for end, text in BY_ENDING.items() if name.endswith(end)), "example")
