"""The front desk: REST resources, one module each."""

from __future__ import annotations

from flask import Flask

from webapp.api import (
    activity,
    companies,
    contacts,
    conversations,
    deals,
    engagements,
    health,
    jobs,
    messages,
    orders,
    projects,
    proposals,
    public,
    services,
    verification,
)
from webapp.api.framework.openapi import make_api

RESOURCES = (
    engagements, activity, projects, conversations, messages, proposals, public, verification,
    orders, companies, contacts, deals, services, jobs,
)  # fmt: skip


def init_api(app: Flask) -> None:
    """Register every resource, and the document that describes them."""
    api = make_api(app)
    for module in RESOURCES:
        api.register_blueprint(module.desk)
    app.register_blueprint(health.blueprint)
