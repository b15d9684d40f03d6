"""`sx audit`: whether the money adds up."""

from __future__ import annotations

import sys

import click

from webapp.cli.base import (
    as_json,
    each_organization,
    make_app,
    perhaps_organization,
    run_as,
    say,
    table,
)

COLUMNS = ("organization", "kind", "entity_type", "entity_id", "detail")


@click.command()
@perhaps_organization
@as_json
def audit(slug: str | None, as_json: bool) -> None:
    """Look up whether the money adds up; ends with status 1 when it does not."""
    from webapp.services.billing.audit import audit_money

    app = make_app()
    rows = [
        {
            "organization": name,
            "kind": fault.kind,
            "entity_type": fault.entity_type,
            "entity_id": fault.entity_id,
            "detail": fault.detail,
        }
        for name, organization_id in each_organization(app, slug).items()
        for fault in run_as(app, organization_id, audit_money)
    ]
    say(as_json, rows, table(rows, *COLUMNS) if rows else "The money adds up.")
    if rows:
        sys.exit(1)
