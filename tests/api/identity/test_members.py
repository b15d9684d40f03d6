"""Members over REST: roles, keeping out, removal, and what was theirs."""

from __future__ import annotations

import secrets
import threading
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from tests.support.logins import PASSWORD, client_at, is_admitted, log_in, secret_of
from tests.support.tenants import Api, Tenant, a_proposal
from webapp.services.identity.accounts import create_user


class People:
    """Makes members of a tenant, and finds them over REST."""

    def __init__(self, tenant: Tenant, api: Api) -> None:
        self.tenant, self.api = tenant, api

    def add(self, role: str) -> dict[str, Any]:
        email = f"{secrets.token_hex(6)}@example.com"
        user_id = self.tenant.run(lambda: create_user(email, "Kim", PASSWORD, role=role).id)
        [member] = self.api.get(f"/api/members?user_id={user_id}").json["data"]
        found: dict[str, Any] = member
        return found


@pytest.fixture
def people(tenant: Tenant, api: Api) -> People:
    return People(tenant, api)


def path(member: dict[str, Any], verb: str = "") -> str:
    return f"/api/members/{member['id']}{verb}"


def logged_in(app: Flask, member: dict[str, Any]) -> str:
    client = client_at(app)
    assert log_in(client, member["user"]["email"]).status_code == 303
    return secret_of(client)


def test_members_are_listed_with_name_email_role_and_state(api: Api, people: People) -> None:
    viewer, admin = people.add("viewer"), people.add("admin")
    assert api.post(path(viewer, "/disable")).json["state"] == "disabled"
    listed = api.get("/api/members").json["data"]
    assert [member["role"] for member in listed] == ["admin", "viewer"]
    assert listed[0]["user"]["name"] == "Kim"
    assert [m["id"] for m in api.get("/api/members?state=active").json["data"]] == [admin["id"]]
    assert api.get(path(admin)).json == listed[0]


def test_another_role_holds_from_the_next_request_on(app: Flask, api: Api, people: People) -> None:
    member = people.add("owner")
    people.add("owner")
    client = client_at(app)
    log_in(client, member["user"]["email"])
    changed = api.put(path(member), {"role": "viewer"})
    assert changed.json["role"] == "viewer"
    assert client.get("/api/api-keys").status_code == 401  # keys are not for the console's cookie
    seen = client.get("/api/sessions").json
    assert seen is not None
    assert {row["user"]["email"] for row in seen["data"]} == {member["user"]["email"]}
    [event] = api.get("/api/audit-log?kind=member_role_changed").json["data"]
    assert event["metadata"] == {
        "email": member["user"]["email"],
        "from": "owner",
        "to": "viewer",
    }


def test_nobody_gives_or_takes_away_rights_that_they_lack(
    api: Api, tenant: Tenant, people: People
) -> None:
    owner, other = people.add("owner"), people.add("owner")
    member = people.add("member")
    admin = Api(app=api.app, api_key=tenant.key("admin"))
    assert admin.put(path(member), {"role": "owner"}).status == 403
    assert admin.put(path(owner), {"role": "member"}).status == 403
    assert admin.post(path(owner, "/disable")).status == 403
    assert admin.delete(path(owner)).status == 403
    assert admin.put(path(member), {"role": "admin"}).status == 200
    narrowed = Api(app=api.app, api_key=tenant.key("owner", ("identity:write",)))
    assert narrowed.put(path(member), {"role": "viewer"}).status == 403
    api.post(path(other, "/disable"))
    assert admin.post(path(other, "/enable")).status == 403


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_administrators_change_members(
    api: Api, tenant: Tenant, people: People, role: str
) -> None:
    member = people.add("viewer")
    caller = Api(app=api.app, api_key=tenant.key(role))
    assert caller.get("/api/members").status == 200
    assert caller.put(path(member), {"role": "member"}).status == 403
    assert caller.post(path(member, "/disable")).status == 403
    assert caller.delete(path(member)).status == 403


def test_the_last_owner_stays(api: Api, people: People) -> None:
    owner, disabled = people.add("owner"), people.add("owner")
    assert api.post(path(disabled, "/disable")).status == 200
    for answer in (
        api.put(path(owner), {"role": "admin"}),
        api.post(path(owner, "/disable")),
        api.delete(path(owner)),
    ):
        assert answer.status == 409
        assert "last owner" in answer.json["detail"]
    assert api.get(path(owner)).json == owner


