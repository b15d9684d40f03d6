"""A stack of the application's own processes, on a database and a broker of the test's choice.

The command lines are those of `make run`, so what is tested is what runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from webapp.devstack.processes import HOST, free_port, spawn, stop
from webapp.devstack.up import processes

START_SECONDS = 60.0
# The test is over: what has not ended by then, such as a worker without a broker, is killed.
STOP_SECONDS = 3.0


class Stack:
    """Web, worker, dispatcher and beat, each a process of its own that can be killed and started.

    `env` gives DATABASE_URL, REDIS_URL and SECRET_KEY; logs go to `<var>/<name>.log`.
    """

    def __init__(self, var: Path, env: Mapping[str, str]) -> None:
        self.var = var
        var.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base_url = f"http://{HOST}:{self.port}"
        self.env = {
            **os.environ,
            "WEB_WORKERS": "1",
            "WEB_THREADS": "16",
            "LOG_LEVEL": "INFO",
            **env,
            "BASE_URL": self.base_url,
            "PORT": str(self.port),
            "VAR_DIR": str(var),
        }
        self.commands = processes(HOST, self.port, var, self.env).services
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        """Start the named processes, all by default, and wait until the web answers."""
        for name in names or tuple(self.commands):
            with (self.var / f"{name}.log").open("ab") as log:
                self.running[name] = spawn(self.commands[name], output=log.fileno(), env=self.env)
        if not names or "web" in names:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if self.running["web"].poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"the web did not get ready:\n{self.log('web')[-4000:]}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process; SIGKILL goes to its whole group."""
        process = self.running[name]
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
            process.wait(10)
        else:
            os.kill(process.pid, number)

    def stop(self) -> None:
        """End all processes, told at the same time, so that they wait for each other's end once."""
        ending = list(self.running.values())
        self.running.clear()
        for process in ending:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in ending:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
        for process in ending:
            stop(process)

    def log(self, name: str) -> str:
        return (self.var / f"{name}.log").read_text(errors="replace")
