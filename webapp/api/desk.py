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

from models.tenancy import Scope, in_scope
from webapp.api.answers import Answer
from webapp.auth.credentials import api_key_scope
from webapp.auth.guard import checked, read_in
from webapp.idempotency import HEADER, key_of_request, once
from webapp.transaction import in_transaction

Function = Callable[..., Any]
Finish = Callable[[Answer], Answer]


class StrictParser(FlaskParser):
    """Refuses what JSON itself does not have, and leaves unknown fields to the schema."""

    DEFAULT_UNKNOWN_BY_LOCATION: Mapping[str, str | None] = {}

    def load_json(self, req: Any, schema: Any) -> Any:
        data = req.get_data()
        if not data:
            return {}
        try:
            return json.loads(data, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not valid JSON.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Desk(Blueprint):
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
        finish: Finish | None = None,
        credential: Callable[[str], Scope] = api_key_scope,
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
            work = function
            if body is not None:
                work = self.arguments(body(), required=body_required, arg_name="body")(work)
            asked = work
            if query is not None:
                # Instances, not classes: webargs would make one anew for every request.
                asked = self.arguments(query(), location="query", arg_name="query")(work)
                unasked = query().load({})

            def answer(path: Mapping[str, Any]) -> Answer:
                if body is not None:
                    _check_media_type(body_required)
                if query is None:
                    result = work(**path)
                elif request.query_string:
                    result = asked(**path)
                else:
                    result = work(query=unasked, **path)
                if not isinstance(result, Answer):
                    data = schema.dump(result) if schema is not None else None
                    version = result.get("row_version") if isinstance(result, dict) else None
                    result = Answer(status, data, version=version)
                return result

            @functools.wraps(function)
            def view(**path: Any) -> Response:
                scope = credential(permission)
                if method == "GET":
                    result = read_in(scope, lambda: answer(path))
                else:
                    if method == "POST":
                        scope.idempotency_key = key_of_request()
                    result = in_transaction(scope, lambda: once(scope, lambda: answer(path)))
                if finish is not None:
                    with in_scope(scope):
                        result = finish(result)
                return result.response()

            view.permission = requires_permission  # type: ignore[attr-defined]
            view._apidoc = getattr(asked, "_apidoc", {})  # type: ignore[attr-defined]
            self._document(view, method, schema, status, answers or {}, content_type)
            if credential is not api_key_scope:
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


def _check_media_type(body_required: bool) -> None:
    if not request.get_data():
        if body_required:
            raise BadRequest("Send a JSON object as the body.")
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
