"""Files of the engagement in messages (rulings.md, *Conversations*)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.forms import PDF, uploaded
from tests.support.tenants import Api, Tenant


@pytest.fixture
def project(api: Api) -> dict[str, Any]:
    engagement = api.made("/api/engagements", {"name": "Relaunch"})
    made: dict[str, Any] = api.made(
        "/api/projects", {"engagement_id": engagement["id"], "name": "Website"}
    )
    return made


def _talk(api: Api, project: dict[str, Any]) -> str:
    path = f"/api/projects/{project['id']}/conversations"
    return f"{path}/{api.made(path, {'subject': 'Files'})['id']}/messages"


def _file(api: Api, engagement_id: str, *, visible: bool = True) -> str:
    made = uploaded(api, engagement_id=engagement_id, visible_to_client=str(visible).lower())
    return str(made["id"])


def test_a_file_of_the_engagement_is_attached_as_it_is_named(
    api: Api, project: dict[str, Any]
) -> None:
    file_id = _file(api, project["engagement_id"])
    link = {"name": "Brief", "url": "https://files.example/brief", "size": 12}
    message = api.made(
        _talk(api, project), {"content": "", "attachments": [{"file_id": file_id}, link]}
    )
    assert message["attachments"] == [
        {
            "name": "plan.pdf",
            "url": f"/api/files/{file_id}/content",
            "size": len(PDF),
            "file_id": file_id,
        },
        link,
    ]
    assert api.get(message["attachments"][0]["url"]).content == PDF


def test_what_the_client_cannot_open_is_attached_to_internal_messages_alone(
    api: Api, project: dict[str, Any], tenant: Tenant
) -> None:
    body = {
        "content": "See this.",
        "attachments": [{"file_id": _file(api, project["engagement_id"], visible=False)}],
    }
    path = _talk(api, project)
    refused = api.post(path, body)
    assert refused.status == 422
    assert list(refused.json["errors"]) == ["attachments.0.file_id"]
    assert tenant.count("messages") == 0
    assert api.post(path, {**body, "is_internal": True}).status == 201


def test_a_file_of_another_engagement_or_a_deleted_one_is_not_known(
    api: Api, project: dict[str, Any]
) -> None:
    other = api.made("/api/engagements", {"name": "Other"})
    deleted = _file(api, project["engagement_id"])
    assert api.delete(f"/api/files/{deleted}").status == 204
    path = _talk(api, project)
    for file_id in (_file(api, other["id"]), deleted, project["id"]):
        answer = api.post(path, {"content": "x", "attachments": [{"file_id": file_id}]})
        assert answer.status == 422
        assert list(answer.json["errors"]) == ["attachments.0.file_id"]


@pytest.mark.parametrize(
    ("attachment", "field"),
    [
        ({"file_id": "self", "name": "x"}, "attachments.0.name"),
        ({"name": "x", "size": 1}, "attachments.0.url"),
        ({}, "attachments.0.name"),
    ],
)
def test_an_attachment_is_a_file_or_a_whole_link(
    api: Api, project: dict[str, Any], attachment: dict[str, Any], field: str
) -> None:
    if "file_id" in attachment:
        attachment["file_id"] = _file(api, project["engagement_id"])
    answer = api.post(_talk(api, project), {"content": "x", "attachments": [attachment]})
    assert answer.status == 422
    assert field in answer.json["errors"]
