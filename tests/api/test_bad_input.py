"""Bad input gets a clear problem naming the field, changes nothing, and is never a 500."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from models.db.base import db
from models.identity import ApiKey
from tests.support.tenants import ITEMS, Answer, Api, Tenant, a_proposal, a_signature
from webapp.services.common.secrets import new_api_key
from webapp.services.identity.keys import revoke_api_key


def assert_problem(answer: Answer, status: int, *fields: str) -> dict[str, Any]:
    """The answer is problem+json with this status, and names these fields."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(problem)
    assert problem["status"] == status
    for field in fields:
        assert field in problem["errors"], problem
    return problem


def an_item(**changes: Any) -> dict[str, Any]:
    return {"items": [{**ITEMS[0], **changes}]}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/engagements", {"name": "x", "colour": "red"}, "colour"),
        ("/api/engagements", {"name": "x", "organization_id": str(uuid4())}, "organization_id"),
        ("/api/engagements", {"name": 7}, "name"),
        ("/api/engagements", {"name": "   "}, "name"),
        ("/api/engagements", {"name": ""}, "name"),
        ("/api/engagements", {}, "name"),
        ("/api/engagements", {"name": "x" * 10_000}, "name"),
        ("/api/engagements", {"name": "nul\0"}, "name"),
        ("/api/engagements", {"name": "half a pair \ud800"}, "name"),
        ("/api/engagements", {"name": "x", "description": "nul\0"}, "description"),
        ("/api/engagements", {"name": "x", "status": "Asleep"}, "status"),
        ("/api/engagements", {"name": "x", "status": 9}, "status"),
        ("/api/engagements", {"name": "x", "status": True}, "status"),
        ("/api/engagements", {"name": "x", "total_value": "-1.00"}, "total_value"),
        ("/api/engagements", {"name": "x", "total_value": 12.5}, "total_value"),
        ("/api/engagements", {"name": "x", "total_value": "1e3"}, "total_value"),
        ("/api/engagements", {"name": "x", "total_value": "99999999999.00"}, "total_value"),
        ("/api/engagements", {"name": "x", "total_value": "1.00"}, "currency"),
        ("/api/engagements", {"name": "x", "currency": "euro"}, "currency"),
        ("/api/engagements", {"name": "x", "start_date": "2026-02-30"}, "start_date"),
        ("/api/engagements", {"name": "x", "start_date": "soon"}, "start_date"),
        (
            "/api/engagements",
            {"name": "x", "start_date": "2026-03-02", "end_date": "2026-03-01"},
            "end_date",
        ),
        ("/api/engagements", {"name": "x", "client_company_id": str(uuid4())}, "client_company_id"),
        ("/api/engagements", {"name": "x", "client_company_id": "1"}, "client_company_id"),
        ("/api/engagements", {"name": "x", "custom_fields": {"a": 1}}, "custom_fields.a"),
        ("/api/proposals", a_proposal(**an_item(price="1.005")), "items.0.price"),
        ("/api/proposals", a_proposal(**an_item(price="-5.00")), "items.0.price"),
        ("/api/proposals", a_proposal(**an_item(quantity=0)), "items.0.quantity"),
        ("/api/proposals", a_proposal(**an_item(quantity=10**30)), "items.0.quantity"),
        ("/api/proposals", a_proposal(**an_item(quantity="two")), "items.0.quantity"),
        ("/api/proposals", a_proposal(**an_item(name="  ")), "items.0.name"),
        ("/api/proposals", a_proposal(valid_until="2026-03-31T12:00:00"), "valid_until"),
        ("/api/proposals", a_proposal(valid_until="tomorrow"), "valid_until"),
        (
            "/api/proposals",
            a_proposal(contact={"first_name": "a", "last_name": "b", "email": "nobody"}),
            "contact.email",
        ),
        ("/api/projects", {"name": "x", "engagement_id": str(uuid4())}, "engagement_id"),
        ("/api/contacts", {"first_name": "a", "last_name": "b", "email": "a b"}, "email"),
        ("/api/services", {"name": "x", "price": "1.00"}, "currency"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(
    api: Api, tenant: Tenant, path: str, body: dict[str, Any], field: str
) -> None:
    assert_problem(api.post(path, body), 422, field)
    assert tenant.count("jobs") == 0
    for table in ("engagements", "proposals", "contacts", "client_companies", "services"):
        assert tenant.count(table) == 0, table


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "x"', 400),
        (b"", 400),
        (b'{"name": NaN}', 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"name": "' + b"x" * 10_000_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    api: Api, tenant: Tenant, body: bytes, status: int
) -> None:
    assert_problem(api.post("/api/engagements", body), status)
    assert tenant.count("engagements") == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_another_media_type_is_refused(api: Api, content_type: str) -> None:
    answer = api.post("/api/engagements", b'{"name": "x"}', Content_Type=content_type)
    assert_problem(answer, 415)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=999999999999999999999999", "limit"),
        ("limit=many", "limit"),
        ("cursor=garbage", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=eyJhIjoxfQ", "cursor"),
        ("sort=secret", "sort"),
        ("status=Asleep", "status"),
        ("client_company_id=1", "client_company_id"),
        ("page=2", "page"),
        ("expand=organization", "expand"),
    ],
)
def test_a_bad_query_is_named(api: Api, query: str, field: str) -> None:
    problem = assert_problem(api.get(f"/api/engagements?{query}"), 422)
    assert any(name.split(".")[0] == field for name in problem["errors"]), problem


