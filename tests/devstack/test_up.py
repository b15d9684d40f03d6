"""The whole stack by one command: really started, killed in parts and as a whole, refused."""

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import PRISTINE, Servers
from webapp.config import Settings
from webapp.core.database import migrate
from webapp.core.revisions import known_revisions
from webapp.devstack.processes import HOST, free_port

pytestmark = pytest.mark.long

STACK = Path(__file__).with_name("stack.py")
ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere/db", "REDIS_URL": "redis://elsewhere"}


class Stack:
    """A running `stack.py`: its output as it comes, and ways to wait for a line of it."""

    def __init__(self, port: int, var: Path, **env: str) -> None:
        self.port, self.lines = port, list[str]()
        self.process = subprocess.Popen(
            [sys.executable, str(STACK), str(port), str(var)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **env},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(line.rstrip("\n") for line in output)

    def wait_for(self, text: str, *, times: int = 1, seconds: float = 15) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [line for line in list(self.lines) if text in line]
            if len(found) >= times:
                return found[times - 1]
            time.sleep(0.02)
        raise AssertionError(f"{text!r} not seen in:\n" + "\n".join(self.lines))

    def pid_of(self, text: str, *, times: int = 1) -> int:
        return int(self.wait_for(text, times=times).split()[-1])

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def end(self, signum: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signum)
        status = self.process.wait(20)
        self._reader.join(10)
        return status


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts stacks in the test's own folder; whatever still runs is stopped after the test."""
    stacks: list[Stack] = []

    def start(port: int = 0, **env: str) -> Stack:
        stacks.append(Stack(port or free_port(), tmp_path / "var", **env))
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.end()


def exists(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while exists(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def test_the_stack_starts_serves_and_stops_cleanly(launch: Callable[..., Stack]) -> None:
    stack = launch()
    stack.wait_for("Press Ctrl-C to stop")
    assert any(line.split() == ["API", "key", "sx_live_demo"] for line in stack.lines)
    assert any(line.startswith("migrate    | migrated") for line in stack.lines)
    with psycopg.connect(stack.get("/database")[1]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    children = [stack.pid_of("web listens"), stack.pid_of("worker runs")]
    assert stack.end() == 0
    assert stack.lines[-1] == "Service Engine X has stopped."
    assert not any(exists(pid) for pid in children)
    assert "Traceback" not in "\n".join(stack.lines)


@pytest.fixture
def migrated(servers: Servers) -> Iterator[dict[str, str]]:
    """The environment of a migrated database of the test's own, for a stack."""
    name = f"up_{secrets.token_hex(6)}"
    url = servers.postgres.create_database(name, template=PRISTINE)
    env = {**servers.env, "DATABASE_URL": url}
    migrate(Settings.from_environment(env))
    yield {name: env[name] for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    servers.postgres.drop_database(name)


def test_a_migrated_database_is_not_migrated_again(
    launch: Callable[..., Stack], migrated: dict[str, str]
) -> None:
    stack = launch(**migrated)
    stack.wait_for("Press Ctrl-C to stop")
    assert not any(line.startswith("migrate") for line in stack.lines)


def test_an_older_database_is_migrated_before_anything_starts(
    launch: Callable[..., Stack], migrated: dict[str, str]
) -> None:
    with psycopg.connect(migrated["DATABASE_URL"]) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [known_revisions()[1]])
    stack = launch(**migrated)
    stack.wait_for("Press Ctrl-C to stop")
    said = [line.split()[0] for line in stack.lines if "|" in line]
    assert said[0] == "migrate"


def test_a_migration_that_fails_ends_the_start(launch: Callable[..., Stack]) -> None:
    stack = launch(**ELSEWHERE, MIGRATE="print('no such revision'); raise SystemExit(1)")
    assert stack.process.wait(10) == 1
    stack.end()
    assert stack.lines[0].endswith("| no such revision")
    assert "the database could not be migrated; the lines above say why" in stack.lines
    assert not any("listens" in line for line in stack.lines)


def test_postgresql_killed_under_the_stack_is_recovered_on_its_port(
    launch: Callable[..., Stack],
) -> None:
    stack = launch()
    stack.wait_for("Press Ctrl-C to stop")
    url = stack.get("/database")[1]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE deposits AS SELECT 7 AS amount")
    postmaster = stack.wait_for("starting PostgreSQL").split("[")[1].split("]")[0]
    os.kill(int(postmaster), signal.SIGKILL)
    stack.wait_for("postgres died (killed by SIGKILL); starting it again in 0.5 s")
    stack.wait_for("ready to accept connections", times=2)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT amount FROM deposits").fetchone() == (7,)
    assert stack.end(signal.SIGTERM) == 0


def test_a_child_that_dies_is_started_again_and_one_line_says_so(
    launch: Callable[..., Stack],
) -> None:
    stack = launch(**ELSEWHERE)
    first = stack.pid_of("worker runs")
    os.kill(first, signal.SIGKILL)
    assert stack.pid_of("worker runs", times=2) != first
    assert sum("worker died" in line for line in stack.lines) == 1
    stack.wait_for("sx         | worker died (killed by SIGKILL); starting it again in 0.5 s")


def test_with_given_urls_nothing_embedded_is_started(
    launch: Callable[..., Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    stack = launch(**ELSEWHERE)
    stack.wait_for("Press Ctrl-C to stop")
    assert stack.get("/database") == (200, ELSEWHERE["DATABASE_URL"])
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == [
        "pycache", "secrets.json", "up.lock",
    ]  # fmt: skip


def test_a_second_stack_in_the_same_folder_is_refused(launch: Callable[..., Stack]) -> None:
    first = launch(**ELSEWHERE)
    first.wait_for("Press Ctrl-C to stop")
    second = launch(**ELSEWHERE)
    assert second.process.wait(10) == 3
    pid = first.process.pid
    assert second.end() == 3
    assert second.lines == [
        f"Service Engine X already runs here (pid {pid}) at http://127.0.0.1:{first.port}; "
        f"stop it with Ctrl-C there or `kill {pid}`"
    ]


def test_a_taken_port_is_named_with_the_way_to_move(launch: Callable[..., Stack]) -> None:
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        stack = launch(port, **ELSEWHERE)
        assert stack.process.wait(10) == 4
        stack.end()
    (line,) = stack.lines
    assert f"port {port} on 127.0.0.1 is taken" in line
    assert "make run PORT=" in line


def test_a_killed_stack_leaves_nothing_and_starts_again_at_once(
    launch: Callable[..., Stack],
) -> None:
    stack = launch()
    stack.wait_for("Press Ctrl-C to stop")
    children = [stack.pid_of("web listens"), stack.pid_of("worker runs")]
    stack.end(signal.SIGKILL)
    again = launch(stack.port)
    again.wait_for("Press Ctrl-C to stop")
    for pid in children:
        wait_gone(pid)
    assert again.end() == 0
