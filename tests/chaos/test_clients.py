"""The clients count each time a signature was refused; what a burst needs is there in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos import clients
from tests.chaos.clients import Caller, Journal, Refused, Tally, Unacknowledged
from tests.chaos.stock import Stock
from tests.conftest import Live, OwnStack

pytestmark = pytest.mark.drill


@pytest.fixture
def tally() -> Tally:
    return Tally()


def a_caller(live: Live, folder: Path, tally: Tally) -> Caller:
    journal = Journal(folder / "client.jsonl")
    return Caller(live.base_url, live.api_key, journal, tally, "canary", "foreign")


def test_a_signature_that_was_refused_for_load_is_counted(
    own_stack: OwnStack, tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_stack.stack.env["RATE_LIMITS"] = "on"
    own_stack.stack.start("web")
    caller = a_caller(own_stack.live(), tmp_path, tally)
    proposal = caller.send_proposal(1)
    caller.sign(proposal, prefer="respond-async")
    monkeypatch.setattr(clients, "PATIENCE_SECONDS", 1.0)
    begin = time.time()
    for _ in range(25):
        with suppress(Refused, Unacknowledged):  # signed already, and later: too many
            caller.sign(proposal, prefer="respond-async")
    assert {refused.status for refused in tally.turned_away} == {429}
    assert all(begin <= r.sent <= r.answered <= time.time() for r in tally.turned_away)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_stock_is_filled_at_its_pace_and_at_once_when_it_is_needed(
    live: Live, tmp_path: Path, tally: Tally, stop: threading.Event
) -> None:
    caller = a_caller(live, tmp_path, tally)
    stock = Stock("stock", lambda: caller.send_proposal(1), 5, 1000.0, stop)
    stock.start()
    time.sleep(1)
    assert not stock.is_full
    assert tally.acknowledged["send proposal"] == 1
    proposals = stock.take()
    assert len({proposal["id"] for proposal in proposals}) == 5
    caller.sign(proposals[-1], prefer="wait=10")
    assert stock.problems == []
