"""`sx up`: the whole of Service Engine X on one machine, by one command."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from webapp.devstack.migrated import is_migrated
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.processes import HOST, StartError, port_is_free
from webapp.devstack.state import StateFile
from webapp.devstack.supervisor import Command, Server, StopRequested, Supervisor
from webapp.devstack.valkey import EmbeddedValkey

FAILED, ALREADY_RUNS, PORT_TAKEN = 1, 3, 4
SLOW_SECONDS = 30.0
READY_SECONDS = 0.02  # between two looks whether the web is ready
WEB = "web"
# The processes of a stack that was killed a moment ago still hold the port while they end.
PORT_SECONDS = 15.0


@dataclass(frozen=True)
class Plan:
    """The command lines of a stack: of `migrate`, the `services` and the `seed`.

    The service `web` starts first, as it takes longest to be ready, and stops first, as it is
    asked from outside; the others start in the order given and stop in the reverse one.
    """

    migrate: list[str]
    services: dict[str, list[str]]
    seed: list[str]


def processes(host: str, port: int, var: Path, env: Mapping[str, str]) -> Plan:
    """The application's own command lines, sized by the environment."""
    python = sys.executable
    # Root is usual in containers, and only JSON is accepted: the warning would say nothing new.
    celery = [python, "-W", "ignore:You're running the worker with superuser", "-m", "celery"]
    celery += ["--quiet", "--app", "celery_worker:celery"]
    # Our own lines tell of every job; Celery's would tell it twice more.
    log_level = "--loglevel=WARNING"
    beat = [*celery, "beat", "--schedule", str(var / "beat-schedule"), log_level]
    sx = [python, "-m", "webapp.cli.main"]
    return Plan(
        migrate=[*sx, "migrate"],
        services={
            "dispatcher": [*sx, "dispatcher"],
            "worker": [*sx, "worker"],
            "beat": beat,
            "web": [*sx, "web", "--host", host, "--port", str(port)],
        },
        seed=[*sx, "demo-seed", "--json"],
    )


def run_stack(port: int, var: Path, plan: Plan | None = None) -> int:
    """Start everything, say where it is, keep it running until Ctrl-C or SIGTERM.

    `var` is the folder of all data; `plan` replaces the application's command lines in tests.
    DATABASE_URL and REDIS_URL, when set, take the place of the embedded servers. Returns the
    exit status: 0 stopped as asked, 1 something keeps failing, 3 it runs already in this
    folder, 4 the port is taken. Every foreseen condition is one line on standard error.
    """
    var = var.resolve()
    host = os.environ.get("HOST", HOST)
    address = os.environ.get("BASE_URL", f"http://{HOST}:{port}").rstrip("/")
    try:
        with (
            only_one(var, address) as was_killed,
            Supervisor() as supervisor,
            suppress(StopRequested),
        ):
            _check_port(supervisor, host, port, PORT_SECONDS if was_killed else 0.0)
            _run(supervisor, host, port, var, address, plan)
    except StartError as error:
        print(error, file=sys.stderr, flush=True)
        return error.status
    except OSError as error:
        print(f"{error.strerror}: {error.filename or var}", file=sys.stderr, flush=True)
        return FAILED
    print("Service Engine X has stopped.", flush=True)
    return 0


@contextmanager
def only_one(var: Path, address: str) -> Iterator[bool]:
    """Hold `<var>/up.lock` meanwhile; the kernel frees it whatever ends the process.

    Gives whether the last holder was killed: a clean end empties the file. Raises StartError
    naming the other process and its address when one holds it now.
    """
    var.mkdir(parents=True, exist_ok=True)
    with (var / "up.lock").open("a+") as file:
        file.seek(0)
        pid, _, where = file.read().strip().partition(" ")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"Service Engine X already runs here (pid {pid}) at {where}; "
                f"stop it with Ctrl-C there or `kill {pid}`",
                ALREADY_RUNS,
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()} {address}\n")
        file.flush()
        try:
            yield pid != ""
        finally:
            file.truncate(0)


def _check_port(supervisor: Supervisor, host: str, port: int, patience: float) -> None:
    """Raises StartError when `port` cannot be had within `patience` seconds."""
    if not 1 <= port <= 65535:
        raise StartError(f"PORT={port} is not a port: choose one from 1024 to 65535", PORT_TAKEN)
    deadline = time.monotonic() + patience
    while not port_is_free(port, host):
        if time.monotonic() >= deadline:
            other = port + 1 if port < 65535 else 8000
            raise StartError(
                f"port {port} on {host} is taken by another program (or not allowed to you): "
                f"stop that one, or choose another port: `make run PORT={other}`",
                PORT_TAKEN,
            )
        supervisor.pause(0.1)


