"""How long `make run` takes until it is healthy, on a folder that has run before."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.report import ROOT, Repeated, Section, Table
from benchmarks.stage import Stage
from benchmarks.targets import Target
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.processes import HOST, StartError, free_port, spawn, stop
from webapp.devstack.valkey import EmbeddedValkey

WARM_SECONDS = 3.0
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
PAUSE = 0.005

TEXT = """
`sx up`, which is what `make run` executes once everything is installed, in a folder of its own:
PostgreSQL, Valkey, migrations, web (2 processes), the sample organization, dispatcher, worker and
beat. From the start of the process until `/readyz` answers 200. **First**: the folder is
empty, so the cluster and the schema are made, and all code is compiled. **Warm**: it has run
before and was stopped by SIGTERM. **Bare cost**: the embedded PostgreSQL is started on the same
data by itself, then one process imports the application and ends; what no start can do without.
"""


def measure(stage: Stage, repeats: int) -> Section:
    """Start and stop the whole, and the bare minimum, by turns."""
    folder = stage.folder / "up"
    log = stage.logs / "up.log"
    env = _environment(folder)
    first = []
    for _ in range(repeats):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        first.append(_until_ready(folder, env, log))
    _until_ready(folder, env, log)
    warm, bare = [], []
    for repeat in range(repeats):
        for side in ("warm", "bare") if repeat % 2 else ("bare", "warm"):
            if side == "warm":
                warm.append(_until_ready(folder, env, log))
            else:
                bare.append(_bare(folder, env))
        stage.say(
            f"startup {repeat + 1}/{repeats}: {warm[-1]:.2f} s, the bare cost {bare[-1]:.2f} s"
        )
    ratio = Repeated.ratio(warm, bare)
    table = Table(
        ["Start", "seconds"],
        [
            ["`make run`, first", Repeated(first).cell()],
            ["`make run`, warm", Repeated(warm).cell()],
            ["bare cost", Repeated(bare).cell()],
            ["warm / bare", ratio.cell()],
        ],
    )
    target = Target(
        "`make run`, warm, until it is healthy",
        Repeated(warm).median,
        WARM_SECONDS,
        at_least=False,
        unit="s",
        note=Repeated(warm).spread(),
    )
    return Section("Start", TEXT, [table], [target])


def _environment(folder: Path) -> dict[str, str]:
    """What `make run` sees, with nothing that would lead it to other servers."""
    ours = ("DATABASE_URL", "DATABASE_APP_URL", "DATABASE_DISPATCHER_URL", "REDIS_URL", "BASE_URL")
    env = {name: value for name, value in os.environ.items() if name not in ours}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    return env | {"PYTHONPYCACHEPREFIX": str(folder / "pycache")}


def _until_ready(folder: Path, env: Mapping[str, str], log: Path) -> float:
    """Seconds from the start until /readyz answers 200; stopped again afterwards.

    Raises TimeoutError when it does not within two minutes.
    """
    port = free_port()
    command = [sys.executable, "-m", "webapp.cli.main", "up", "--port", str(port)]
    with log.open("ab") as output:
        begin = time.perf_counter()
        # `sx up` keeps its data in `var/` of the folder it is started in.
        process = spawn(["env", f"--chdir={folder}", *command], output=output.fileno(), env=env)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - begin > READY_SECONDS:
                raise TimeoutError(f"`sx up` did not get ready: see {log}")
            time.sleep(PAUSE)
        return time.perf_counter() - begin
    finally:
        stop(process, (signal.SIGTERM, STOP_SECONDS))


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def _bare(folder: Path, env: Mapping[str, str]) -> float:
    """Seconds to start PostgreSQL and to import the application once, one after the other."""
    var = folder / "var"
    begin = time.perf_counter()
    with EmbeddedPostgres(var) as postgres:
        settings = {
            **env,
            "DATABASE_URL": postgres.owner_url,
            "REDIS_URL": EmbeddedValkey(var).url,
            "SECRET_KEY": "only to be imported, never to be used",
        }
        done = subprocess.run([sys.executable, "-c", "import webapp.wsgi"], env=settings)
        if done.returncode != 0:
            raise StartError("the application cannot be imported")
        return time.perf_counter() - begin
