"""A reason of any length is kept or refused by name; nobody is told a constraint's name."""

from __future__ import annotations

import re

import pytest

from tests.support.tenants import Api, Tenant

LONGEST = "\N{GRINNING FACE}" * 2_000  # as many bytes as a character can have
TOO_LONG = "\N{GRINNING FACE}" * 20_000


@pytest.mark.parametrize(
    ("reason", "status"), [(LONGEST, 200), (TOO_LONG, 422), ("", 422), (" \n\u00a0", 422)]
)
@pytest.mark.parametrize("by", ["client", "staff"])
def test_a_reason_for_declining_is_kept_or_refused_by_name(
    api: Api, anybody: Api, tenant: Tenant, by: str, reason: str, status: int
) -> None:
    proposal = api.send_proposal()
    caller, path = {
        "client": (anybody, f"/api/public/proposals/{proposal['token']}"),
        "staff": (api, f"/api/proposals/{proposal['id']}"),
    }[by]
    answer = caller.post(f"{path}/decline", {"reason": reason})
    assert answer.status == status, answer.text[:300]
    if status == 422:
        assert list(answer.json["errors"]) == ["reason"]
    tenant.run_jobs("activity.record")
    assert tenant.count("activity_events", "type = 'declined'") == (status == 200)


def test_the_document_says_that_a_required_reason_is_not_blank(anybody: Api) -> None:
    schemas = anybody.get("/api/openapi.json").json["components"]["schemas"]
    pattern = schemas["DeclineIn"]["properties"]["reason"]["pattern"]
    assert re.search(pattern, "Too dear.")
    assert not re.search(pattern, " ")


def test_a_reason_for_losing_a_deal_that_is_too_long_is_refused_by_name(api: Api) -> None:
    deal = api.made("/api/deals", {"name": "Relaunch"})
    answer = api.put(f"/api/deals/{deal['id']}", {"stage": "lost", "lost_reason": TOO_LONG})
    assert (answer.status, list(answer.json["errors"])) == (422, ["lost_reason"])


def test_a_reason_for_going_back_that_is_too_long_is_refused_by_name(api: Api) -> None:
    engagement = api.made("/api/engagements", {"name": "Care"})
    project = api.made("/api/projects", {"engagement_id": engagement["id"], "name": "Site"})
    path = f"/api/projects/{project['id']}"
    api.put(path, {"status": "completed"})
    answer = api.put(path, {"status": "active", "reason": TOO_LONG})
    assert (answer.status, list(answer.json["errors"])) == (422, ["reason"])
