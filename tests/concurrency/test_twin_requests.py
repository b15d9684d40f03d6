"""The same request sent several times at once, with one key: all get the first one's answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask

from tests.concurrency.test_waiting import another, answer_after
from tests.support.tenants import Answer, Api, Tenant, a_signature

TWINS = 4
ROUNDS = 5


def twins(send: Callable[[], Answer]) -> list[Answer]:
    """The answers to `TWINS` requests that leave at the same moment."""
    start = Barrier(TWINS)

    def one(_: int) -> Answer:
        start.wait(5)
        return send()

    with ThreadPoolExecutor(TWINS) as pool:
        return list(pool.map(one, range(TWINS)))


def assert_one_answer(answers: list[Answer], status: int) -> None:
    assert {answer.status for answer in answers} == {status}, [answer.text for answer in answers]
    assert len({answer.content for answer in answers}) == 1
    fresh = [answer for answer in answers if "Idempotent-Replayed" not in answer.headers]
    assert len(fresh) == 1


def test_twins_that_sign_get_the_first_answer(app: Flask, tenant: Tenant, api: Api) -> None:
    for _ in range(ROUNDS):
        proposal = api.send_proposal()
        path = f"/api/public/proposals/{proposal['token']}/sign"
        body = a_signature(proposal["content_sha256"])
        headers = {"Prefer": "respond-async", "Idempotency_Key": "one"}
        assert_one_answer(twins(lambda: Api(app=app).post(path, body, **headers)), 202)  # noqa: B023
    assert tenant.count("signatures") == ROUNDS


def test_twins_that_make_a_contact_get_the_first_answer(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    """The e-mail address is taken for the second: by the first, whose answer it was promised."""
    for number in range(ROUNDS):
        body = {"first_name": "Robin", "email": f"robin{number}@example.com"}
        key = f"contact {number}"
        assert_one_answer(
            twins(lambda: api.post("/api/contacts", body, Idempotency_Key=key)),  # noqa: B023
            201,
        )
    assert tenant.count("contacts") == ROUNDS


def test_twins_that_make_an_engagement_get_the_first_answer(tenant: Tenant, api: Api) -> None:
    for number in range(ROUNDS):
        key = f"engagement {number}"
        assert_one_answer(
            twins(lambda: api.post("/api/engagements", {"name": "x"}, Idempotency_Key=key)),  # noqa: B023
            201,
        )
    assert tenant.count("engagements") == ROUNDS


def test_twins_that_name_a_version_get_the_first_answer(tenant: Tenant, api: Api) -> None:
    """The first changes the version that the second names."""
    for number in range(ROUNDS):
        made = api.post("/api/engagements", {"name": "x"})
        path = f"/api/engagements/{made.json['id']}/trash"
        headers = {"If_Match": made.headers["ETag"], "Idempotency_Key": f"trash {number}"}
        assert_one_answer(twins(lambda: api.post(path, **headers)), 200)  # noqa: B023


def test_a_request_whose_twin_is_refused_too_is_refused_for_its_own_reason(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    """What is in the way is another's: nobody's answer is kept, and each is told why."""
    proposal = api.send_proposal()
    path = f"/api/proposals/{proposal['id']}/decline"
    with another(app, tenant) as other:
        other.execute(
            "UPDATE proposals SET status = 'expired', expired_at = now() WHERE id = %s",
            (proposal["id"],),
        )

        def decline() -> Answer:
            return api.post(path, {"reason": "Too dear"}, Idempotency_Key="declined")

        answer = answer_after(other, tenant, decline)
    problem: dict[str, Any] = answer.json
    assert (answer.status, problem["type"]) == (409, "/problems/invalid-transition")
    assert tenant.count("idempotency_keys", "key = 'declined'") == 0
