"""The front desk: how a route parses, authorises, calls one service, and answers.

A resource's module declares its operations; everything they share is here, and a plain
resource needs nothing but `crud`. CONTRIBUTING.md walks through one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
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
from webapp.http.idempotency import HEADER, idempotent_request, with_idempotency
from webapp.http.responses import ApiResponse

Function = Callable[..., Any]
Finish = Callable[[ApiResponse], ApiResponse]


class StrictParser(FlaskParser):
    """Leaves unknown fields to the schema."""

    DEFAULT_UNKNOWN_BY_LOCATION: Mapping[str, str | None] = {}


class ApiBlueprint(Blueprint):
    """A resource's routes. `tag` groups them in the API document."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, prefix: str, *, description: str) -> None:
        super().__init__(name, name, url_prefix=prefix, description=description)

    def operation(
        self,
        method: str,
        rule: str,
        *,
        permission: str,
        out: type[Schema] | Schema | None = None,
        status: int = 200,
        body: type[Schema] | None = None,
        body_required: bool = True,
        query: type[Schema] | None = None,
        after_commit: Finish | None = None,
        credential: Callable[[str], TenantContext] = api_key_context,
        answers: Mapping[int, type[Schema] | None] | None = None,
        content_type: str | None = None,
    ) -> Callable[[Function], Function]:
        """Register the decorated function as one operation.

        It is called with the path's ids, `body=` and `query=` once they are checked, inside the
        caller's tenant (in a transaction unless it only reads), and returns an Answer, or data
        for `out`. `finish` runs after the commit, on a fresh answer and on a replayed one.
        """
        schema = out() if isinstance(out, type) else out
        requires_permission = checked(permission)

        def register(function: Function) -> Function:
            documented = function
            body_schema = body() if body is not None else None
            query_schema = query() if query is not None else None
            if body_schema is not None:
                documented = self.arguments(body_schema, required=body_required)(documented)
            if query_schema is not None:
                documented = self.arguments(query_schema, location="query")(documented)
                unasked = query_schema.load({})

            def answer(path: Mapping[str, Any]) -> ApiResponse:
                given: dict[str, Any] = {}
                if body_schema is not None:
                    given["body"] = body_schema.load(json_body(body_required))
                if query_schema is not None:
                    given["query"] = unasked
                    if request.query_string:
                        given["query"] = self.ARGUMENTS_PARSER.parse(query_schema, location="query")
                result = function(**given, **path)
                if not isinstance(result, ApiResponse):
                    data = schema.dump(result) if schema is not None else None
                    row_version = result.get("row_version") if isinstance(result, dict) else None
                    result = ApiResponse(status, data, row_version=row_version)
                return result

            @functools.wraps(function)
            def view(**path: Any) -> Response:
                context = credential(permission)
                if method == "GET":
                    result = read_in(context, lambda: answer(path))
                else:
                    if method == "POST":
                        context.idempotency = idempotent_request()
                    result = in_transaction(
                        context, lambda: with_idempotency(context, lambda: answer(path))
                    )
                if after_commit is not None:
                    with in_context(context):
                        result = after_commit(result)
                return result.response()

            view.permission = requires_permission  # type: ignore[attr-defined]
            view._apidoc = getattr(documented, "_apidoc", {})  # type: ignore[attr-defined]
            self._document(view, method, schema, status, answers or {}, content_type)
            if credential is not api_key_context:
                view._apidoc["manual_doc"]["security"] = []  # type: ignore[attr-defined]
            endpoint = f"{function.__name__}"
            self.add_url_rule(rule, endpoint, view, methods=[method])
            return function

        return register

    def _document(
        self,
        view: Any,
        method: str,
        schema: Schema | None,
        status: int,
        answers: Mapping[int, type[Schema] | None],
        content_type: str | None,
    ) -> None:
        shape: Any = schema
        if content_type is not None:
            shape = {"type": "string", "format": "binary"}
        documented = self.response(status, shape, content_type=content_type)(view)
        view._apidoc = getattr(documented, "_apidoc", {})
        for code, other in answers.items():
            view._apidoc = getattr(self.alt_response(code, schema=other)(view), "_apidoc", {})
        manual = view._apidoc.setdefault("manual_doc", {})
        manual["operationId"] = view.__name__
        if method == "POST":
            manual["parameters"] = [
                {
                    "in": "header",
                    "name": HEADER,
                    "required": False,
                    "description": "Repeating the request with the same key repeats its answer.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255,
                               "pattern": "^[ -~]+$"},
                }
            ]  # fmt: skip


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
