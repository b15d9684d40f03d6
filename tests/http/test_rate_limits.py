"""Limits of the routes that anybody may call, and what they cost when the broker is away."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.conftest import OwnStack
from tests.support.tenants import Api


@pytest.fixture
def limited(own_stack: OwnStack) -> OwnStack:
    own_stack.stack.env["RATE_LIMITS"] = "on"
    own_stack.stack.start("web")
    return own_stack


def test_too_many_requests_are_told_when_to_come_back(limited: OwnStack) -> None:
    live = limited.live()
    path = f"/sign/{live.send_proposal()['token']}"
    answers = [live.client.get(path) for _ in range(61)]
    assert [answer.status for answer in answers] == [200] * 60 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    as_json = live.client.get(path, Accept="application/json")
    assert as_json.status == 429
    assert as_json.headers["Content-Type"] == "application/problem+json"
    assert live.client.get("/verify").status == 200, "each route has a limit of its own"


def test_declining_is_limited_more_than_reading(limited: OwnStack) -> None:
    live = limited.live()
    path = f"/api/public/proposals/{live.send_proposal()['token']}/decline"
    assert [live.client.post(path, {}).status for _ in range(21)] == [422] * 20 + [429]


def test_logging_in_is_limited_for_each_address(limited: OwnStack) -> None:
    client = limited.live().client
    form = {"email": "robin@example.com", "password": "guess"}
    url = f"{client.base_url}/console/login"
    answers = [client.session.post(url, data=form, timeout=10).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]


def test_the_authenticated_api_asks_the_broker_nothing(limited: OwnStack) -> None:
    live = limited.live()
    assert live.api.get("/api/proposals").status == 200
    with redis.Redis.from_url(limited.valkey.url) as broker:

        def commands() -> int:
            return int(broker.info("stats")["total_commands_processed"])

        before = commands()
        own = commands() - before
        before = commands()
        for _ in range(10):
            assert live.api.get("/api/proposals").status == 200
        assert commands() - before == own
        live.client.get("/verify")
        assert commands() - before > 2 * own, "while a limited route does"


def test_a_frozen_broker_delays_limited_requests_once(limited: OwnStack) -> None:
    live = limited.live()
    token = live.send_proposal()["token"]
    assert live.client.get(f"/sign/{token}").status == 200
    pid = limited.valkey.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:

        def timed(_: int) -> tuple[int, float]:
            started = time.monotonic()
            client = Api(base_url=live.base_url)
            return client.get(f"/sign/{token}").status, time.monotonic() - started

        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(timed, range(6)))
        after = [timed(n) for n in range(20)]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {status for status, _ in together + after} == {200}
    assert max(seconds for _, seconds in together) < 0.8  # half a second, and a busy machine
    # Now and then one request looks whether the broker is back.
    assert max(seconds for _, seconds in after) < 0.8
    assert sorted(seconds for _, seconds in after)[10] < 0.2


def test_limits_hold_while_the_broker_is_gone(limited: OwnStack) -> None:
    live = limited.live()
    path = f"/sign/{live.send_proposal()['token']}"
    limited.valkey.stop()
    statuses = [live.client.get(path).status for _ in range(63)]
    assert statuses[:59] == [200] * 59
    assert statuses[-1] == 429