def test_a_status_that_cannot_follow_is_refused_with_those_that_can(api: Api) -> None:
    made = api.made("/api/engagements", {"name": "x", "status": "Closed"})
    answer = api.put(f"/api/engagements/{made['id']}", {"status": "Active"})
    problem = assert_problem(answer, 409)
    assert problem["allowed"] == ["Cancelled"]
    assert api.get(f"/api/engagements/{made['id']}").json["status"] == "Closed"


def test_a_phase_cannot_be_skipped(api: Api) -> None:
    engagement = api.made("/api/engagements", {"name": "x"})
    project = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    problem = assert_problem(api.put(f"/api/projects/{project['id']}", {"phase": "Build"}), 409)
    assert problem["allowed"] == ["Setup"]


def test_a_stale_etag_changes_nothing(api: Api) -> None:
    made = api.post("/api/engagements", {"name": "first"})
    path = f"/api/engagements/{made.json['id']}"
    assert api.put(path, {"name": "second"}, If_Match=made.headers["ETag"]).status == 200
    for tag in (made.headers["ETag"], '"999-ab"', '"garbage"', "unquoted"):
        assert_problem(api.put(path, {"name": "third"}, If_Match=tag), 412)
    assert api.get(path).json["name"] == "second"


def test_an_idempotency_key_is_good_for_one_request(api: Api, tenant: Tenant) -> None:
    first = api.post("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    again = api.post("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    assert (again.status, again.content) == (first.status, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert_problem(api.post("/api/engagements", {"name": "y"}, Idempotency_Key="k"), 422)
    assert_problem(api.post("/api/companies", {"name": "x"}, Idempotency_Key="k"), 422)
    assert_problem(api.post("/api/engagements", {"name": "x"}, Idempotency_Key="k" * 256), 422)
    assert tenant.count("engagements") == 1


def test_another_key_holder_may_use_the_same_idempotency_key(api: Api, tenant: Tenant) -> None:
    other = Api(app=api.app, api_key=tenant.key("admin"))
    first = api.made("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    second = other.made("/api/engagements", {"name": "y"}, Idempotency_Key="k")
    assert first["id"] != second["id"]


class TestCredentials:
    """Who may not come in learns that, and nothing else."""

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer garbage", "Basic eDp5", "Bearer " + "x" * 5000, "bearer sx_live_"],
    )
    def test_a_malformed_credential_is_refused(self, app: Flask, header: str) -> None:
        answer = Api(app=app).get("/api/engagements", Authorization=header)
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_key_that_was_never_issued_is_refused(self, app: Flask) -> None:
        assert_problem(Api(app=app, api_key=new_api_key(uuid4())).get("/api/engagements"), 401)

    def test_a_key_with_a_typing_error_is_refused(self, app: Flask, tenant: Tenant) -> None:
        last = "a" if tenant.api_key[-1] != "a" else "b"
        wrong = tenant.api_key[:-1] + last
        assert_problem(Api(app=app, api_key=wrong).get("/api/engagements"), 401)

    def test_a_revoked_key_is_refused_from_the_next_request_on(
        self, app: Flask, tenant: Tenant
    ) -> None:
        key = tenant.key("admin")
        caller = Api(app=app, api_key=key)
        assert caller.get("/api/engagements").status == 200
        [row] = tenant.rows("SELECT id FROM api_keys WHERE organization_id = %(organization_id)s"
                            " ORDER BY created_at DESC LIMIT 1")  # fmt: skip
        tenant.run(lambda: revoke_api_key(row["id"]))
        assert_problem(caller.get("/api/engagements"), 401)
        assert_problem(caller.post("/api/engagements", {"name": "x"}), 401)

    def test_an_expired_key_is_refused(self, app: Flask, tenant: Tenant) -> None:
        key = tenant.key("admin")
        owner = app.config["SETTINGS"].owner_url
        assert owner is not None
        tenant.run(lambda: db.session.execute(db.update(ApiKey).values(expires_at=db.func.now())))
        tenant.run(
            lambda: db.session.execute(
                db.text("UPDATE credentials SET expires_at = now() WHERE kind = 'api_key'")
            )
        )
        assert_problem(Api(app=app, api_key=key).get("/api/engagements"), 401)

    def test_who_may_not_come_in_does_not_learn_what_was_wrong_with_the_request(
        self, app: Flask
    ) -> None:
        stranger = Api(app=app, api_key=new_api_key(uuid4()))
        assert_problem(stranger.post("/api/engagements", {"x": 1}), 401)
        assert_problem(stranger.get("/api/engagements?limit=0"), 401)
        assert_problem(stranger.get(f"/api/engagements/{uuid4()}"), 401)

    def test_a_viewer_may_read_but_not_write(self, app: Flask, tenant: Tenant) -> None:
        viewer = Api(app=app, api_key=tenant.key("viewer"))
        assert viewer.get("/api/engagements").status == 200
        assert_problem(viewer.post("/api/engagements", {"name": "x"}), 403)
        assert tenant.count("engagements") == 0

    def test_a_scope_narrows_what_its_key_may_do(self, app: Flask, tenant: Tenant) -> None:
        narrow = Api(app=app, api_key=tenant.key("owner", ("engagements:read",)))
        assert narrow.get("/api/engagements").status == 200
        assert_problem(narrow.get("/api/companies"), 403)
        assert_problem(narrow.post("/api/engagements", {"name": "x"}), 403)

    def test_expanding_needs_the_right_to_read_what_is_expanded(
        self, app: Flask, tenant: Tenant
    ) -> None:
        narrow = Api(app=app, api_key=tenant.key("owner", ("engagements:read",)))
        owner = Api(app=app, api_key=tenant.api_key)
        company = owner.made("/api/companies", {"name": "Secret notes", "notes": "confidential"})
        made = owner.made("/api/engagements", {"name": "x", "client_company_id": company["id"]})
        path = f"/api/engagements/{made['id']}?expand=client_company"
        assert owner.get(path).json["client_company"]["notes"] == "confidential"
        assert_problem(narrow.get(path), 403)
        assert_problem(narrow.get("/api/engagements?expand=client_company"), 403)

    def test_a_key_in_a_cookie_opens_nothing(self, app: Flask, tenant: Tenant) -> None:
        answer = Api(app=app).get("/api/engagements", Cookie=f"Authorization={tenant.api_key}")
        assert_problem(answer, 401)


class TestSigning:
    """What is wrong with a signature is said, and the proposal stays as it was."""

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"consent": False}, "consent"),
            ({"consent": "yes"}, "consent"),
            ({"signer_name": " "}, "signer_name"),
            ({"signer_email": "nobody"}, "signer_email"),
            ({"signature": {"method": "typed", "data": " "}}, "signature.data"),
            ({"signature": {"method": "drawn", "data": "data:image/png;base64,AAAA"}},
             "signature.data"),
            ({"signature": {"method": "stamped", "data": "x"}}, "signature.method"),
            ({"content_sha256": "abc"}, "content_sha256"),
            ({"extra": 1}, "extra"),
        ],
    )  # fmt: skip
    def test_an_incomplete_signature_is_refused(
        self, api: Api, anybody: Api, tenant: Tenant, changes: dict[str, Any], field: str
    ) -> None:
        proposal = api.send_proposal()
        body = a_signature(proposal["content_sha256"], **changes)
        answer = anybody.post(f"/api/public/proposals/{proposal['token']}/sign", body)
        assert_problem(answer, 422, field)
        assert tenant.count("signatures") == 0

    def test_signing_something_else_than_was_shown_is_refused(
        self, api: Api, anybody: Api, tenant: Tenant
    ) -> None:
        proposal = api.send_proposal()
        body = a_signature("0" * 64)
        answer = anybody.post(f"/api/public/proposals/{proposal['token']}/sign", body)
        assert assert_problem(answer, 409)["type"] == "/problems/content-changed"
        assert tenant.count("signatures") == 0

    def test_an_unknown_link_is_not_found(self, anybody: Api) -> None:
        for token in ("x", "A" * 43, "%00" * 43):
            assert_problem(anybody.get(f"/api/public/proposals/{token}"), 404)
            body = a_signature("0" * 64)
            assert_problem(anybody.post(f"/api/public/proposals/{token}/sign", body), 404)

    def test_the_link_of_a_revised_version_is_gone(self, api: Api, anybody: Api) -> None:
        proposal = api.send_proposal()
        api.made(f"/api/proposals/{proposal['id']}/revise")
        path = f"/api/public/proposals/{proposal['token']}"
        assert_problem(anybody.get(path), 410)
        assert_problem(anybody.post(f"{path}/sign", a_signature(proposal["content_sha256"])), 410)
        assert_problem(anybody.post(f"{path}/decline", {"reason": "no"}), 410)

    @pytest.mark.parametrize("path", ["send", "revise", "decline", "sign"])
    def test_a_signed_proposal_takes_no_further_action(self, api: Api, path: str) -> None:
        proposal = api.send_proposal()
        assert api.sign(proposal).status == 202
        body = {"reason": "late"} if path == "decline" else None
        assert_problem(api.post(f"/api/proposals/{proposal['id']}/{path}", body), 409)
        assert_problem(api.put(f"/api/proposals/{proposal['id']}", {"name": "x"}), 409)
        assert_problem(api.delete(f"/api/proposals/{proposal['id']}"), 409)

    def test_an_incomplete_draft_cannot_be_sent(self, api: Api) -> None:
        draft = api.made("/api/proposals", {"name": "x", "currency": "EUR"})
        answer = api.post(f"/api/proposals/{draft['id']}/send")
        assert_problem(answer, 422, "items", "contact_id")


def test_no_route_answers_a_method_it_does_not_have_without_saying_which(api: Api) -> None:
    answer = api.call("PATCH", "/api/engagements", {})
    assert_problem(answer, 405)
    assert "POST" in answer.headers["Allow"]


def test_an_unknown_path_is_a_problem_too(api: Api) -> None:
    assert_problem(api.get("/api/nothing"), 404)
    assert_problem(api.get("/api/engagements/not-a-uuid"), 404)
