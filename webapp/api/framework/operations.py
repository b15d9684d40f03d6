"""An operation of the API: how it is declared, and how a request to it is answered.

A resource's module declares its operations; everything they share is here, and a plain resource
needs nothing but `Resource`. CONTRIBUTING.md walks through one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from models.db.tenancy import TenantContext, in_context
from webapp.auth.credentials import api_key_context
from webapp.auth.guard import checked, read_in
from webapp.core.transaction import in_transaction
from webapp.http.idempotency import idempotent_request, with_idempotency
from webapp.http.responses import ApiResponse, expected_row_versions
from webapp.http.uploads import FORM_TYPE, received_form
from webapp.services.common.exceptions import DomainError, StaleVersion

Function = Callable[..., Any]
AfterCommit = Callable[[ApiResponse], ApiResponse]
Credential = Callable[[str], TenantContext]
Form = Mapping[str, Any]


class StrictParser(FlaskParser):
    """Leaves unknown fields to the schema."""

    DEFAULT_UNKNOWN_BY_LOCATION: Mapping[str, str | None] = {}


_PARSER = StrictParser()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path: who may call it, what it takes, and which function answers.

    A request goes through the methods in the order in which they stand here.
    """

    function: Function
    method: str
    permission: str
    credential: Credential | None  # None: open to all, and in no tenant
    status: int
    out: Schema | None
    content_type: str | None
    body: Schema | None
    body_required: bool
    upload: tuple[str, ...]
    query: Schema | None
    if_match: bool
    has_etag: bool
    waits: bool
    answers: Mapping[int, type[Schema] | None]
    errors: tuple[type[DomainError], ...]
    after_commit: AfterCommit | None
    takes_file: bool  # the body is a form with a file, not JSON
    has_ranges: bool  # the answer can be asked for in parts

    def respond(self, path: Mapping[str, Any]) -> Response:
        """Answer a request to the path with these ids.

        What only reads is one statement that checks the credential itself; what writes is one
        transaction, whose first statement does. Raises what the credential and the service raise.
        """
        if self.credential is None:
            return self.answer(path).response()
        context = self.credential(self.permission)
        if self.method == "GET":
            result = read_in(context, lambda: self.answer(path))
        elif self.takes_file:
            # The bytes are there before the transaction begins: a slow client holds none.
            with received_form(context) as form:
                result = self.write(context, path, form)
        else:
            result = self.write(context, path)
        if self.after_commit is not None:
            with in_context(context):
                result = self.after_commit(result)
        return result.response()

    def write(
        self, context: TenantContext, path: Mapping[str, Any], form: Form | None = None
    ) -> ApiResponse:
        """The answer, committed; or the one kept under the request's Idempotency-Key."""
        if self.method == "POST":
            context.idempotency = idempotent_request(form)
        return in_transaction(
            context, lambda: with_idempotency(context, lambda: self.answer(path, form))
        )

    def answer(self, path: Mapping[str, Any], form: Form | None = None) -> ApiResponse:
        """What the function makes of the checked request."""
        result = self.call(self.arguments(path, form))
        if isinstance(result, ApiResponse):
            return result
        data = self.out.dump(result) if self.out is not None else None
        row_version = result.get("row_version") if isinstance(result, dict) else None
        return ApiResponse(self.status, data, row_version=row_version)

    def arguments(self, path: Mapping[str, Any], form: Form | None = None) -> dict[str, Any]:
        """The path's ids, `body` and `query` once they are checked. Raises ValidationError."""
        given = dict(path)
        if self.body is not None:
            sent = json_body(self.body_required) if form is None else form
            given["body"] = self.body.load(sent)
        if self.upload:
            given["upload"] = uploaded(self.upload)
        if self.query is not None:
            given["query"] = self.query_arguments()
        return given

    def query_arguments(self) -> Any:
        if request.query_string:
            return _PARSER.parse(self.query, location="query")
        return self.no_query

    @functools.cached_property
    def no_query(self) -> Any:
        """What the query says when there is none: its defaults."""
        assert self.query is not None
        return self.query.load({})

    def call(self, given: Mapping[str, Any]) -> Any:
        """Call the function, with the row version that `If-Match` asks for where it takes one.

        Of several tags any may match. The service compares right after it has locked the record,
        before it changes anything, so the next can be tried at once. Raises StaleVersion.
        """
        if not self.if_match:
            return self.function(**given)
        *others, last = expected_row_versions()
        for row_version in others:
            with suppress(StaleVersion):
                return self.function(**given, expected_row_version=row_version)
        return self.function(**given, expected_row_version=last)


