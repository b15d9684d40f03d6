"""Where everything is measured: servers, data and processes in a folder and on ports of their own.

The command lines of the application are those of `make run`, and so are the settings of PostgreSQL
and Valkey (durable). Rate limits are off, because every request comes from one address.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psycopg
import redis
from flask import Flask
from psycopg import sql
from psycopg.rows import dict_row

import tasks
from benchmarks import dataset
from benchmarks.report import ROOT
from models.db.base import db, uuid7
from models.db.tenancy import as_system
from webapp import create_app
from webapp.config import DEFAULT_WEB_THREADS, Settings
from webapp.core.database import migrate
from webapp.core.transaction import in_transaction
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.processes import HOST, StartError, free_port, spawn, stop
from webapp.devstack.state import StateFile
from webapp.devstack.up import processes
from webapp.devstack.valkey import EmbeddedValkey
from webapp.services.identity.accounts import create_organization
from webapp.services.identity.keys import create_api_key

assert tasks  # registers every kind of job

START_SECONDS = 60.0
WEB_THREADS = DEFAULT_WEB_THREADS


@dataclass
class Server:
    """A running process; `port` is 0 when it serves no HTTP. Its output goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        stop(self.process, (signal.SIGTERM, 10.0))


@dataclass
class Database:
    """A database with the benchmark's data: `organization_id` is the organization that is used.

    `url` is the owner's, a superuser whom no row-level security binds; `env` is the environment
    of the application's processes; `app` is an application on it in this process.
    """

    name: str
    url: str
    env: dict[str, str]
    app: Flask
    rows: int
    organization_id: UUID
    api_key: str

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection as the owner, in autocommit. Raises psycopg.Error."""
        return psycopg.connect(self.url, row_factory=dict_row, autocommit=True)

    def analyze(self) -> None:
        """Let the planner see what the tables hold by now.

        Autovacuum does so within seconds of the first rows, but not while a measurement waits.
        """
        with self.connect() as connection:
            connection.execute("ANALYZE")

    def add_organization(self, name: str) -> tuple[UUID, str]:
        """Make an empty organization; returns its id and an owner's API key."""
        organization_id = uuid7()

        def make() -> str:
            create_organization(name, slug=f"bench-{organization_id.hex}")
            return create_api_key("Benchmark", role="owner")[1]

        with self.app.app_context():
            return organization_id, in_transaction(as_system(organization_id), make)


