"""Counts the round trips to PostgreSQL, as they go over the wire.

A round trip is what the client sends until the server answers: several statements sent in one
piece (a pipeline) are one, and so is the driver's `BEGIN` when it goes by itself.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from webapp.devstack.processes import HOST

# Requests before the start-up message, which have its form: SSLRequest, GSSENCRequest.
_BEFORE_START = (80877103, 80877104)


@dataclass(slots=True)
class RoundTrip:
    """The statements that went in one piece; `seconds` until the answer had passed through."""

    began: float
    statements: list[str] = field(default_factory=list)
    seconds: float = 0.0


class _Connection:
    """One client's connection: its messages, and which side spoke last."""

    def __init__(self) -> None:
        self._buffer = b""
        self._started = self._server_spoke = False
        self._prepared: dict[bytes, str] = {}
        self._trip: RoundTrip | None = None

    def sent(self, data: bytes, trips: list[RoundTrip]) -> None:
        """Take what the client sent (PostgreSQL, *Message Formats*)."""
        if self._trip is None or self._server_spoke:
            self._trip, self._server_spoke = RoundTrip(time.perf_counter()), False
            if self._started:  # the log-in is none of the request's
                trips.append(self._trip)
        self._buffer += data
        while (message := self._next()) is not None:
            kind, content = message
            if kind == b"Q":
                self._trip.statements.append(content.rstrip(b"\x00").decode())
            elif kind == b"P":
                name, query, _ = content.split(b"\x00", 2)
                self._prepared[name] = query.decode()
            elif kind == b"B":
                name = content.split(b"\x00", 2)[1]
                self._trip.statements.append(self._prepared.get(name, "?"))

    def answered(self) -> None:
        """Note that the server has sent something."""
        self._server_spoke = True
        if self._trip is not None:
            self._trip.seconds = time.perf_counter() - self._trip.began

    def _next(self) -> tuple[bytes, bytes] | None:
        head = 1 if self._started else 0  # the first message of a connection has no type
        if len(self._buffer) < head + 4:
            return None
        (size,) = struct.unpack_from("!I", self._buffer, head)
        if len(self._buffer) < head + size:
            return None
        kind, content = self._buffer[:head], self._buffer[head + 4 : head + size]
        self._buffer = self._buffer[head + size :]
        if not self._started:
            self._started = struct.unpack_from("!I", content)[0] not in _BEFORE_START
            kind = b""
        return kind, content


class WireTap:
    """Forwards `port` of this machine to PostgreSQL's, and notes what passes; a context manager."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._trips: list[RoundTrip] = []
        self._lock = threading.Lock()

    def __enter__(self) -> WireTap:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def taken(self) -> list[RoundTrip]:
        """The round trips since the last call."""
        with self._lock:
            trips, self._trips = self._trips, []
            return trips

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._target))
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection()
                for work in (self._up, self._down):
                    arguments = (client, server, connection)
                    threading.Thread(target=work, args=arguments, daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, connection: _Connection) -> None:
        with suppress(OSError):
            while data := client.recv(262_144):
                with self._lock:
                    connection.sent(data, self._trips)
                server.sendall(data)
        server.close()

    def _down(self, client: socket.socket, server: socket.socket, connection: _Connection) -> None:
        with suppress(OSError):
            while data := server.recv(262_144):
                with self._lock:
                    connection.answered()
                client.sendall(data)
        client.close()
