"""The load generator: keep-alive HTTP/1.1 over raw sockets and epoll, one process.

It shares the processors with what it measures, so it does as little as it can: one `sendall` and
mostly one `recv` an answer, and no parsing beyond status, length and the text that must be there.
"""

from __future__ import annotations

import select
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from webapp.devstack.processes import HOST

CONNECTIONS = 16
PATIENCE = 20.0  # seconds without any answer

# What is sent, and what the answer's body must hold.
Request = tuple[bytes, bytes]


class WrongAnswer(Exception):
    """An answer had another status or another body than the request asks for."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run found: answers per second, and the latencies in seconds, in ascending order."""

    rate: float
    latencies: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.latencies)

    def percentile(self, share: float) -> float:
        """The latency that `share` (0 to 1) of the answers stayed below."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


def run(
    port: int,
    requests: Iterator[Request],
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    status: int = 200,
) -> Load:
    """Send requests for `seconds`, one at a time on each connection, and wait for the last answer.

    Raises WrongAnswer for a status other than `status` or a body that lacks what it must hold,
    ConnectionError when the server closes a connection, TimeoutError when it stops answering.
    """
    wanted = str(status).encode()
    clock = time.perf_counter
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    waiting: dict[int, tuple[bytes, float]] = {}
    latencies: list[float] = []
    try:
        for _ in range(connections):
            connection = socket.create_connection((HOST, port), timeout=PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[connection.fileno()] = connection
            poll.register(connection.fileno(), select.EPOLLIN)
        begin = clock()
        end = begin + seconds
        for number, connection in sockets.items():
            raw, must_hold = next(requests)
            waiting[number] = (must_hold, clock())
            connection.sendall(raw)
        while waiting:
            events = poll.poll(PATIENCE)
            if not events:
                raise TimeoutError(f"no answer within {PATIENCE:.0f} s")
            for number, _ in events:
                connection = sockets[number]
                must_hold, sent = waiting.pop(number)
                answer = _read(connection)
                now = clock()
                if answer[9:12] != wanted or must_hold not in answer:
                    raise WrongAnswer(answer[:2000].decode(errors="replace"))
                latencies.append(now - sent)
                if now < end:
                    raw, must_hold = next(requests)
                    waiting[number] = (must_hold, clock())
                    connection.sendall(raw)
        elapsed = clock() - begin
    finally:
        for connection in sockets.values():
            connection.close()
        poll.close()
    latencies.sort()
    return Load(len(latencies) / elapsed, latencies)


def _read(connection: socket.socket) -> bytes:
    """One whole answer, head and body; its length must be said in the head."""
    data = connection.recv(262_144)
    while True:
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            break
        data += _more(connection)
    at = data.find(b"content-length:", 0, head)
    if at < 0:
        at = data.lower().find(b"content-length:", 0, head)
    if at < 0:
        raise WrongAnswer("no Content-Length: " + data[:2000].decode(errors="replace"))
    whole = head + 4 + int(data[at + 15 : data.find(b"\r\n", at)])
    while len(data) < whole:
        data += _more(connection)
    return data


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(262_144)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def alternate(
    sides: Mapping[str, Callable[[float], Load]],
    repeats: int,
    seconds: float,
    say: Callable[[str], None],
    *,
    turns: int = 4,
) -> dict[str, list[Load]]:
    """Run each side for `seconds` in each repeat, taking turns, so that both meet what disturbs.

    Each turn is `seconds / turns` long; the order is rotated from one to the next. A second for
    each side, whose figures are dropped, goes before.
    """
    names = list(sides)
    for name in names:
        sides[name](1.0)
    found: dict[str, list[Load]] = {name: [] for name in names}
    for repeat in range(repeats):
        taken: dict[str, list[Load]] = {name: [] for name in names}
        for turn in range(turns):
            shift = (repeat + turn) % len(names)
            for name in names[shift:] + names[:shift]:
                taken[name].append(sides[name](seconds / turns))
        for name in names:
            found[name].append(_together(taken[name]))
        last = ", ".join(
            f"{name} {found[name][-1].rate:,.0f}/s {found[name][-1].median * 1000:.2f} ms"
            for name in names
        )
        say(f"   {repeat + 1} of {repeats}: {last}")
    return found


def _together(loads: list[Load]) -> Load:
    """Turns of the same length as one run."""
    latencies = sorted(latency for load in loads for latency in load.latencies)
    return Load(statistics.fmean(load.rate for load in loads), latencies)
