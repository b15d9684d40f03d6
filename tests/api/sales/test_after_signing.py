"""What the parties see of a signature afterwards, and what a preview of it leaves alone."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from tests.support.tenants import Api, Tenant


def _signed(api: Api, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    proposal = api.send_proposal(**changes)
    assert api.sign(proposal).status == 202
    tenant.run_jobs("sales.fulfil_signature")
    return {**proposal, **api.get(f"/api/proposals/{proposal['id']}").json}


def _result(anybody: Api, proposal: dict[str, Any]) -> Any:
    return anybody.get(f"/api/public/proposals/{proposal['token']}/result").json


def test_a_trashed_project_is_not_shown_to_the_client(
    api: Api, anybody: Api, tenant: Tenant
) -> None:
    signed = _signed(api, tenant)
    first, *others = _result(anybody, signed)["projects"]
    assert api.delete(f"/api/projects/{first['id']}").status == 204
    assert _result(anybody, signed)["projects"] == others
    page = anybody.get(f"/sign/{signed['token']}").text
    assert others[0]["name"] in page
    assert f"<h3>{first['name']}</h3>" not in page


def test_a_trashed_engagement_is_not_shown_to_the_client(
    app: Flask, api: Api, anybody: Api, tenant: Tenant
) -> None:
    signed = _signed(api, tenant)
    name = _result(anybody, signed)["engagement"]["name"]
    assert api.post(f"/api/engagements/{signed['converted_engagement_id']}/trash").status == 200
    result = _result(anybody, signed)
    assert (result["engagement"], result["projects"]) == (None, [])
    assert result["order"]["total"] == signed["total"]
    page = anybody.get(f"/sign/{signed['token']}").text
    assert name not in page
    assert "We are setting things up" not in page
    tenant.run_jobs()
    assert tenant.count("jobs", "state <> 'done'") == 0
    folder = Path(app.config["SETTINGS"].var_dir) / "mail"
    mails = [
        message_from_bytes(file.read_bytes(), policy=policy.default)
        for file in folder.glob("signed_client.*.eml")
    ]
    [mail] = [m for m in mails if signed["contact"]["email"] in str(m["To"])]
    body = mail.get_body(("plain",))
    assert body is not None
    assert name not in str(body.get_content())


def test_a_deal_that_is_won_after_all_keeps_no_reason_for_having_been_lost(
    api: Api, tenant: Tenant
) -> None:
    deal = api.made("/api/deals", {"name": "Relaunch"})
    proposal = api.send_proposal(deal_id=deal["id"])
    api.put(f"/api/deals/{deal['id']}", {"stage": "lost", "lost_reason": "Too dear"})
    assert api.sign(proposal).status == 202
    won = api.get(f"/api/deals/{deal['id']}").json
    assert (won["stage"], won["lost_reason"]) == ("Won", None)
    assert won["closed_at"] is not None


def test_a_viewers_preview_takes_no_number_and_waits_for_nobody_who_does(
    app: Flask, api: Api, tenant: Tenant
) -> None:
    _signed(api, tenant)
    numbers = "SELECT series, last FROM number_series WHERE organization_id = %(organization_id)s"
    proposal = api.send_proposal()
    before = tenant.rows(f"{numbers} ORDER BY series")
    url = app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    viewer = Api(app=app, api_key=tenant.key("viewer"))
    with psycopg.connect(url.render_as_string(hide_password=False)) as signing:
        signing.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        signing.execute(f"{numbers} FOR UPDATE", {"organization_id": tenant.id})
        preview = viewer.post(f"/api/proposals/{proposal['id']}/preview-signature")
        assert preview.status == 200, preview.text
    assert preview.json["order"]["number"] is None
    assert tenant.rows(f"{numbers} ORDER BY series") == before
