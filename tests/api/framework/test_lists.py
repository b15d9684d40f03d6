"""Lists and their neighbours: what the links of a page lead to."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.support.tenants import Answer, Api


def companies(api: Api, count: int) -> list[str]:
    return [api.made("/api/companies", {"name": f"c{n}"})["id"] for n in range(count)]


def ids(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["data"]]


def follow(api: Api, page: dict[str, Any], link: str) -> Answer:
    assert page["links"][link], f"no link to {link}"
    return api.get(page["links"][link])


@pytest.mark.parametrize("sort", ["created_at", "-created_at"])
def test_a_page_that_was_emptied_meanwhile_leads_back(api: Api, sort: str) -> None:
    made = companies(api, 5)
    if sort.startswith("-"):
        made.reverse()
    first = api.get(f"/api/companies?limit=3&sort={sort}").json
    assert ids(first) == made[:3]
    for gone in made[3:]:
        assert api.delete(f"/api/companies/{gone}").status == 204
    empty = follow(api, first, "next").json
    assert empty["data"] == []
    assert empty["links"]["next"] is None
    back = follow(api, empty, "prev").json
    assert ids(back) == made[:3], "every row before the page, the nearest too"
    assert back["links"]["prev"] is None
    again = follow(api, back, "next").json
    assert again["data"] == []


@pytest.mark.parametrize("sort", ["created_at", "-created_at"])
def test_the_page_before_that_was_emptied_meanwhile_leads_on(api: Api, sort: str) -> None:
    made = companies(api, 5)
    if sort.startswith("-"):
        made.reverse()
    first = api.get(f"/api/companies?limit=3&sort={sort}").json
    second = follow(api, first, "next").json
    for gone in made[:3]:
        assert api.delete(f"/api/companies/{gone}").status == 204
    empty = follow(api, second, "prev").json
    assert empty["data"] == []
    assert empty["links"]["prev"] is None
    assert ids(follow(api, empty, "next").json) == made[3:]


@pytest.mark.parametrize("sort", ["start_date", "-start_date"])
def test_a_list_is_paged_in_the_order_asked_for_and_back_again(api: Api, sort: str) -> None:
    """The days that two records share are told apart by the id; those without one come last."""
    days = ["2026-03-01", "2026-01-01", None, "2026-02-01", "2026-01-01", None]
    made = [
        api.made("/api/engagements", {"name": "x"} | ({"start_date": day} if day else {}))["id"]
        for day in days
    ]
    wanted = [made[n] for n in (1, 4, 3, 0, 2, 5)]
    if sort.startswith("-"):
        wanted.reverse()
    first = api.get(f"/api/engagements?limit=2&sort={sort}").json
    second = follow(api, first, "next").json
    third = follow(api, second, "next").json
    assert [ids(page) for page in (first, second, third)] == [wanted[n : n + 2] for n in (0, 2, 4)]
    assert third["links"]["next"] is None
    assert ids(follow(api, third, "prev").json) == wanted[2:4]


def test_a_cursor_of_the_list_in_another_order_is_refused(api: Api) -> None:
    companies(api, 3)
    first = api.get("/api/companies?limit=1&sort=name").json
    assert ids(follow(api, first, "next").json) != ids(first)
    elsewhere = first["links"]["next"].replace("sort=name", "sort=created_at")
    answer = api.get(elsewhere)
    assert answer.status == 422
    assert list(answer.json["errors"]) == ["cursor"]


@pytest.mark.parametrize("value", [["x"], None, 7, "\x00", "\ud800"])
def test_a_cursor_made_by_hand_is_refused(api: Api, value: Any) -> None:
    data = json.dumps(["name", value, "0" * 32, 0])
    cursor = base64.urlsafe_b64encode(data.encode()).rstrip(b"=").decode()
    answer = api.get(f"/api/companies?sort=name&cursor={cursor}")
    assert (answer.status, list(answer.json["errors"])) == (422, ["cursor"])


def test_what_is_expanded_is_there_where_the_brief_is(api: Api) -> None:
    """A deleted company is still named by what belonged to it, in short and whole."""
    company = api.made("/api/companies", {"name": "Gone & Co", "phone": "123"})
    body = {"first_name": "Robin", "client_company_id": company["id"]}
    contact = api.made("/api/contacts", body)
    assert api.delete(f"/api/companies/{company['id']}").status == 204
    path = f"/api/contacts/{contact['id']}"
    assert api.get(path).json["client_company"] == {"id": company["id"], "name": "Gone & Co"}
    whole = api.get(f"{path}?expand=client_company").json["client_company"]
    assert whole["phone"] == "123"
    [listed] = api.get("/api/contacts?expand=client_company").json["data"]
    assert listed["client_company"] == whole
