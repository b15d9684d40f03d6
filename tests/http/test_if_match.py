"""`If-Match` with several tags: any of them may be the current one (RFC 9110, 13.1.1)."""

from __future__ import annotations

import pytest

from tests.support.tenants import Api


@pytest.fixture
def versions(api: Api) -> tuple[str, str, str]:
    """An engagement's path, its first tag, and its current one."""
    made = api.post("/api/engagements", {"name": "first"})
    path = f"/api/engagements/{made.json['id']}"
    changed = api.put(path, {"name": "second"})
    return path, made.headers["ETag"], changed.headers["ETag"]


@pytest.mark.parametrize(
    "tags",
    ["{old}, {current}", "{current}, {old}", '"999-ab", {current}, "garbage"', "*", "{current}"],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_any_of_the_listed_tags_may_match(
    api: Api, versions: tuple[str, str, str], tags: str, method: str
) -> None:
    path, old, current = versions
    sent = tags.format(old=old, current=current)
    if method == "PUT":
        answer = api.put(path, {"name": "third"}, If_Match=sent)
    elif method == "DELETE":
        answer = api.delete(path, If_Match=sent)
    else:
        answer = api.post(f"{path}/trash", If_Match=sent)
    assert answer.status in (200, 204), answer.text


@pytest.mark.parametrize(
    "tags",
    ['{old}, "999-ab"', "W/{current}", "W/{current}, {old}", '"garbage", "more"', '""', "{old}"],
)
def test_a_weak_tag_never_matches_nor_does_a_list_without_the_current_one(
    api: Api, versions: tuple[str, str, str], tags: str
) -> None:
    path, old, current = versions
    sent = tags.format(old=old, current=current)
    assert api.put(path, {"name": "third"}, If_Match=sent).status == 412
    assert api.post(f"{path}/trash", If_Match=sent).status == 412
    assert api.get(path).json["name"] == "second"


def test_more_tags_than_anybody_can_have_seen_are_refused(
    api: Api, versions: tuple[str, str, str]
) -> None:
    path, _, current = versions
    many = ", ".join([current, *(f'"{n}-ab"' for n in range(100, 130))])
    answer = api.put(path, {"name": "third"}, If_Match=many)
    assert (answer.status, list(answer.json["errors"])) == (422, ["If-Match"])
