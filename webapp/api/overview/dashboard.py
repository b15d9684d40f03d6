"""The dashboard: how the firm is doing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.api.framework.operations import ApiBlueprint
from webapp.schemas.overview import DashboardOut
from webapp.services.overview.dashboard import dashboard

blueprint = ApiBlueprint(
    "dashboard", "/api/dashboard", description="How the firm is doing, in numbers."
)


@blueprint.operation("GET", "", permission="billing:read", out=DashboardOut)
def get_dashboard() -> Mapping[str, Any]:
    """Tell how the firm is doing, each number with the list that it counts"""
    return dashboard()
