"""Lists and their neighbours: what the links of a page lead to."""

from __future__ import annotations

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
