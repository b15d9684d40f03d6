"""An organization's own fields are checked by its own definitions."""

from __future__ import annotations

from typing import Any

import pytest

from models.db.base import db
from models.engagements import CustomFieldDefinition
from tests.support.tenants import Api, Tenant


@pytest.fixture
def defined(tenant: Tenant) -> None:
    def define() -> None:
        for key, field_type, options in (
            ("budget_code", "text", []),
            ("seats", "number", []),
            ("go_live", "date", []),
            ("vip", "boolean", []),
            ("tier", "choice", ["gold", "silver"]),
            ("regions", "choices", ["north", "south"]),
        ):
            db.session.add(
                CustomFieldDefinition(
                    entity_type="engagement",
                    key=key,
                    label=key,
                    field_type=field_type,
                    options=options,
                    required=key == "budget_code",
                )
            )

    tenant.run(define)


GOOD = {
    "budget_code": "A-1",
    "seats": 12.5,
    "go_live": "2026-09-01",
    "vip": True,
    "tier": "gold",
    "regions": ["north"],
}


@pytest.mark.usefixtures("defined")
def test_values_that_fit_are_kept_as_they_are(api: Api) -> None:
    made = api.made("/api/engagements", {"name": "x", "custom_fields": GOOD})
    assert api.get(f"/api/engagements/{made['id']}").json["custom_fields"] == GOOD


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"budget_code": None}, "budget_code"),
        ({"budget_code": 1}, "budget_code"),
        ({"budget_code": "nul\0"}, "budget_code"),
        ({"seats": "many"}, "seats"),
        ({"seats": True}, "seats"),
        ({"seats": 10**30}, "seats"),
        ({"go_live": "2026-02-30"}, "go_live"),
        ({"vip": "yes"}, "vip"),
        ({"tier": "bronze"}, "tier"),
        ({"regions": ["north", "east"]}, "regions"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_a_value_that_does_not_fit_is_named(api: Api, changes: dict[str, Any], key: str) -> None:
    answer = api.post("/api/engagements", {"name": "x", "custom_fields": {**GOOD, **changes}})
    assert answer.status == 422
    assert f"custom_fields.{key}" in answer.json["errors"]


@pytest.mark.usefixtures("defined")
def test_a_required_field_cannot_be_left_out(api: Api) -> None:
    answer = api.post("/api/engagements", {"name": "x"})
    assert answer.status == 422
    assert "custom_fields.budget_code" in answer.json["errors"]


def test_what_a_signature_creates_begins_with_the_defaults(api: Api, tenant: Tenant) -> None:
    for kind in ("engagement", "project"):
        field = {"key": "tier", "label": "Tier", "type": "text", "default": f"{kind} gold"}
        api.made("/api/custom-fields", {"entity_type": kind, **field})
    asked = {"key": "asked", "label": "Asked", "type": "text", "required": True}
    api.made("/api/custom-fields", {"entity_type": "engagement", **asked})
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [engagement] = api.get("/api/engagements?custom_fields[tier]=engagement gold").json["data"]
    assert engagement["custom_fields"] == {"tier": "engagement gold"}
    projects = api.get("/api/projects?custom_fields[tier]=project gold").json["data"]
    assert len(projects) == 3


def test_a_contract_that_is_signed_alone_opens_an_engagement_with_the_defaults(
    api: Api, tenant: Tenant
) -> None:
    field = {"key": "tier", "label": "Tier", "type": "text", "default": "gold"}
    api.made("/api/custom-fields", {"entity_type": "engagement", **field})
    contact = api.made("/api/contacts", {"first_name": "Sam"})
    contract = api.made(
        "/api/contracts", {"name": "Care", "body": "We care.", "contact_id": contact["id"]}
    )
    assert api.post(f"/api/contracts/{contract['id']}/sign").status < 300
    tenant.run_jobs()
    [engagement] = api.get("/api/engagements").json["data"]
    assert engagement["custom_fields"] == {"tier": "gold"}
