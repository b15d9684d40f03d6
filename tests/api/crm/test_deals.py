"""Deals on their way: how long they are in a stage, what they may bring, and why they are lost."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.api.overview.test_dashboard import counted
from tests.support.tenants import Api, Tenant


def a_deal(api: Api, **values: Any) -> Any:
    return api.made("/api/deals", {"name": "x", **values})


def priced(api: Api, value: str, **values: Any) -> Any:
    return a_deal(api, value=value, **{"currency": "EUR", **values})


def lose(api: Api, deal: Any, reason: str) -> Any:
    path = f"/api/deals/{deal['id']}"
    answer = api.put(path, {"stage": "Lost", "lost_reason": reason})
    assert answer.status == 200, answer.text
    return answer.json


def amount(amounts: list[dict[str, Any]], currency: str = "EUR") -> tuple[int, str, str]:
    [one] = [each for each in amounts if each["currency"] == currency]
    return one["count"], one["value"], one["weighted"]


def test_a_deals_age_in_its_stage_begins_anew_with_each_stage(api: Api) -> None:
    deal = a_deal(api)
    path = f"/api/deals/{deal['id']}"
    renamed = api.put(path, {"name": "y"}).json
    assert renamed["stage_since"] == deal["stage_since"]
    moved = api.put(path, {"stage": "Qualified"}).json
    assert moved["stage_since"] > deal["stage_since"]


def test_deals_are_found_and_sorted_by_their_age_in_stage(api: Api) -> None:
    first, second = a_deal(api, name="first"), a_deal(api, name="second")
    moved = api.put(f"/api/deals/{first['id']}", {"stage": "Proposal"}).json

    def names(query: str) -> list[str]:
        return [deal["name"] for deal in api.get(f"/api/deals?{query}").json["data"]]

    assert names("sort=stage_since") == ["second", "first"]
    assert names("sort=-stage_since") == ["first", "second"]
    assert names(f"stage_since_from={moved['stage_since']}") == ["first"]
    assert names(f"stage_since_until={second['stage_since']}") == ["second"]


def test_a_deals_moves_are_kept_with_their_times(api: Api, tenant: Tenant) -> None:
    deal = a_deal(api)
    api.put(f"/api/deals/{deal['id']}", {"stage": "Qualified"})
    api.put(f"/api/deals/{deal['id']}", {"stage": "Proposal"})
    tenant.run_jobs()
    moves = tenant.rows(
        "SELECT from_state, to_state FROM activity_events WHERE organization_id ="
        " %(organization_id)s AND entity_id = %(deal)s AND type = 'status_changed'"
        " ORDER BY entity_version",
        deal=deal["id"],
    )
    assert [(m["from_state"], m["to_state"]) for m in moves] == [
        ("lead", "qualified"), ("qualified", "proposal"),
    ]  # fmt: skip


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_a_deal_is_not_lost_without_a_reason(api: Api, reason: str | None) -> None:
    deal = a_deal(api)
    body = {"stage": "Lost"} if reason is None else {"stage": "Lost", "lost_reason": reason}
    moved = api.put(f"/api/deals/{deal['id']}", body)
    made = api.post("/api/deals", {"name": "x", **body})
    for answer in (moved, made):
        assert (answer.status, list(answer.json["errors"])) == (422, ["lost_reason"])
    assert api.get(f"/api/deals/{deal['id']}").json["stage"] == "Lead"
    assert len(api.get("/api/deals").json["data"]) == 1


def test_the_reason_of_a_lost_deal_is_not_taken_away(api: Api) -> None:
    deal = a_deal(api, stage="Lost", lost_reason="Too dear")
    assert api.put(f"/api/deals/{deal['id']}", {"name": "y"}).status == 200
    refused = api.put(f"/api/deals/{deal['id']}", {"lost_reason": None})
    assert (refused.status, list(refused.json["errors"])) == (422, ["lost_reason"])


def test_a_lost_deal_says_from_which_stage_until_it_is_opened_again(api: Api) -> None:
    lost = lose(api, a_deal(api, stage="Negotiation"), "Too dear")
    assert (lost["lost_from"], lost["lost_reason"]) == ("Negotiation", "Too dear")
    opened = api.put(f"/api/deals/{lost['id']}", {"stage": "Lead"}).json
    assert (opened["lost_from"], opened["lost_reason"]) == (None, None)


def test_a_forecast_weighs_each_stage_by_its_probability_and_a_deal_by_its_own(api: Api) -> None:
    priced(api, "1000.00")
    priced(api, "1000.00", probability=33)
    priced(api, "0.05", stage="Proposal")
    priced(api, "200.00", stage="Proposal", currency="USD")
    found = api.get("/api/forecast").json
    stages = {each["stage"]: each for each in found["stages"]}
    assert [each["stage"] for each in found["stages"]] == [
        "Lead", "Qualified", "Proposal", "Negotiation",
    ]  # fmt: skip
    assert [each["probability"] for each in found["stages"]] == [10, 25, 50, 75]
    assert amount(stages["Lead"]["amounts"]) == (2, "2000.00", "430.00")
    assert amount(stages["Proposal"]["amounts"]) == (1, "0.05", "0.03")
    assert amount(stages["Proposal"]["amounts"], "USD") == (1, "200.00", "100.00")
    assert amount(found["totals"]) == (3, "2000.05", "430.03")
    assert stages["Qualified"]["amounts"] == []


def test_an_organization_sets_how_likely_its_stages_are(api: Api) -> None:
    priced(api, "1000.00")
    answer = api.put("/api/organization", {"stage_probabilities": {"lead": 20}})
    assert answer.json["stage_probabilities"]["negotiation"] == 75
    assert amount(api.get("/api/forecast").json["totals"])[2] == "200.00"
    for wrong in (101, -1, 1.5, "10"):
        body = {"stage_probabilities": {"lead": wrong}}
        assert api.put("/api/organization", body).status == 422
        assert api.post("/api/deals", {"name": "x", "probability": wrong}).status == 422


def test_a_forecast_tells_the_months_in_which_deals_are_expected_to_close(api: Api) -> None:
    priced(api, "100.00", expected_close_date="2020-02-29")
    priced(api, "200.00", expected_close_date="2999-12-31")
    priced(api, "300.00", expected_close_date="2999-12-01", stage="Negotiation")
    priced(api, "400.00")
    months = api.get("/api/forecast").json["months"]
    assert [(each["month"], each["is_past"]) for each in months] == [
        ("2020-02", True), ("2999-12", False), (None, False),
    ]  # fmt: skip
    assert amount(months[1]["amounts"]) == (2, "500.00", "245.00")
    assert amount(months[2]["amounts"]) == (1, "400.00", "40.00")


def test_each_number_of_a_forecast_is_what_its_list_counts(api: Api) -> None:
    for stage in ("Lead", "Qualified", "Proposal", "Negotiation"):
        priced(api, "10.00", stage=stage, expected_close_date="2999-02-03")
        priced(api, "10.00", stage=stage, currency="USD")
        a_deal(api, stage=stage)
    priced(api, "10.00", stage="Lost", lost_reason="x", expected_close_date="2999-02-03")
    gone = priced(api, "10.00")
    api.delete(f"/api/deals/{gone['id']}")
    found = api.get("/api/forecast").json
    numbers = [
        *found["stages"],
        *(one for each in found["stages"] for one in each["amounts"]),
        *(one for each in found["months"] for one in each["amounts"]),
        *found["totals"],
        found["without_value"],
    ]
    assert len(numbers) == 4 + 8 + 2 + 2 + 1
    for number in numbers:
        assert counted(api, number["query"]) == number["count"] > 0, number
    dashboard = api.get("/api/dashboard").json["forecast"]
    assert dashboard["amounts"] == found["totals"]
    assert counted(api, dashboard["query"]) == 8


def test_a_forecast_can_be_of_one_owner(api: Api) -> None:
    priced(api, "100.00", owner_id="kim & co")
    priced(api, "200.00")
    found = api.get("/api/forecast?owner_id=kim%20%26%20co").json
    assert amount(found["totals"]) == (1, "100.00", "10.00")
    assert counted(api, found["totals"][0]["query"]) == 1


def test_nobody_sees_another_organizations_forecast(api: Api, other_tenant: Tenant) -> None:
    priced(api, "100.00")
    lose(api, priced(api, "100.00"), "Too dear")
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    assert stranger.get("/api/forecast").json["totals"] == []
    assert stranger.get("/api/reports/lost-deals").json["data"] == []


def test_lost_deals_are_counted_by_reason_stage_and_month(api: Api, tenant: Tenant) -> None:
    lose(api, priced(api, "100.00", stage="Proposal"), "Too dear")
    lose(api, priced(api, "50.00", stage="Proposal"), " Too dear ")
    old = lose(api, priced(api, "25.00", stage="Lead"), "No answer")
    # Eleven at night on the last day of May in UTC is June in Berlin.
    api.put("/api/organization", {"timezone": "Europe/Berlin"})
    tenant.execute(f"UPDATE deals SET closed_at = '2026-05-31T23:00:00Z' WHERE id = '{old['id']}'")
    path = "/api/reports/lost-deals"
    by_reason = api.get(f"{path}?by=reason").json["data"]
    assert by_reason == [
        {"reason": "Too dear", "currency": "EUR", "count": 2, "value": "150.00"},
        {"reason": "No answer", "currency": "EUR", "count": 1, "value": "25.00"},
    ]
    june = f"{path}?lost_from=2026-06-01&lost_until=2026-06-01"
    assert api.get(june).json["data"] == [
        {"reason": "No answer", "stage": "Lead", "month": "2026-06", "currency": "EUR",
         "count": 1, "value": "25.00"}
    ]  # fmt: skip
    assert api.get(f"{path}?lost_until=2026-05-31").json["data"] == []
    assert api.get(f"{path}?by=colour").status == 422
    stages = {each["stage"]: each["count"] for each in api.get(f"{path}?by=stage").json["data"]}
    assert stages == {"Proposal": 2, "Lead": 1}


def test_lost_deals_are_told_as_a_table(api: Api) -> None:
    lose(api, priced(api, "100.00", stage="Proposal"), 'Too dear, "they" said')
    answer = api.get("/api/reports/lost-deals.csv?by=reason,stage")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["reason"], row["stage"], row["count"], row["value"]) == (
        'Too dear, "they" said', "Proposal", "1", "100.00",
    )  # fmt: skip
