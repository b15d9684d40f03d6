"""Many sign at once: one signature, one engagement, whoever wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.support.tenants import Answer, Api, Tenant, a_signature

SIGNERS = 50
ROUNDS = 4


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_fifty_concurrent_signatures_make_one_engagement(
    app: Flask, tenant: Tenant, api: Api, round_number: int
) -> None:
    proposal = api.send_proposal()
    anybody = Api(app=app)

    def sign(number: int) -> Answer:
        headers = {"Idempotency-Key": "the-same"} if number % 5 == 0 else {}
        return anybody.post(
            f"/api/public/proposals/{proposal['token']}/sign",
            a_signature(proposal["content_sha256"]),
            Prefer="respond-async",
            **headers,
        )

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(sign, range(SIGNERS)))
    accepted = [a for a in answers if a.status == 202]
    refused = [a for a in answers if a.status == 409]
    assert len(accepted) + len(refused) == SIGNERS, {a.status for a in answers}
    fresh = [a for a in accepted if "Idempotent-Replayed" not in a.headers]
    assert len(fresh) == 1
    assert len({a.json["job"]["id"] for a in accepted}) == 1
    assert {a.json["type"] for a in refused} <= {"/problems/already-signed"}

    tenant.run_jobs()
    assert tenant.count("signatures") == 1
    assert tenant.count("engagements") == 1
    assert tenant.count("orders") == 1
    assert tenant.count("projects") == 3
    assert tenant.count("conversations") == 3
    assert tenant.count("jobs", "kind = 'sales.fulfil_signature'") == 1
    assert tenant.count("jobs", "state NOT IN ('done', 'cancelled')") == 0


def test_signing_and_declining_at_the_same_time_leave_one_outcome(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    proposal = api.send_proposal()
    anybody = Api(app=app)
    path = f"/api/public/proposals/{proposal['token']}"
    body = a_signature(proposal["content_sha256"])
    with ThreadPoolExecutor(2) as pool:
        signed = pool.submit(anybody.post, f"{path}/sign", body, Prefer="respond-async")
        declined = pool.submit(anybody.post, f"{path}/decline", {"reason": "Too dear"})
        outcomes = {signed.result().status, declined.result().status}
    assert 409 in outcomes
    assert outcomes & {200, 202}
    tenant.run_jobs()
    status = api.get(f"/api/proposals/{proposal['id']}").json["status"]
    assert tenant.count("engagements") == (1 if status == "Signed" else 0)


def test_one_idempotency_key_makes_one_engagement_from_concurrent_requests(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: Api(app=app, api_key=tenant.api_key).post(
                    "/api/engagements", {"name": "Once"}, Idempotency_Key="one"
                ),
                range(24),
            )
        )
    assert {a.status for a in answers} == {201}
    assert len({a.json["id"] for a in answers}) == 1
    assert tenant.count("engagements") == 1


def test_concurrent_changes_with_the_same_etag_let_one_through(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    made = api.post("/api/engagements", {"name": "Contended"})
    path, tag = f"/api/engagements/{made.json['id']}", made.headers["ETag"]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(
                lambda n: (
                    Api(app=app, api_key=tenant.api_key)
                    .put(path, {"name": f"Name {n}"}, If_Match=tag)
                    .status
                ),
                range(8),
            )
        )
    assert sorted(statuses) == [200] + [412] * 7