@dataclass
class Stage:
    """PostgreSQL and Valkey in `<folder>/stage`; a context manager.

    `rows` is the number of engagements, `minutes` how long the memory is watched.
    """

    folder: Path
    rows: int = dataset.ROWS
    minutes: float = 10.0
    _databases: dict[int, Database] = field(default_factory=dict)
    _servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.home = self.folder / "stage"
        self.logs = self.folder / "logs"
        self.postgres = EmbeddedPostgres(self.home)
        self.valkey = EmbeddedValkey(self.home)

    def __enter__(self) -> Self:
        """Start the servers. Raises StartError when they do not start, or another run has them."""
        with ExitStack() as begun:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = begun.enter_context((self.folder / "lock").open("w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StartError(
                    f"another run uses {self.folder}; wait, or give --folder"
                ) from None
            shutil.rmtree(self.logs, ignore_errors=True)
            self.logs.mkdir()
            begun.enter_context(self.postgres)
            begun.enter_context(self.valkey)
            begun.callback(self._end)
            self._exit = begun.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _end(self) -> None:
        self.stop_servers()
        for database in self._databases.values():
            forget_connections(database.app)

    def say(self, text: str) -> None:
        """One line of progress on standard error."""
        print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)

    def reset(self) -> None:
        """Stop what was started and forget the databases: the next part begins with fresh ones."""
        self.stop_servers()
        for database in self._databases.values():
            forget_connections(database.app)
            self.postgres.drop_database(database.name)
        self._databases.clear()
        client = redis.Redis.from_url(self.valkey.url)
        client.flushall()
        client.close()

    def database(self, rows: int | None = None) -> Database:
        """The database with `rows` (all) engagements: the same one until `reset`.

        It is a copy of one that is loaded once and kept between runs, until a migration or the
        data change.
        """
        rows = rows or self.rows
        if rows not in self._databases:
            self._databases[rows] = self._copy(rows)
        return self._databases[rows]

    def web(self, database: Database, *, workers: int = 2, name: str = "web") -> Server:
        """Start the application's web as in production, `workers` processes."""
        env = {"WEB_WORKERS": str(workers)}
        return self.service("web", database, name=name, env=env)

    def service(
        self,
        service: str,
        database: Database,
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Server:
        """Start web, worker, dispatcher or beat by the command line of `make run`.

        Waits for the web alone: /readyz needs no worker.
        """
        port = free_port() if service == "web" else 0
        settings = {
            "WEB_THREADS": str(WEB_THREADS),
            **database.env,
            **(env or {}),
            "BASE_URL": f"http://{HOST}:{port}",
            "PORT": str(port),
        }
        command = processes(HOST, port, self.home, settings).services[service]
        ready = "/readyz" if service == "web" else None
        return self.serve(name or service, command, settings, ready_path=ready, port=port)

    def serve(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        *,
        ready_path: str | None,
        port: int = 0,
    ) -> Server:
        """Start any process; wait until `ready_path` on `port` answers 200, when there is one.

        Raises TimeoutError, with the end of the log, when it does not within 60 s.
        """
        everything = {
            **os.environ,
            # Compiled once for all runs, wherever the environment forbids it.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
            "PYTHONPATH": str(ROOT),
            **env,
        }
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            process = spawn(command, output=output.fileno(), env=everything)
        server = Server(name, process, log, port)
        self._servers.append(server)
        if ready_path is not None:
            _wait_until_ready(server, ready_path)
        return server

    def stop_servers(self) -> None:
        """Stop every process that this stage started, except PostgreSQL and Valkey."""
        while self._servers:
            self._servers.pop().stop()

    def _copy(self, rows: int) -> Database:
        secret = StateFile(self.home).secret("secret_key")
        env = {
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": secret,
            "RATE_LIMITS": "off",
            "LOG_LEVEL": "INFO",
            "VAR_DIR": str(self.home),
        }
        template = f"data_{rows}_{dataset.version()}"
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            names = [row[0] for row in connection.execute("SELECT datname FROM pg_database")]
            if template not in names:
                for old in (name for name in names if name.startswith(f"data_{rows}_")):
                    self.postgres.drop_database(old)
                self._load(rows, template, env)
            name = f"bench_{rows}"
            self.postgres.drop_database(name)
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        url = self.postgres.url(name)
        env["DATABASE_URL"] = url
        settings = Settings.from_environment(env)
        migrate(settings)  # the roles' settings belong to the database and are not copied
        app = create_app(settings)
        organization_id = dataset.organization_of(url)
        with app.app_context():
            key = in_transaction(
                as_system(organization_id), lambda: create_api_key("Benchmark", role="owner")[1]
            )
        return Database(name, url, env, app, rows, organization_id, key)

    def _load(self, rows: int, template: str, env: Mapping[str, str]) -> None:
        """Load under another name first, so that an interrupted run leaves no half data."""
        self.say(f"loading {rows:,} engagements, once (a minute or two for a million)")
        begin = time.monotonic()
        self.postgres.drop_database("loading")
        url = self.postgres.create_database("loading")
        migrate(Settings.from_environment({**env, "DATABASE_URL": url}))
        dataset.load(url, rows)
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE loading RENAME TO {}").format(sql.Identifier(template))
            )
        self.say(f"loaded in {time.monotonic() - begin:.0f} s")


def forget_connections(app: Flask) -> None:
    """Close the connections of an application in this process."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def _wait_until_ready(server: Server, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            if urllib.request.urlopen(f"{server.base_url}{path}", timeout=2).status == 200:
                return
        time.sleep(0.1)
    end = server.log.read_text(errors="replace")[-4000:]
    raise TimeoutError(f"{server.name} did not get ready:\n{end}")
