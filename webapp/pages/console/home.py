"""The console's first page."""

from __future__ import annotations

from typing import Any

from flask import g, render_template

from models.states import ENGAGEMENT, PROPOSAL
from webapp.auth import browser
from webapp.auth.credentials import session_context
from webapp.auth.guard import requires
from webapp.pages.console import blueprint
from webapp.services.identity import sessions
from webapp.services.overview.queries import latest_engagements, latest_proposals


@blueprint.get("")
@requires("sales:read", credential=session_context)
def home() -> str:
    account = sessions.account_of_caller()
    g.timezone = account["timezone"]
    secret = browser.cookie(browser.SESSION)
    assert secret is not None
    return render_template(
        "console/home.html",
        organization={"name": account["organization_name"]},
        user={"name": account["name"], "email": account["email"]},
        proposals=[
            {**row, "client": _client(row), "status": PROPOSAL.label(row["status"])}
            for row in latest_proposals()
        ],
        engagements=[
            {
                **row,
                "client": _client(row),
                "status": ENGAGEMENT.label(row["status"]),
                "projects": len(row["projects"]),
            }
            for row in latest_engagements()
        ],
        csrf_token=browser.form_token(secret),
    )


def _client(row: dict[str, Any]) -> str:
    """The client's company, else the person."""
    if row["client_company"]:
        return str(row["client_company"]["name"])
    contact = row["contact"]
    return f"{contact['first_name']} {contact['last_name']}".strip() if contact else ""
