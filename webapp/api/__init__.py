"""The REST API: resources by domain, one module each."""

from __future__ import annotations

from flask import Flask

from webapp.api import health, metrics
from webapp.api.activity import events, timeline
from webapp.api.billing import (
    audit,
    bank_entries,
    bank_statements,
    credit_notes,
    invoices,
    online_payments,
    orders,
    payments,
    reports,
    schedules,
)
from webapp.api.catalog import engagement_templates, project_templates, services
from webapp.api.conversations import conversations, messages
from webapp.api.crm import companies, contacts, deals
from webapp.api.engagements import contracts as engagement_contracts
from webapp.api.engagements import custom_fields, engagements
from webapp.api.files import files
from webapp.api.framework.openapi import make_api
from webapp.api.identity import (
    api_keys,
    audit_log,
    invitations,
    members,
    organization,
    password_resets,
    sessions,
)
from webapp.api.jobs import jobs
from webapp.api.overview import dashboard, forecast
from webapp.api.projects import milestones, projects, tasks, time_entries
from webapp.api.sales import (
    contract_links,
    contracts,
    proposals,
    signing_links,
    verification,
)
from webapp.api.webhooks import webhooks

RESOURCES = (
    engagements, timeline, events, projects, conversations, messages, proposals, signing_links,
    contract_links,
    verification, orders, companies, contacts, deals, services, jobs,
    organization, invoices, payments, credit_notes, schedules, reports,
    milestones, tasks, project_templates, dashboard, contracts, engagement_contracts,
    custom_fields, time_entries, bank_statements, bank_entries,
    online_payments, audit, files, webhooks, forecast, engagement_templates,
    api_keys, audit_log, members, sessions, invitations, password_resets,
)  # fmt: skip


def init_api(app: Flask) -> None:
    """Register every resource, and the document that describes them."""
    api = make_api(app)
    for module in RESOURCES:
        api.register_blueprint(module.blueprint)
    api.register_blueprint(tasks.project_blueprint)
    api.register_blueprint(bank_entries.statement_blueprint)
    api.register_blueprint(online_payments.webhook_blueprint)
    api.register_blueprint(invitations.public_blueprint)
    api.register_blueprint(messages.revision_blueprint)
    api.register_blueprint(messages.engagement_blueprint)
    for blueprint in (files.version_blueprint, *webhooks.BLUEPRINTS):
        api.register_blueprint(blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
