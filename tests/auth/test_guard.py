"""Deny by default: an application with a route that nobody guards does not start."""

from __future__ import annotations

import pytest
from flask import Flask

from webapp.auth.guard import checked, open_to_all, refuse_unguarded_routes


def test_a_route_without_a_declared_permission_is_refused_by_name() -> None:
    app = Flask("unguarded", static_folder=None)
    app.add_url_rule("/open", "open", open_to_all("a test")(lambda: ""))
    refuse_unguarded_routes(app)
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    with pytest.raises(RuntimeError, match="/forgotten"):
        refuse_unguarded_routes(app)


def test_a_misspelt_permission_is_refused() -> None:
    with pytest.raises(ValueError, match="sales:sing"):
        checked("sales:sing")
