"""Finds COMMIT in what a client sends to PostgreSQL (PostgreSQL, *Message Formats*)."""

from __future__ import annotations

import struct

_COMMIT = b"COMMIT"
# Requests before the start-up message, which have its form: SSLRequest, GSSENCRequest.
_REQUESTS = (80877103, 80877104)
# CommandComplete of a transaction's end: COMMIT, or ROLLBACK when it had failed before.
ENDS = (b"C\x00\x00\x00\x0bCOMMIT\x00", b"C\x00\x00\x00\x0dROLLBACK\x00")


class CommitReader:
    """Reads one connection's messages, however they are cut into pieces.

    COMMIT is a simple query, or a statement that is parsed and executed, in one packet or in
    several, with other messages before it or without, named and prepared long ago or not.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._started = False
        self._commits: set[bytes] = set()  # the names of prepared statements that are COMMIT

    def feed(self, data: bytes) -> bool:
        """Take what the client sent next; True when a COMMIT comes to its end in it."""
        self._buffer += data
        found = False
        while (message := self._next()) is not None:
            found |= self._is_commit(*message)
        return found

    def _next(self) -> tuple[bytes, bytes] | None:
        """The next whole message, as its type and content; None when it is not all there."""
        head = 1 if self._started else 0  # the first message of a connection has no type
        if len(self._buffer) < head + 4:
            return None
        (size,) = struct.unpack_from("!I", self._buffer, head)
        if len(self._buffer) < head + size:
            return None
        kind, content = self._buffer[:head], self._buffer[head + 4 : head + size]
        self._buffer = self._buffer[head + size :]
        if not self._started:
            self._started = struct.unpack_from("!I", content)[0] not in _REQUESTS
        return kind, content

    def _is_commit(self, kind: bytes, content: bytes) -> bool:
        if kind == b"Q":
            return _text(content.split(b"\x00")[0])
        if kind == b"P":
            name, query, _ = content.split(b"\x00", 2)
            (self._commits.add if _text(query) else self._commits.discard)(name)
        # A portal is executed right after it was bound, so the two are one here.
        return kind == b"B" and content.split(b"\x00", 2)[1] in self._commits


def _text(query: bytes) -> bool:
    return query.strip(b" ;").upper() == _COMMIT
