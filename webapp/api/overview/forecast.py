"""The forecast: what the open deals may bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.api.framework.operations import ApiBlueprint
from webapp.schemas.common import Input, name
from webapp.schemas.overview import ForecastOut
from webapp.services.overview.forecast import forecast

blueprint = ApiBlueprint(
    "forecast", "/api/forecast", description="What the open deals may bring, and when."
)


class ForecastQuery(Input):
    owner_id = name()


@blueprint.operation("GET", "", permission="crm:read", query=ForecastQuery, out=ForecastOut)
def get_forecast(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell what the open deals may bring, by stage and by month"""
    return forecast(query.get("owner_id"))