def _run(
    supervisor: Supervisor, host: str, port: int, var: Path, address: str, plan: Plan | None
) -> None:
    begin = time.monotonic()
    env = dict(os.environ)
    env |= {"BASE_URL": address, "VAR_DIR": str(var), "PORT": str(port)}
    # Compiled code is kept with the data, also where the environment or a read-only checkout
    # would forbid it: that is a second of every process's start.
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
    env.setdefault("PYTHONPYCACHEPREFIX", str(var / "pycache"))
    env["SECRET_KEY"] = env.get("SECRET_KEY") or StateFile(var).secret("secret_key")
    _start_servers(supervisor, var, env)
    plan = plan or processes(host, port, var, env)
    if not is_migrated(env):
        status, _ = supervisor.run("migrate", Command(plan.migrate, env))
        if status != 0:
            raise StartError("the database could not be migrated; the lines above say why")
    services = {name: Command(argv, env) for name, argv in plan.services.items()}
    supervisor.start(WEB, services.pop(WEB), stops_first=True)
    # The seed needs only the database. Two processes that load keep two cores busy: the others,
    # which nobody waits for yet, come after it.
    status, lines = supervisor.run("seed", Command(plan.seed, env), echo=False)
    for name, service in services.items():
        supervisor.start(name, service)
    _wait_until_ready(supervisor, host, port)
    seed = _json_object(lines)
    if status != 0 or seed is None:
        for line in lines:
            supervisor.log.line("seed", line)
        supervisor.say("the demo organization could not be made; the lines above say why")
    supervisor.log.block(welcome(address, seed or {}, time.monotonic() - begin))
    supervisor.wait()


def _start_servers(supervisor: Supervisor, var: Path, env: dict[str, str]) -> None:
    """Start those of the embedded servers that `env` names no other for; it names them then."""
    postgres, valkey = EmbeddedPostgres(var), EmbeddedValkey(var)
    servers: dict[str, Server] = {}
    if not env.get("DATABASE_URL"):
        servers["postgres"] = postgres
    if not env.get("REDIS_URL"):
        servers["valkey"] = valkey
    supervisor.start_together(servers)
    if "postgres" in servers:
        env["DATABASE_URL"] = postgres.owner_url
    if "valkey" in servers:
        env["REDIS_URL"] = valkey.url


def _wait_until_ready(supervisor: Supervisor, host: str, port: int) -> None:
    """Ask /readyz until it answers 200; every 30 s, say what it answers instead."""
    probe = HOST if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - asked there
    complain_at = time.monotonic() + SLOW_SECONDS
    while True:
        status, text = _get(probe, port, "/readyz")
        if status == 200:
            return
        if time.monotonic() > complain_at:
            supervisor.say(f"still not ready, /readyz says: {text}")
            complain_at += SLOW_SECONDS
        supervisor.pause(READY_SECONDS)


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and beginning of the body of a GET; status 0 and the reason if there is no answer.

    `http.client`, because it minds no proxy settings: this goes to our own machine.
    """
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, " ".join(response.read(500).decode(errors="replace").split())
    except (OSError, http.client.HTTPException) as error:
        return 0, f"no answer ({error})"
    finally:
        connection.close()


def _json_object(lines: list[str]) -> dict[str, object] | None:
    """The last line that is a JSON object: what a command printed among its log lines."""
    for line in reversed(lines):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def welcome(address: str, seed: Mapping[str, object], seconds: float) -> str:
    """What to do next, as text: the address, the demo's credentials, the waiting signing link."""
    login = " / ".join(str(seed[key]) for key in ("login_email", "login_password") if seed.get(key))
    rows = {
        "Address": address,
        "Organization": seed.get("organization"),
        "Staff login": login,
        "API key": seed.get("api_key"),
        "To be signed": seed.get("signing_url"),
        "API docs": f"{address}/api/docs",
        "Mail goes to": seed.get("mail"),
    }
    lines = [f"  {name:<14}{value}" for name, value in rows.items() if value]
    title = f"Service Engine X is ready ({seconds:.1f} s)"
    return "\n".join(["", title, "-" * len(title), *lines, "", "  Press Ctrl-C to stop.", ""])
