"""Where the time of a call goes: the layers of the application, each without those below it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import structlog
from marshmallow import Schema
from sqlalchemy.orm import Session

import webapp.http.middleware
from webapp.core.wake_ups import Publisher
from webapp.http.responses import ApiResponse

DATABASE = "database: the driver waits"
REST = "routing, guard, services and the rest"

# A layer, and the functions whose time is its own.
_FUNCTIONS: tuple[tuple[str, Any, str], ...] = (
    (DATABASE, psycopg.Connection, "wait"),
    ("driver: statements and rows", psycopg.Cursor, "execute"),
    ("driver: statements and rows", psycopg.Cursor, "executemany"),
    ("driver: statements and rows", psycopg.Cursor, "fetchall"),
    ("driver: statements and rows", psycopg.Cursor, "fetchone"),
    ("ORM: statements and flush", Session, "execute"),
    ("ORM: statements and flush", Session, "scalars"),
    ("ORM: statements and flush", Session, "flush"),
    ("ORM: statements and flush", Session, "commit"),
    ("schemas: load and dump", Schema, "load"),
    ("schemas: load and dump", Schema, "dump"),
    ("answer: JSON, ETag, headers", ApiResponse, "response"),
    ("wake-ups, to Valkey", Publisher, "publish"),
)


class Layers:
    """Counts the time of this thread by layer while `counting`; `seconds` holds one call's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stack: list[float] = []  # for each running layer: the time of those below it

    @contextmanager
    def counting(self) -> Iterator[Layers]:
        """Put timers around the layers' functions for as long as the block runs."""
        with ExitStack() as undo:
            for layer, owner, name in _FUNCTIONS:
                original = owner.__dict__[name]
                undo.callback(setattr, owner, name, original)
                setattr(owner, name, self._timed(layer, original))
            # A fresh one: a logger in use has its level and its stream bound already.
            undo.callback(setattr, webapp.http.middleware, "log", webapp.http.middleware.log)
            webapp.http.middleware.log = _TimedLog(self._timed)
            yield self

    def measure(self, call: Callable[[], Any]) -> float:
        """Seconds of one call; `seconds` by layer are those of this call afterwards."""
        self.seconds = {}
        begin = time.perf_counter()
        self._timed(REST, call)()
        return time.perf_counter() - begin

    def _timed(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._stack.append(0.0)
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - begin
                below = self._stack.pop()
                self.seconds[layer] = self.seconds.get(layer, 0.0) + took - below
                if self._stack:
                    self._stack[-1] += took

        return timed


class _TimedLog:
    """The log of requests, whose lines are timed."""

    def __init__(self, timed: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> None:
        self.info = timed("log line", structlog.get_logger("request").info)
