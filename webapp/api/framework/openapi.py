"""The OpenAPI 3.1 document: drawn from the routes and schemas, so that it equals them."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, current_app
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

import webapp.schemas.common as wire
from webapp.api.framework.descriptions import add_examples, complete
from webapp.auth.guard import open_to_all
from webapp.http.errors import from_http

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    allowed = fields.List(fields.String())  # the moves that are, on invalid-transition
    engagement_id = fields.UUID()  # what a signature became, on already-signed


class DocumentedApi(Api):
    """Api whose errors are problem+json and whose document we serve ourselves."""

    ERROR_SCHEMA = Problem
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation names its own errors

    def handle_http_exception(self, error: HTTPException) -> Response:
        """As everywhere: webapp/http/errors.py maps all errors, once."""
        return from_http(error)


def make_api(app: Flask) -> DocumentedApi:
    """The API of `app`; resources are registered with it."""
    app.config.update(
        API_TITLE="Service Engine X",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {
                "description": "Runs the client work of agencies and professional-services firms,"
                " from signature to hand-off.",
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "components": {
                "securitySchemes": {
                    "apiKey": {"type": "http", "scheme": "bearer"},
                    "session": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "sx_session",
                        "description": "The console's cookie. What changes something needs the"
                        " token of its page's forms as X-CSRF-Token.",
                    },
                }
            },
            "security": [{"apiKey": []}],
        },
    )
    api = DocumentedApi(app)
    converter = api.ma_plugin.converter
    for field in (wire.Money, wire.Moment, wire.Currency, wire.DecimalText):
        converter.field_mapping[field] = ("string", None)
    converter.add_attribute_function(describe_field)
    app.add_url_rule("/api/openapi.json", "openapi", openapi)
    app.extensions["api"] = api
    return api


def describe_field(
    self: Any, field: fields.Field[Any], *, ret: dict[str, Any], **_: Any
) -> dict[str, Any]:
    """What our own fields accept and answer, in JSON Schema."""
    if isinstance(field, wire.Related):
        ret.pop("$ref", None)
        shown = [self.resolve_nested_schema(schema) for schema in (field.schema, field.whole)]
        return {"anyOf": [*shown, {"type": "null"}] if field.allow_none else shown}
    described = _describe(field)
    if isinstance(field, wire.PlainText) and "pattern" not in ret and "enum" not in ret:
        described["pattern"] = field.PATTERN
    if field.allow_none and isinstance(described.get("type"), str):
        described["type"] = [described["type"], "null"]
    return described


def _describe(field: fields.Field[Any]) -> dict[str, Any]:
    match field:
        case wire.Money():
            return {"type": "string", "pattern": r"^\d{1,10}(\.\d{1,2})?$", "examples": ["1250.00"]}
        case wire.DecimalText(pattern=pattern, shown=shown):
            return {"type": "string", "pattern": pattern, "examples": [shown]}
        case wire.Currency():
            return {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]}
        case wire.Moment():
            return {"type": "string", "format": "date-time"}
        case wire.StateIn(machine=machine):
            labels = [state.label for state in machine.states.values()]
            numbers = [state.number for state in machine.states.values()]
            # Two enumerations of one type each: code generators leave out one of mixed types, and
            # one with names that differ in letter case alone.
            return {
                "anyOf": [
                    {"type": "string", "enum": labels},
                    {"type": "integer", "enum": numbers},
                ],
                "description": "The label or the number. The slug, and any letter case, are"
                f" accepted too: {', '.join(machine.states)}.",
            }
        case wire.StateLabel(machine=machine):
            return {"type": "string", "enum": [s.label for s in machine.states.values()]}
        case wire.StateNumber(machine=machine):
            return {"type": "integer", "enum": [s.number for s in machine.states.values()]}
    return {}


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of `app`, drawn once."""
    drawn: dict[str, Any] | None = app.extensions.get("openapi_document")
    if drawn is None:
        drawn = app.extensions["openapi_document"] = _draw(app)
    return drawn


def _draw(app: Flask) -> dict[str, Any]:
    spec: dict[str, Any] = app.extensions["api"].spec.to_dict()
    components = spec["components"]
    components["schemas"].pop("PaginationMetadata")  # flask-smorest's own, which nothing uses
    components["responses"] = {}
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is not None:
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            description = spec["paths"][path][operation.method.lower()]
            description["operationId"] = rule.endpoint.rpartition(".")[2]
            for parameter in description.get("parameters", ()):
                if parameter.get("schema", {}).get("type") == "object":
                    parameter |= {"style": "deepObject", "explode": True}
            complete(description, operation, path, components["responses"])
            add_examples(description, components["schemas"])
    spec["webhooks"] = {"event": {"post": _EVENT}}
    return spec


# What is sent to webhooks (rulings.md, *Webhooks*).
_EVENT: dict[str, Any] = {
    "operationId": "receive_event",
    "summary": "Something happened",
    "description": "Sent to each webhook that wants it, by Standard Webhooks. `type` is the kind of"
    " record and what happened to it, such as `contract.signed`; `data` is the event as"
    " `GET /api/events` has it, for the audience `clients` without `actor`, `action` and"
    " `metadata`.",
    "parameters": [
        {"in": "header", "name": name, "required": True, "schema": {"type": "string"}}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "timestamp", "data"],
                    "properties": {
                        "type": {"type": "string", "examples": ["contract.signed"]},
                        "timestamp": {"type": "string", "format": "date-time"},
                        "data": {"$ref": "#/components/schemas/ActivityEventOut"},
                    },
                },
            }
        },
    },
    "responses": {"2XX": {"description": "It was taken; anything else is tried again."}},
}


@open_to_all("the description of the API tells nothing of any tenant")
def openapi() -> Response:
    response = current_app.response_class(
        current_app.json.dumps(document(current_app._get_current_object())),  # type: ignore[attr-defined]
        mimetype="application/json",
    )
    response.headers["Cache-Control"] = "public, max-age=60"
    return response
