"""Sends each of many requests once, over kept-alive connections, and notes when it was answered."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.devstack.processes import HOST

ANSWER_SECONDS = 30.0
REUSE_SECONDS = 20.0  # the server closes connections that were idle for 30
IDLE = -1  # instead of the number of a request


class WrongAnswer(Exception):
    """A request was not answered, or by another status than was expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `due`, `sent` and `received` are `time.perf_counter` seconds."""

    status: int
    body: bytes
    due: float
    sent: float
    received: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def http(method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> bytes:
    """A request as it goes over the wire; `key` is an API key, headers are named If_Match="…"."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: application/json"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


class _Line:
    """One connection: idle, or waiting for the answer to one request."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self._port, self._selector = port, selector
        self.number = IDLE
        self.due = self.sent = 0.0
        self._open()

    def send(self, request: bytes, number: int, due: float) -> None:
        """Send a request; over a new connection if the server may have closed this one."""
        now = time.perf_counter()
        if now - self._used > REUSE_SECONDS:
            self.close()
            self._open()
        self.number, self.due, self.sent = number, due, now
        self._socket.sendall(request)

    def read(self) -> Answer | None:
        """What has come in; an Answer once it is whole.

        Raises WrongAnswer when the server closed the connection instead of answering.
        """
        piece = self._socket.recv(262_144)
        if not piece:
            if self.number != IDLE:
                waited = time.perf_counter() - self.sent
                raise WrongAnswer(f"closed instead of answered, {waited:.1f} s after the request")
            self.close()
            self._open()
            return None
        self._buffer += piece
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        self._used = time.perf_counter()
        answer = Answer(int(head[9:12]), body, self.due, self.sent, self._used)
        self._buffer.clear()
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._selector.unregister(self._socket)
        self._socket.close()

    def _open(self) -> None:
        self._socket = socket.create_connection((HOST, self._port), timeout=ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._buffer = bytearray()
        self._used = time.perf_counter()


class Sender:
    """Connections to one port of this machine; a context manager."""

    def __init__(self, port: int, connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._lines = [_Line(port, self._selector) for _ in range(connections)]

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.close()
        self._selector.close()

    def send(
        self,
        requests: Sequence[bytes],
        *,
        expect: Iterable[int] = (200, 201),
        rate: float | None = None,
        seconds: float | None = None,
    ) -> list[Answer]:
        """Send the requests in order and return their answers in the same order.

        With `seconds` no more are sent after this time; those that were are waited for.

        With `rate` (requests per second) each is due at its own time, whether or not the ones
        before were answered; without, each connection sends as soon as it is free. Raises
        WrongAnswer for a status that is not expected and when nothing comes for 30 s.
        """
        expected = frozenset(expect)
        answers: list[Answer | None] = [None] * len(requests)
        idle = deque(self._lines)
        begin, following, waiting, end = time.perf_counter(), 0, 0, len(requests)
        while following < end or waiting:
            pause = ANSWER_SECONDS
            while idle and following < end:
                now = time.perf_counter()
                if seconds is not None and now - begin >= seconds:
                    end = following
                    break
                due = now if rate is None else begin + following / rate
                if due > now:
                    pause = due - now
                    break
                idle.popleft().send(requests[following], following, due)
                following, waiting = following + 1, waiting + 1
            ready = self._selector.select(pause)
            if not ready and pause == ANSWER_SECONDS:
                raise WrongAnswer(f"no answer within {ANSWER_SECONDS:.0f} s")
            for key, _ in ready:
                answer = key.data.read()
                if answer is None:
                    continue
                if answer.status not in expected:
                    raise WrongAnswer(f"{answer.status}: {answer.body[:300]!r}")
                answers[key.data.number] = answer
                key.data.number = IDLE
                idle.append(key.data)
                waiting -= 1
        return [answer for answer in answers if answer is not None]