def test_two_owners_who_demote_each_other_at_once_leave_one(api: Api, people: People) -> None:
    owners = [people.add("owner"), people.add("owner")]
    statuses = []

    def demote(member: dict[str, Any]) -> None:
        statuses.append(api.put(path(member), {"role": "member"}).status)

    threads = [threading.Thread(target=demote, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]


def test_a_removed_member_is_out_at_once(app: Flask, api: Api, people: People) -> None:
    member = people.add("member")
    session = logged_in(app, member)
    assert api.delete(path(member)).status == 204
    assert not is_admitted(app, session)
    assert log_in(client_at(app), member["user"]["email"]).status_code == 422
    assert api.get(path(member)).status == 404
    assert api.delete(path(member)).status == 404


def test_what_a_removed_member_owned_becomes_anothers(
    api: Api, tenant: Tenant, people: People
) -> None:
    leaving, staying = people.add("member"), people.add("member")
    old, new = leaving["user"]["id"], staying["user"]["id"]
    engagement = api.made("/api/engagements", {"name": "x", "owner_id": old})
    deal = api.made("/api/deals", {"name": "x", "owner_id": old})
    contract = api.made("/api/contracts", {"name": "x", "body": "x"})
    proposal = api.made("/api/proposals", a_proposal())
    for table, record in (("proposals", proposal), ("contracts", contract)):
        tenant.rows(
            f"UPDATE {table} SET owner_id = %(owner)s WHERE id = %(id)s RETURNING id",
            owner=old,
            id=record["id"],
        )
    project = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    tasks = f"/api/projects/{project['id']}/tasks"
    task = api.made(tasks, {"name": "open", "assignee_id": old})
    done = api.made(tasks, {"name": "done", "assignee_id": old})
    api.put(f"/api/tasks/{done['id']}", {"status": "Completed"})
    clock = api.made(
        "/api/time-entries", {"project_id": project["id"], "user_id": old, "running": True}
    )

    refused = api.delete(path(leaving))
    assert refused.status == 422
    [said] = refused.json["errors"]["hand_over_to"]
    assert said.endswith("their engagements, deals, proposals, contracts, open tasks.")
    for nobody in (uuid4(), leaving["id"]):
        assert api.delete(f"{path(leaving)}?hand_over_to={nobody}").status == 422
    assert api.get(path(leaving)).status == 200

    assert api.delete(f"{path(leaving)}?hand_over_to={staying['id']}").status == 204
    tenant.run_jobs()
    for record in (
        f"/api/engagements/{engagement['id']}",
        f"/api/deals/{deal['id']}",
        f"/api/contracts/{contract['id']}",
        f"/api/proposals/{proposal['id']}",
    ):
        assert api.get(record).json["owner_id"] == new, record
    assert api.get(f"/api/tasks/{task['id']}").json["assignee"]["id"] == new
    assert api.get(f"/api/tasks/{done['id']}").json["assignee"]["id"] == old
    assert not api.get(f"/api/time-entries/{clock['id']}").json["is_running"]
    told = api.get(f"/api/engagements/{engagement['id']}/timeline").json["data"]
    assert ["owner_id"] in [event["metadata"].get("fields") for event in told]


def test_more_than_one_run_hands_over(
    api: Api, tenant: Tenant, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.services.identity import handover

    leaving, staying = people.add("member"), people.add("member")
    for n in range(5):
        api.made("/api/engagements", {"name": f"{n}", "owner_id": leaving["user"]["id"]})
    monkeypatch.setattr(handover.hand_over, "__defaults__", (2,))
    assert api.delete(f"{path(leaving)}?hand_over_to={staying['id']}").status == 204
    tenant.run_jobs()
    owners = {row["owner_id"] for row in api.get("/api/engagements").json["data"]}
    assert owners == {staying["user"]["id"]}


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(
    api: Api, people: People
) -> None:
    member = people.add("viewer")
    tag = api.get(path(member)).headers["ETag"]
    assert api.put(path(member), {"role": "member"}, If_Match=tag).status == 200
    assert api.put(path(member), {"role": "admin"}, If_Match=tag).status == 412
    assert api.delete(path(member), If_Match=tag).status == 412
