"""Every route declares who may call it; a route that does not is refused at start."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from models.db.queries import resolve_context
from models.db.tenancy import TenantContext, in_context
from webapp.auth.credentials import SAFE_METHODS, api_key_context
from webapp.auth.permissions import ALL_PERMISSIONS
from webapp.core.transaction import in_transaction

View = Callable[..., Any]


def requires(
    permission: str,
    *,
    credential: Callable[[str], TenantContext] = api_key_context,
    after_commit: Callable[[Any], Any] | None = None,
) -> Callable[[View], View]:
    """Let only callers with `permission` in, and run the view in their tenant.

    A reading view gets no transaction: each of its queries is one statement that checks the
    credential itself. A writing view runs in one transaction, whose first statement does;
    `after_commit` makes the answer of its result once that has committed.
    """
    checked(permission)

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            context = credential(permission)
            if request.method in SAFE_METHODS:
                return read_in(context, lambda: view(*args, **kwargs))
            result = in_transaction(context, lambda: view(*args, **kwargs))
            if after_commit is None:
                return result
            with in_context(context):
                return after_commit(result)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def open_to_all(reason: str) -> Callable[[View], View]:
    """Declare a route that needs no credential, with the reason why."""

    def decorate(view: View) -> View:
        view.permission = f"open: {reason}"  # type: ignore[attr-defined]
        return view

    return decorate


def refuse_unguarded_routes(app: Flask) -> None:
    """Raises RuntimeError naming each route without a declared permission: deny by default."""
    unguarded = sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "permission")
    )
    if unguarded:
        raise RuntimeError(f"routes without a declared permission: {', '.join(unguarded)}")


def checked(permission: str) -> str:
    """The permission, if there is such a one. Raises ValueError for a misspelt one, at start."""
    if permission not in ALL_PERMISSIONS:
        raise ValueError(f"no such permission: {permission}")
    return permission


def read_in(context: TenantContext, view: View) -> Any:
    """Run a reading view in `context`, and make sure that it was checked."""
    with in_context(context):
        try:
            answer = view()
        except Exception:
            # Who may not come in learns that first, whatever else was wrong with the request.
            resolve_context()
            raise
        resolve_context()
        return answer
