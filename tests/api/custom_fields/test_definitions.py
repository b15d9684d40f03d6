"""Custom fields over the API: defined, changed with their values, archived, and searched by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.tenants import Api, Tenant

PATH = "/api/custom-fields"


def define(api: Api, key: str = "tier", type_: str = "text", **more: Any) -> dict[str, Any]:
    body = {"entity_type": "engagement", "key": key, "label": key, "type": type_, **more}
    made: dict[str, Any] = api.made(PATH, body)
    return made


def engagement(api: Api, **custom: Any) -> str:
    made = api.made("/api/engagements", {"name": "x", "custom_fields": custom})
    id_: str = made["id"]
    return id_


def value(api: Api, id_: str, key: str = "tier") -> Any:
    return api.get(f"/api/engagements/{id_}").json["custom_fields"].get(key)


def found(api: Api, query: str) -> list[str]:
    return [row["id"] for row in api.get(f"/api/engagements?{query}").json["data"]]


def test_a_field_is_defined_and_its_values_are_checked(api: Api) -> None:
    made = define(api, type_="choice", options=["gold", "silver"], required=True, default="silver")
    assert (made["type"], made["options"], made["default"]) == (
        "choice", ["gold", "silver"], "silver",
    )  # fmt: skip
    assert value(api, engagement(api)) == "silver", "the default"
    assert value(api, engagement(api, tier="gold")) == "gold"
    answer = api.post("/api/engagements", {"name": "x", "custom_fields": {"tier": "tin"}})
    assert list(answer.json["errors"]) == ["custom_fields.tier"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "Tier"}, "key"),
        ({"type": "select"}, "type"),
        ({"entity_type": "invoice"}, "entity_type"),
        ({"type": "choice"}, "options"),
        ({"options": ["a"]}, "options"),
        ({"type": "choice", "options": ["a", "a"]}, "options"),
        ({"type": "number", "default": "many"}, "default"),
    ],
)
def test_a_definition_that_does_not_fit_is_refused_by_name(
    api: Api, body: dict[str, Any], field: str
) -> None:
    whole = {"entity_type": "deal", "key": "tier", "label": "x", "type": "text", **body}
    answer = api.post(PATH, whole)
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_a_key_is_taken_once_for_each_kind_of_record(api: Api) -> None:
    define(api)
    again = {"entity_type": "engagement", "key": "tier", "label": "x", "type": "text"}
    answer = api.post(PATH, again)
    assert (answer.status, list(answer.json["errors"])) == (409, ["key"])
    assert api.post(PATH, {**again, "entity_type": "deal"}).status == 201


@pytest.mark.parametrize(
    ("old", "given", "new", "kept"),
    [
        ("number", 12.5, "text", "12.5"),
        ("boolean", True, "text", "true"),
        ("text", "2026-03-01", "date", "2026-03-01"),
        ("number", 3, "money", "3.00"),
        ("url", "https://example.com", "text", "https://example.com"),
    ],
)
def test_values_are_converted_when_the_type_changes(
    api: Api, old: str, given: Any, new: str, kept: Any
) -> None:
    made = define(api, type_=old)
    id_ = engagement(api, tier=given)
    assert api.put(f"{PATH}/{made['id']}", {"type": new}).status == 200
    assert value(api, id_) == kept


def test_choices_become_one_choice_where_each_has_one(api: Api) -> None:
    made = define(api, type_="choices", options=["a", "b"])
    one, two = engagement(api, tier=["a"]), engagement(api, tier=["a", "b"])
    path = f"{PATH}/{made['id']}"
    answer = api.put(path, {"type": "choice"})
    assert (answer.status, answer.json["records"], answer.json["count"]) == (409, [two], 1)
    assert value(api, one) == ["a"], "all or none"
    api.put(f"/api/engagements/{two}", {"custom_fields": {"tier": ["b"]}})
    assert api.put(path, {"type": "choice"}).status == 200
    assert (value(api, one), value(api, two)) == ("a", "b")


def test_an_option_in_use_is_not_taken_away(api: Api) -> None:
    made = define(api, type_="choice", options=["gold", "silver"])
    id_ = engagement(api, tier="gold")
    path = f"{PATH}/{made['id']}"
    answer = api.put(path, {"options": ["silver"]})
    assert (answer.status, answer.json["records"]) == (409, [id_])
    assert api.get(path).json["options"] == ["gold", "silver"]
    assert api.put(path, {"options": ["gold", "tin"]}).status == 200


def test_an_archived_field_keeps_its_values_and_is_asked_for_no_more(api: Api) -> None:
    made = define(api, required=True)
    id_ = engagement(api, tier="gold")
    assert api.delete(f"{PATH}/{made['id']}").status == 204
    assert value(api, id_) == "gold"
    assert value(api, engagement(api)) is None, "it is required no more"
    assert api.put(f"/api/engagements/{id_}", {"custom_fields": {"tier": "gold"}}).status == 200
    restored = api.put(f"{PATH}/{made['id']}", {"archived": False})
    assert restored.json["archived_at"] is None


def test_a_field_for_a_user_takes_members_alone(api: Api, other_tenant: Tenant) -> None:
    from webapp.services.identity.accounts import create_user

    define(api, key="lead", type_="user")
    stranger = other_tenant.run(
        lambda: create_user("a@other.example", "Alex", "a long enough password", role="member").id
    )
    body = {"name": "x", "custom_fields": {"lead": str(stranger)}}
    answer = api.post("/api/engagements", body)
    assert (answer.status, list(answer.json["errors"])) == (422, ["custom_fields.lead"])


def test_lists_are_filtered_by_custom_fields(api: Api) -> None:
    define(api, key="tier")
    define(api, key="seats", type_="number")
    define(api, key="regions", type_="choices", options=["north", "south"])
    a = engagement(api, tier="gold", seats=12.5, regions=["north", "south"])
    b = engagement(api, tier="gold", seats=3)
    c = engagement(api, tier="tin")
    assert found(api, "custom_fields[tier]=gold") == [b, a]
    assert found(api, "custom_fields[tier]=gold&custom_fields[seats]=12.5") == [a]
    assert found(api, "custom_fields[regions]=south") == [a]
    assert found(api, "custom_fields[tier]=gold&status=Closed") == []
    api.put(f"/api/engagements/{a}", {"custom_fields": {"tier": "tin"}})
    assert found(api, "custom_fields[tier]=tin") == [c, a]
    first = api.get("/api/engagements?custom_fields[tier]=tin&limit=1&include=total").json
    assert first["meta"]["total"] == 2
    assert [row["id"] for row in api.get(first["links"]["next"]).json["data"]] == [a]
    answer = api.get("/api/engagements?custom_fields[unknown]=x")
    assert (answer.status, list(answer.json["errors"])) == (422, ["custom_fields[unknown]"])


def test_every_kind_of_record_is_found_by_its_custom_fields(api: Api) -> None:
    made = {
        "company": ("/api/companies", {"name": "x"}),
        "deal": ("/api/deals", {"name": "x"}),
        "contact": ("/api/contacts", {"first_name": "a", "last_name": "b", "email": "a@b.example"}),
    }
    for entity, (path, body) in made.items():
        api.made(PATH, {"entity_type": entity, "key": "tier", "label": "x", "type": "text"})
        record = api.made(path, {**body, "custom_fields": {"tier": "gold"}})
        data = api.get(f"{path}?custom_fields[tier]=gold").json["data"]
        assert [row["id"] for row in data] == [record["id"]], entity


def test_only_administrators_define_fields(api: Api, tenant: Tenant) -> None:
    member = Api(app=api.app, api_key=tenant.key("member"))
    assert member.get(PATH).status == 200
    body = {"entity_type": "deal", "key": "x", "label": "x", "type": "text"}
    assert member.post(PATH, body).status == 403


def test_a_value_of_another_organization_is_not_found(api: Api, other_tenant: Tenant) -> None:
    define(api)
    engagement(api, tier="gold")
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    define(stranger)
    assert found(stranger, "custom_fields[tier]=gold") == []
