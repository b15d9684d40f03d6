"""The embedded PostgreSQL and Valkey, really started, killed and started again."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.devstack import postgres, processes
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.processes import StartError, free_port, processes_at
from webapp.devstack.valkey import EmbeddedValkey

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One durable PostgreSQL, as `make run` has it, for the tests of this module."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("var")) as running:
        yield running


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path) as running:
        yield running


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_postgresql_listens_on_the_loopback_address_only(server: EmbeddedPostgres) -> None:
    assert ask(server.owner_url, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(server.owner_url, "SHOW unix_socket_directories") == ""
    assert ask(server.owner_url, "SHOW fsync") == "on"


def test_the_database_is_utf8_with_the_builtin_locale(server: EmbeddedPostgres) -> None:
    query = "SELECT datlocprovider::text || datlocale || pg_encoding_to_char(encoding)"
    query += " FROM pg_database WHERE datname = current_database()"
    assert ask(server.owner_url, query) == "bC.UTF-8UTF8"


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(server.url("postgres", password="guess"), "SELECT 1")


def test_the_secrets_are_readable_by_their_owner_only(server: EmbeddedPostgres) -> None:
    mode = (server.folder / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_a_database_is_cloned_from_a_template_and_dropped(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.create_database("template")) as connection:
        connection.execute("CREATE TABLE note AS SELECT 'kept'::text AS body")
    url = server.create_database("a copy", template="template")
    assert ask(url, "SELECT body FROM note") == "kept"
    with psycopg.connect(url):  # a connection left open does not hinder the drop
        server.drop_database("a copy")
    server.drop_database("a copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        ask(url, "SELECT 1")


def test_postgresql_killed_by_sigkill_comes_back_with_what_was_committed(
    server: EmbeddedPostgres,
) -> None:
    port, first = server.port, server.pid
    assert first is not None
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("CREATE TABLE deposits AS SELECT 7 AS amount")
    holder = psycopg.connect(server.owner_url)  # a backend that outlives its postmaster a little
    try:
        os.kill(first, signal.SIGKILL)
        while server.alive():
            time.sleep(0.01)
        assert server.returncode == -signal.SIGKILL
        server.start()
    finally:
        holder.close()
    assert (server.port, ask(server.owner_url, "SELECT amount FROM deposits")) == (port, 7)
    assert server.pid != first


def test_postgresql_stopped_cleanly_starts_again_on_its_port(server: EmbeddedPostgres) -> None:
    port = server.port
    server.stop()
    assert (server.returncode, processes_at(server.data)) == (0, [])
    again = EmbeddedPostgres(server.folder)
    again.start()
    try:
        assert again.port == port
    finally:
        again.stop()
        server.start()


def test_servers_end_with_a_killed_supervisor_and_the_next_one_takes_over(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from webapp.devstack.postgres import EmbeddedPostgres\n"
        "from webapp.devstack.valkey import EmbeddedValkey\n"
        "folder = Path(sys.argv[1])\n"
        "EmbeddedPostgres(folder, durable=False).start(); EmbeddedValkey(folder).start()\n"
        "print('started', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"started\n"
        supervisor.kill()
    with EmbeddedPostgres(tmp_path, durable=False) as server, EmbeddedValkey(tmp_path) as valkey:
        assert processes_at(valkey.data) == [valkey.pid]
        assert server.pid in processes_at(server.data)
        assert ask(server.owner_url, "SELECT 1") == 1
        assert redis.Redis.from_url(valkey.url).ping()


def test_a_lost_password_file_is_reported_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(StartError, match=r"secrets\.json is missing"):
        EmbeddedPostgres(tmp_path).start()


def test_without_any_way_to_run_postgresql_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartError, match="or set DATABASE_URL"):
        postgres.launcher("/nonexistent/postgres")


def test_valkey_killed_by_sigkill_comes_back_with_its_content(valkey: EmbeddedValkey) -> None:
    client = redis.Redis.from_url(valkey.url)
    client.rpush("jobs", "hint")
    port, first = valkey.port, valkey.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while valkey.alive():
        time.sleep(0.01)
    valkey.start()
    assert (valkey.port, client.lrange("jobs", 0, -1)) == (port, [b"hint"])


def test_valkey_asks_for_its_password(valkey: EmbeddedValkey) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)).ping()


def test_valkey_without_persistence_forgets_at_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, persist=False) as valkey:
        redis.Redis.from_url(valkey.url).set("a", "b")
        valkey.stop()
        assert valkey.returncode == 0
        valkey.start()
        assert redis.Redis.from_url(valkey.url).get("a") is None


def test_a_taken_port_is_passed_over_for_another_one() -> None:
    with socket.socket() as holder:
        holder.bind((processes.HOST, 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert free_port(taken) != taken
        assert free_port(taken) in processes.PORTS
