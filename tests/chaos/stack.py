"""The stack as `make run` runs it, in a folder and on ports of its own, behind proxies.

The product's supervisor starts and restarts every process, so its restarts are what is measured.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from flask import Flask
from psycopg.rows import dict_row

from models.db.base import db
from tests.chaos.proxy import Proxy
from tests.chaos.smtp import SmtpServer
from tests.support.stack import Stack
from webapp import create_app
from webapp.config import Settings
from webapp.core.database import migrate
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.processes import HOST
from webapp.devstack.supervisor import Command, Log, Supervisor
from webapp.devstack.valkey import EmbeddedValkey

START_SECONDS = 90.0
CHILDREN = 2  # of the web; the worker has at least as many


class Watched(Command):
    """A command whose process id is known, through all its restarts."""

    pid: int = 0

    def start(self, output: int) -> subprocess.Popen[bytes]:
        """Start the command. Raises StartError."""
        process = super().start(output)
        self.pid = process.pid
        return process


class ChaosStack:
    """PostgreSQL (durable), Valkey, web, worker, dispatcher and beat; a context manager.

    `folder/run` is emptied first. `app` is an application on the same database, past the proxy,
    for the harness's own use. All mail goes to `smtp`. `postgres_down` has the stretches
    (time.time()) from each stop of PostgreSQL until it answered again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve() / "run"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.postgres = EmbeddedPostgres(self.folder)
        self.valkey = EmbeddedValkey(self.folder, persist=False)
        self.most_children = CHILDREN  # of the worker, seen so far
        self.postgres_down: list[tuple[float, float]] = []
        self._down_watchers: list[threading.Thread] = []
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.resume_all()
        self._exit.close()

    def _start(self) -> None:
        stream = self._exit.enter_context((self.folder / "stack.log").open("w"))
        self.supervisor = Supervisor(Log(stream))
        self._exit.enter_context(self.supervisor)
        self.supervisor.start("postgres", self.postgres)
        self.supervisor.start("valkey", self.valkey)
        self.postgres_proxy = Proxy(lambda: self.postgres.port, is_postgres=True)
        self._exit.callback(self.postgres_proxy.close)
        self.valkey_proxy = Proxy(lambda: self.valkey.port)
        self._exit.callback(self.valkey_proxy.close)
        self.smtp = SmtpServer(self.folder / "mails.jsonl")
        self._exit.callback(self.smtp.close)
        direct = {
            "DATABASE_URL": self.postgres.owner_url,
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": secrets.token_hex(32),
            "RATE_LIMITS": "off",  # every client calls from the same address
            "VAR_DIR": str(self.folder),
        }
        settings = Settings.from_environment(direct)
        migrate(settings)
        self.app: Flask = create_app(settings)
        self._exit.callback(self._forget_connections)
        stack = Stack(
            self.folder / "stack",
            direct
            | {
                "WEB_WORKERS": str(CHILDREN),
                "SMTP_URL": self.smtp.url,
                "DATABASE_URL": self.postgres.owner_url.replace(
                    f":{self.postgres.port}/", f":{self.postgres_proxy.port}/"
                ),
                "REDIS_URL": self.valkey.url.replace(
                    f":{self.valkey.port}/", f":{self.valkey_proxy.port}/"
                ),
            },
        )
        self.base_url = stack.base_url
        self.services = {name: Watched(argv, stack.env) for name, argv in stack.commands.items()}
        for name, service in self.services.items():
            self.supervisor.start(name, service)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.supervisor.check()
            with suppress(urllib.error.URLError, OSError):
                if urllib.request.urlopen(f"{self.base_url}/readyz", timeout=2).status == 200:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"not ready within {START_SECONDS:.0f} s: see {self.folder}/stack.log")

    def _forget_connections(self) -> None:
        with self.app.app_context():
            for engine in db.engines.values():
                engine.dispose()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Signal a service; SIGKILL, SIGSTOP and SIGCONT go to its whole process group."""
        pid = self.services[name].pid
        with suppress(ProcessLookupError):
            if number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT):
                os.killpg(pid, number)
            else:
                os.kill(pid, number)

    def stop_postgres(self) -> None:
        """Immediate shutdown: no checkpoint; the next start recovers from the log."""
        pid, begin = self.postgres.pid, time.time()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        watcher = threading.Thread(target=self._watch_postgres, args=[pid, begin], daemon=True)
        self._down_watchers.append(watcher)
        watcher.start()

    def _watch_postgres(self, stopped: int, begin: float) -> None:
        while self.postgres.pid == stopped or not self._postgres_answers():
            time.sleep(0.05)
        self.postgres_down.append((begin, time.time()))

    def _postgres_answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_until_postgres_answers(self) -> None:
        """Wait until each stop of PostgreSQL is over and stands in `postgres_down`."""
        for watcher in self._down_watchers:
            watcher.join(START_SECONDS)

    def children(self, name: str) -> list[int]:
        """The child processes of a service, such as Celery's pool."""
        found: list[int] = []
        with suppress(OSError):  # it ended meanwhile
            for file in Path(f"/proc/{self.services[name].pid}/task").glob("*/children"):
                with suppress(OSError):  # so did one of its threads
                    found += map(int, file.read_text().split())
        return found

    def resume_all(self) -> None:
        """Let everything that a fault stopped or held back go on."""
        with suppress(AttributeError):  # it did not come so far
            self.postgres_proxy.release()
            self.valkey_proxy.release()
            self.smtp.put("up")
            for name in self.services:
                self.signal(name, signal.SIGCONT)
        if self.valkey.pid is not None and self.valkey.alive():
            os.kill(self.valkey.pid, signal.SIGCONT)

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection as the owner of the tables, past the proxy. Raises psycopg.Error."""
        return psycopg.connect(
            self.postgres.owner_url, row_factory=dict_row, autocommit=True, connect_timeout=3
        )

    def query(self, sql: str, values: Sequence[Any] = (), seconds: float = 40.0) -> list[Any]:
        """Rows, asked for again for up to `seconds` while the database is down."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self.connect() as connection:
                    cursor = connection.execute(sql, values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def owner_of_port(port: int, candidates: Sequence[int]) -> int | None:
    """Which of the processes holds the TCP connection whose local port this is (proc(5))."""
    return next((pid for pid in candidates if _holds(pid, _connections(1, port))), None)


def who_talks_to(port: int, candidates: Sequence[int]) -> list[int]:
    """Which of the processes hold a TCP connection to this port of 127.0.0.1."""
    sockets = _connections(2, port)
    return [pid for pid in candidates if _holds(pid, sockets)]


def _connections(column: int, port: int) -> set[str]:
    """The established connections with this port at their near (1) or far (2) end."""
    wanted = f"{int.from_bytes(bytes(map(int, HOST.split('.'))), 'little'):08X}:{port:04X}"
    return {
        f"socket:[{fields[9]}]"
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[column] == wanted and fields[3] == "01" and fields[9] != "0"
    }


def _holds(pid: int, sockets: set[str]) -> bool:
    with suppress(OSError):  # it ended meanwhile
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(link) in sockets:
                    return True
    return False
