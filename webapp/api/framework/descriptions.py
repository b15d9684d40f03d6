"""What the API document says of an operation beside its schemas: errors, headers, examples.

All of it follows from the operation's declaration and from the exceptions, so that no resource
writes any of it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from webapp.api.framework.examples import JsonSchema, example
from webapp.api.framework.operations import Operation
from webapp.auth.credentials import key_or_session_context, signing_link_context
from webapp.http.errors import RETRY_SECONDS, TITLES, slug, status_of
from webapp.http.idempotency import HEADER, MAX_LENGTH
from webapp.http.responses import MAX_TAGS
from webapp.http.wait import DEFAULT_SECONDS, MAX_SECONDS
from webapp.services.common import exceptions as domain

Json = dict[str, Any]
Failure = type[domain.DomainError]

# Refused for their form, before anything is looked up, so they have no type of their own.
REFUSED_BY_FORM = {
    400: "The body is missing, or not JSON where that is asked for.",
    404: "An id in the path is not a UUID.",
    413: "The body is larger than 1 MiB; a form with a file, than the setting FILE_MAX_MB.",
    415: "The body is not of a type that is accepted here.",
    416: "The range is not within the file.",
    429: "Too many requests from this address; wait for Retry-After.",
}
PROBLEM = {"$ref": "#/components/schemas/Problem"}
# What some problems carry in addition.
EXTRAS: Mapping[Failure, Json] = {
    domain.Invalid: {"errors": {"name": ["Missing data for required field."]}},
    domain.InvalidTransition: {"allowed": ["Paused", "Closed", "Cancelled"]},
    domain.AlreadySigned: {"engagement_id": "0198c0de-7a00-7000-8000-000000000042"},
}
ETAG = {
    "description": "The version of this representation, for If-Match and If-None-Match.",
    "schema": {"type": "string", "examples": ['"3-0f1e2d3c4b5a6978"']},
}
LOCATION = {
    "description": "Where to read it.",
    "schema": {"type": "string", "format": "uri-reference"},
}
RETRY_AFTER = {
    "description": "The seconds to wait before the next try.",
    "schema": {"type": "integer", "examples": [RETRY_SECONDS]},
}


def complete(description: Json, operation: Operation, path: str, responses: Json) -> None:
    """Add to what the document says of an operation; errors go into the shared `responses`."""
    description["description"] = _who_may_call(operation)
    if operation.credential is None or operation.credential is signing_link_context:
        description["security"] = []
    elif operation.credential is key_or_session_context:
        description["security"] = [{"apiKey": []}, {"session": []}]
    else:
        description["security"] = [{"apiKey": []}]
    parameters = [*description.get("parameters", []), *_headers_sent(operation)]
    if parameters:
        description["parameters"] = parameters
    if operation.upload:
        file = {"schema": {"type": "string", "format": "binary"}}
        description["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(operation.upload, file),
        }
    answers = description["responses"]
    answers.pop("422", None)  # from the schemas; it is among the errors
    for status, answer in answers.items():
        if headers := _headers_answered(operation, int(status)):
            answer["headers"] = headers
    if operation.has_etag and operation.method == "GET":
        answers["304"] = {"description": "It is still what If-None-Match names."}
    if operation.has_ranges:
        answers["206"] = {**answers["200"], "description": "The part that Range names."}
    for status, failures in errors(operation, path).items():
        name = "-".join([str(status), *(failure.__name__ for failure in failures)])
        responses.setdefault(name, _error(status, failures))
        answers[str(status)] = {"$ref": f"#/components/responses/{name}"}


def add_examples(description: Json, components: Mapping[str, JsonSchema]) -> None:
    """Give the body that is sent and each that is answered an example."""
    bodies = [(description.get("requestBody", {}), True)]
    bodies += [(answer, False) for answer in description["responses"].values()]
    for body, sent in bodies:
        content = body.get("content", {}).get("application/json")
        if content is not None:
            content["example"] = example(content["schema"], components, sent=sent)


def errors(operation: Operation, path: str) -> dict[int, Sequence[Failure]]:
    """The exceptions behind each status of an error; none for what is refused by its form."""
    found: dict[int, list[Failure]] = {}
    for failure in (*_usual(operation, path), *operation.errors):
        of_status = found.setdefault(status_of(failure), [])
        if failure not in of_status:
            of_status.append(failure)
    by_form = [400, 413, 415] if operation.body is not None or operation.upload else []
    by_form += [416] if operation.has_ranges else []
    by_form += [429] if operation.credential in (None, signing_link_context) else []
    return dict(sorted({**found, **dict.fromkeys(by_form, ())}.items()))


def _usual(operation: Operation, path: str) -> Iterator[Failure]:
    """What every operation of this form can raise."""
    if operation.credential is not None and operation.credential is not signing_link_context:
        yield domain.Unauthorized
        yield domain.Forbidden
    if "{" in path:
        yield domain.NotFound
    if operation.method != "GET":
        yield domain.Conflict
    if operation.if_match:
        yield domain.StaleVersion
    if (
        operation.body
        or operation.upload
        or operation.query
        or operation.if_match
        or operation.method == "POST"
    ):
        yield domain.Invalid
    if operation.method == "POST":
        yield domain.IdempotencyKeyReused
    yield domain.Unavailable


def _error(status: int, failures: Sequence[Failure]) -> Json:
    """The response of an error: which problems it may be, and an example of each."""
    shown = {slug(failure): _problem(status, failure) for failure in failures}
    if status in REFUSED_BY_FORM:
        name = f"refused-by-form-{status}"
        shown[name] = _body(status, "about:blank", REFUSED_BY_FORM[status])
    response: Json = {
        "description": " ".join(f"`{body['type']}`: {body['detail']}" for body in shown.values()),
        "content": {
            "application/problem+json": {
                "schema": PROBLEM,
                "examples": {name: {"value": body} for name, body in shown.items()},
            }
        },
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": RETRY_AFTER}
    return response


def _problem(status: int, failure: Failure) -> Json:
    detail = (failure.__doc__ or "").strip()
    return _body(status, f"/problems/{slug(failure)}", detail) | EXTRAS.get(failure, {})


def _body(status: int, kind: str, detail: str) -> Json:
    return {
        "type": kind,
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        "instance": "/api/proposals/0198c0de-7a00-7000-8000-000000000042",
        "request_id": "0198c0de7a0070008000000000000007",
    }


def _who_may_call(operation: Operation) -> str:
    if operation.credential is None:
        return f"{operation.permission.partition(': ')[2].capitalize()}."
    if operation.credential is signing_link_context:
        return "For whoever holds the link; the token in the path is the credential."
    return f"Needs the permission `{operation.permission}`."


def _headers_sent(operation: Operation) -> Iterator[Json]:
    if operation.method == "POST" and operation.credential is not None:
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[ -~]+$"}
        yield _header(
            HEADER,
            "Repeating the request with the same key, within 24 hours, repeats its answer.",
            schema,
        )
    if operation.if_match:
        yield _header(
            "If-Match",
            f"Up to {MAX_TAGS} ETags the caller has seen; 412 when none is the current one.",
        )
    if operation.has_etag and operation.method == "GET":
        yield _header("If-None-Match", "The ETag the caller has; 304 when it is still the same.")
    if operation.has_ranges:
        yield _header("Range", "A part of it, such as `bytes=0-1023`; the answer is 206 then.")
    if operation.waits:
        yield _header(
            "Prefer",
            f"`wait=N` waits up to N seconds (0 to {MAX_SECONDS}, {DEFAULT_SECONDS} unless stated)"
            " for the result; `respond-async` not at all. Without the result the answer is 202.",
        )


def _header(name: str, description: str, schema: Json | None = None) -> Json:
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }


def _headers_answered(operation: Operation, status: int) -> Json:
    headers: Json = {}
    if operation.has_etag:
        headers["ETag"] = ETAG
    if HTTPStatus(status) in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
        headers["Location"] = LOCATION
    if operation.waits:
        headers["Preference-Applied"] = {
            "description": "The part of Prefer that was heeded.",
            "schema": {"type": "string"},
        }
    return headers
