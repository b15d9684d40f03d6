"""What the worker changes in Celery's consumer is still what Celery calls.

That it comes back within 10 s of its broker is seen in tests/scenarios/test_faults.py; here a
version of Celery that goes another way is told apart from a machine that was slow.
"""

from __future__ import annotations

import inspect
import logging

from celery.worker.consumer.consumer import Consumer
from kombu import Connection

from tasks.runtime.worker import RETRY_SECONDS, ReturningConsumer


def test_a_lost_broker_is_looked_for_at_an_even_pace() -> None:
    parameters = inspect.signature(Connection._ensure_connection).parameters
    assert {"interval_start", "interval_max"} <= set(parameters)
    assert "conn.ensure_connection(" in inspect.getsource(Consumer.ensure_connected)
    assert "self.ensure_connected(" in inspect.getsource(inspect.getmodule(Consumer))
    assert RETRY_SECONDS * 2 < 10


def test_an_acknowledgement_that_cannot_be_sent_ends_the_connection() -> None:
    """Celery hands over the errors that it would only log; none of them may be left to it."""
    assert list(inspect.signature(Consumer.call_soon_ack).parameters) == [
        "self", "p", "args", "kwargs",
    ]  # fmt: skip
    assert "call_soon_ack" in inspect.getsource(Consumer.create_task_handler)
    ours = object.__new__(ReturningConsumer)
    ours.hub = None
    given: list[object] = []
    logger = logging.getLogger("test")
    ours.call_soon_ack(lambda *args: given.extend(args), logger, (OSError,))
    assert given == [logger, ()]
