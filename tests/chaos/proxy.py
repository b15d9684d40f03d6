"""A TCP proxy on the loopback that can refuse, cut, hold back and delay what passes through it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.chaos.wire import ENDS, CommitReader
from webapp.devstack.processes import HOST, free_port

T = TypeVar("T")

CHUNK = 64 * 1024
# How long the end of a transaction is waited for once something was answered: one that fails
# before its COMMIT has none.
END_SECONDS = 0.5


@dataclass(eq=False)
class _Pair:
    """One connection through the proxy: the client's side and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    commits: CommitReader | None = None  # only where PostgreSQL is at the other end
    swallowed: bytes | None = None  # from now on what the server answers reaches nobody

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Forwards `port` on 127.0.0.1 to the port that `target` gives, from a thread of its own.

    Every method may be called from any thread and returns when it has taken effect. `is_postgres`
    says that what passes is PostgreSQL's protocol, in which COMMIT is recognised.
    """

    def __init__(self, target: Callable[[], int], *, is_postgres: bool = False) -> None:
        self.port = free_port()
        self.commits_cut = 0
        self.connections = 0  # taken so far
        self._target, self._is_postgres = target, is_postgres
        self._delay = 0.0
        self._commits_to_cut = 0
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._open_gate = asyncio.Event()
        self._open_gate.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.accept()

    def accept(self) -> None:
        """Take connections (again), as from the beginning."""
        self._do(self._accept())

    def refuse(self) -> None:
        """Cut every connection and refuse new ones, as a server that is gone does."""
        self._do(self._refuse())

    def drop(self) -> None:
        """Cut every connection; new ones are taken."""
        self._do(self._drop())

    def hold(self) -> None:
        """Black hole: connections stay and are taken, but not a byte goes through."""
        self._do(self._set_gate(False))

    def release(self) -> None:
        """End the black hole; what was held back goes through now."""
        self._do(self._set_gate(True))

    def delay(self, seconds: float) -> None:
        """Hold every piece back for `seconds`, each way; 0 ends that."""
        self._delay = seconds

    def cut_commits(self, count: int) -> None:
        """Cut the next `count` connections that send COMMIT: it arrives, its answer does not."""
        self._commits_to_cut = count

    def client_port(self, server_side: int) -> int | None:
        """The client's own port of the connection that the server sees come from `server_side`."""
        for pair in list(self._pairs):
            if pair.server.get_extra_info("sockname")[1] == server_side:
                return int(pair.client.get_extra_info("peername")[1])
        return None

    def close(self) -> None:
        """End the proxy and its thread."""
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _accept(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._drop()

    async def _drop(self) -> None:
        for pair in list(self._pairs):
            pair.abort()
        await asyncio.sleep(0.05)  # let the tasks of those connections come to their end

    async def _set_gate(self, is_open: bool) -> None:
        if is_open:
            self._open_gate.set()
        else:
            self._open_gate.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._open_gate.wait()
            to_server = await asyncio.open_connection(HOST, self._target())
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        pair = _Pair(writer, to_server[1], CommitReader() if self._is_postgres else None)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._up(pair, reader), self._down(pair, to_server[0]))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pairs.discard(pair)
            for side in (pair.client, pair.server):
                side.close()
                with suppress(OSError):
                    await side.wait_closed()

    async def _up(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        """From the client to the server, looking for COMMIT."""
        while data := await reader.read(CHUNK):
            await self._pause()
            is_commit = pair.commits is not None and pair.commits.feed(data)
            if is_commit and self._commits_to_cut > 0 and pair.swallowed is None:
                self._commits_to_cut -= 1
                self.commits_cut += 1
                pair.swallowed = b""
            pair.server.write(data)
            await pair.server.drain()
        pair.server.close()

    async def _down(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        """From the server to the client, unless its answer is to be lost."""
        while data := await reader.read(CHUNK):
            await self._pause()
            if pair.swallowed is not None:
                # Not before the server has done it: it would not read what comes after the cut.
                if not pair.swallowed:
                    self._loop.call_later(END_SECONDS, pair.abort)
                pair.swallowed += data
                if any(end in pair.swallowed for end in ENDS):
                    pair.abort()
                    return
                continue
            pair.client.write(data)
            await pair.client.drain()
        pair.client.close()

    async def _pause(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)
        if not self._open_gate.is_set():
            await self._open_gate.wait()
