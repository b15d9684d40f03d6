"""The organization's settings: read by all of it, changed by its administrators."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.support.tenants import Api, Tenant

PATH = "/api/organization"
ADDRESS = {"line1": "Hauptstr. 1", "postal_code": "10827", "city": "Berlin", "country": "DE"}


def test_what_was_never_set_has_a_default(api: Api, tenant: Tenant) -> None:
    found = api.get(PATH).json
    assert (found["id"], found["slug"]) == (str(tenant.id), tenant.slug)
    assert found["working_hours"]["monday"] == [["09:00", "17:00"]]
    assert found["working_hours"]["sunday"] == []
    assert found["thresholds"]["idle_days"] == 14
    assert found["address"] is None


def test_what_is_set_is_kept_and_the_rest_stays(api: Api) -> None:
    sent = {
        "name": "Müller & Töchter",
        "timezone": "Europe/Berlin",
        "tax_id": "DE136695976",
        "address": ADDRESS,
        "bank": {"holder": "Müller", "iban": "DE89 3704 0044 0532 0130 00", "bic": "COBADEFFXXX"},
        "invoice_number_pattern": "RE-{year}-{n:04}",
        "thresholds": {"idle_days": 5},
        "working_hours": {"saturday": [["10:00", "12:00"], ["13:00", "00:00"]]},
        "holidays_region": "DE-BE",
    }
    assert api.put(PATH, sent).status == 200
    found = api.get(PATH).json
    assert {name: found[name] for name in ("name", "timezone", "tax_id")} == {
        name: sent[name] for name in ("name", "timezone", "tax_id")
    }
    assert found["address"] == ADDRESS
    assert found["thresholds"] == {
        "idle_days": 5,
        "unanswered_hours": 8,
        "contract_ending_days": 30,
        "at_risk_days": 14,
    }
    assert found["working_hours"]["saturday"] == [["10:00", "12:00"], ["13:00", "00:00"]]
    assert found["working_hours"]["monday"] == [["09:00", "17:00"]]
    assert api.put(PATH, {"thresholds": {"at_risk_days": 20}}).status == 200
    assert api.get(PATH).json["thresholds"]["idle_days"] == 5


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"timezone": "Berlin"}, "timezone"),
        ({"tax_id": "DE136695977"}, "tax_id"),
        ({"bank": {"holder": "x", "iban": "DE89370400440532013001"}}, "bank.iban"),
        ({"bank": {"holder": "x", "iban": "DE89370400440532013000", "bic": "1"}}, "bank.bic"),
        ({"address": {**ADDRESS, "country": "Germany"}}, "address.country"),
        ({"address": {**ADDRESS, "city": " "}}, "address.city"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"invoice_number_pattern": "{year}"}, "invoice_number_pattern"),
        ({"invoice_number_pattern": "{n.__class__}"}, "invoice_number_pattern"),
        ({"reminder_days": [7, 1]}, "reminder_days"),
        ({"working_hours": {"monday": [["17:00", "09:00"]]}}, "working_hours.monday"),
        (
            {"working_hours": {"monday": [["09:00", "13:00"], ["12:00", "17:00"]]}},
            "working_hours.monday",
        ),
        ({"working_hours": {"monday": [["9", "17:00"]]}}, "working_hours.monday.0.0"),
        ({"holidays_region": "DE-XX"}, "holidays_region"),
        ({"thresholds": {"idle_days": 0}}, "thresholds.idle_days"),
        ({"link_days": 1000}, "link_days"),
        ({"brand": {"colour": "red"}}, "brand.colour"),
        ({"settings": {}}, "settings"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_changes_nothing(
    api: Api, sent: dict[str, Any], field: str
) -> None:
    before = api.get(PATH)
    answer = api.put(PATH, sent)
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert api.get(PATH).headers["ETag"] == before.headers["ETag"]


def test_nobody_overwrites_what_they_have_not_seen(api: Api) -> None:
    seen = api.get(PATH).headers["ETag"]
    assert api.put(PATH, {"payment_days": 30}, If_Match=seen).status == 200
    assert api.put(PATH, {"payment_days": 10}, If_Match=seen).status == 412
    assert api.get(PATH).json["payment_days"] == 30


def test_a_slug_that_another_organization_has_is_refused(api: Api, other_tenant: Tenant) -> None:
    answer = api.put(PATH, {"slug": other_tenant.slug})
    assert (answer.status, list(answer.json["errors"])) == (409, ["slug"])


def test_a_change_is_told_by_the_names_of_the_settings(api: Api, tenant: Tenant) -> None:
    api.put(PATH, {"payment_days": 30, "name": "New name"})
    api.put(PATH, {"payment_days": 30})
    tenant.run_jobs("activity.record")
    [event] = tenant.rows(
        "SELECT metadata FROM activity_events WHERE organization_id = %(organization_id)s"
        " AND entity_type = 'organization'"
    )
    assert event["metadata"] == {"fields": ["name", "payment_days"]}


def test_members_read_the_settings_and_do_not_change_them(tenant: Tenant, app: Flask) -> None:
    member = Api(app, api_key=tenant.key("member"))
    assert member.get(PATH).status == 200
    assert member.put(PATH, {"payment_days": 30}).status == 403