class ApiBlueprint(Blueprint):
    """A resource's routes. `name` groups them in the API document."""

    ARGUMENTS_PARSER = _PARSER

    def __init__(self, name: str, prefix: str, *, description: str) -> None:
        super().__init__(name, name, url_prefix=prefix, description=description)

    def operation(
        self,
        method: str,
        rule: str,
        *,
        permission: str | None = None,
        open_because: str | None = None,
        credential: Credential = api_key_context,
        out: type[Schema] | None = None,
        status: int = 200,
        content_type: str | None = None,
        body: type[Schema] | None = None,
        body_required: bool = True,
        upload: tuple[str, ...] = (),
        query: type[Schema] | None = None,
        if_match: bool = False,
        has_etag: bool = False,
        waits: bool = False,
        answers: Mapping[int, type[Schema] | None] | None = None,
        errors: tuple[type[DomainError], ...] = (),
        after_commit: AfterCommit | None = None,
        takes_file: bool = False,
        has_ranges: bool = False,
    ) -> Callable[[Function], Function]:
        """Register the decorated function as one operation; its docstring is the summary.

        Who may call it: `permission` is what the caller must have, such as `sales:write`, and
        `credential` turns the request into the context of who sent it, not checked yet. An
        operation that needs neither says `open_because` instead, with the reason.

        What it takes: `body` and `query` are the schemas of what is sent; without
        `body_required` an empty body counts as `{}`. `upload` are the types of a file that is the
        whole body instead, given to the function as an Upload; with `takes_file` the body is a form
        whose `file` is in the store when the function gets it. `if_match` says that the function
        takes the row version the caller has seen, as `expected_row_version`.

        What it answers: the function is called with the path's ids, `body=` and `query=` inside
        the caller's tenant (in a transaction unless it only reads), and returns an ApiResponse,
        or data for `out`, answered with `status`. `content_type` is that of an answer in bytes.
        `after_commit` runs after the commit, on a fresh answer and on a replayed one.

        What only the document needs: `has_etag` (the answer carries one), `has_ranges` (parts of it
        can be asked for), `waits` (it heeds
        `Prefer`), `answers` (the schemas of other statuses), and `errors` (what the service
        raises beyond that which every operation of its form can).
        """
        if open_because is None:
            assert permission is not None, "say the permission, or why there is none"
            permission = checked(permission)
        else:
            permission = f"open: {open_because}"

        def register(function: Function) -> Function:
            operation = Operation(
                function=function,
                method=method,
                permission=permission,
                credential=credential if open_because is None else None,
                status=status,
                out=out() if out is not None else None,
                content_type=content_type,
                body=body() if body is not None else None,
                body_required=body_required,
                upload=upload,
                query=query() if query is not None else None,
                if_match=if_match,
                has_etag=has_etag,
                waits=waits,
                answers=answers or {},
                errors=errors,
                after_commit=after_commit,
                takes_file=takes_file,
                has_ranges=has_ranges,
            )
            self._add(rule, operation)
            return function

        return register

    def _add(self, rule: str, operation: Operation) -> None:
        """Route requests to the operation, and let the document know its schemas."""

        @functools.wraps(operation.function)
        def view(**path: Any) -> Response:
            return operation.respond(path)

        view.permission = operation.permission  # type: ignore[attr-defined]
        view.operation = operation  # type: ignore[attr-defined]
        view._apidoc = self._schemas_of(operation)  # type: ignore[attr-defined]
        self.add_url_rule(rule, view.__name__, view, methods=[operation.method])

    def _schemas_of(self, operation: Operation) -> dict[str, Any]:
        """What flask-smorest draws parameters, body and answers from.

        Its own decorators would parse and dump as well, so only what they note is taken;
        `webapp/api/framework/descriptions.py` adds the rest.
        """

        def documented() -> None: ...

        notes: Any = documented
        if operation.body is not None and operation.takes_file:
            notes = self.arguments(operation.body, location="form", content_type=FORM_TYPE)(notes)
        elif operation.body is not None:
            notes = self.arguments(operation.body, required=operation.body_required)(notes)
        if operation.query is not None:
            notes = self.arguments(operation.query, location="query")(notes)
        binary = operation.content_type is not None
        shape: Any = {"type": "string", "format": "binary"} if binary else operation.out
        notes = self.response(operation.status, shape, content_type=operation.content_type)(notes)
        for status, schema in operation.answers.items():
            notes = self.alt_response(status, schema=schema)(notes)
        found: dict[str, Any] = notes._apidoc
        return found


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent as the whole body, and the type it was sent as."""

    content_type: str
    content: bytes


def uploaded(types: tuple[str, ...]) -> Upload:
    """The file that is the request's body. Raises BadRequest without one, UnsupportedMediaType."""
    content = request.get_data()
    if not content:
        raise BadRequest("Send the file as the body.")
    if request.mimetype not in types:
        raise UnsupportedMediaType(f"Send the file as {' or '.join(types)}.")
    return Upload(request.mimetype, content)


def json_body(required: bool) -> Any:
    """The request's JSON; `{}` for an empty body that may be.

    Raises BadRequest for what is not JSON by the standard, UnsupportedMediaType.
    """
    data = request.get_data()
    if not data:
        if required:
            raise BadRequest("Send a JSON object as the body.")
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
