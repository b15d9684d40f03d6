"""Proposals that are prepared while the run goes on, so that many can be used at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.chaos.clients import Refused, Unacknowledged

TAKE_SECONDS = 120.0


class Stock(threading.Thread):
    """Makes one proposal after the other until there are `wanted`, again after some were taken.

    Spread over `seconds`, but without a pause while somebody waits for them.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], dict[str, Any]],
        wanted: int,
        seconds: float,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.problems: list[str] = []
        self._make, self._wanted, self._pause = make, wanted, seconds / wanted
        self._stop_asked, self._hurry = stop, threading.Event()
        self._made: deque[dict[str, Any]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether all that are wanted are there."""
        return len(self._made) >= self._wanted

    def take(self) -> list[dict[str, Any]]:
        """All that are wanted, once they are there. Raises TimeoutError."""
        deadline = time.monotonic() + TAKE_SECONDS
        self._hurry.set()
        try:
            while not self.is_full:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.name}: {len(self._made)} of {self._wanted}")
                time.sleep(0.1)
            return [self._made.popleft() for _ in range(self._wanted)]
        finally:
            self._hurry.clear()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            begin = time.monotonic()
            if not self.is_full:
                try:
                    self._made.append(self._make())
                except (Refused, Unacknowledged) as error:
                    self.problems.append(f"{type(error).__name__}: {error}")
            if self.is_full:
                self._stop_asked.wait(0.1)
            elif not self._hurry.is_set():
                self._hurry.wait(max(0.0, begin + self._pause - time.monotonic()))
