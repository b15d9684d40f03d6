"""Runs a stack of processes: prefixes their logs, restarts what dies, stops all in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Protocol, Self, TextIO

from webapp.devstack.processes import StartError, kill_group, spawn, stop

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0  # seconds before a restart; doubles in between
HEALTHY_SECONDS = 30.0  # a process that ran this long has its earlier deaths forgotten
DEATHS_ALLOWED = 8  # without a healthy stretch in between
STOP_SECONDS = 25.0  # above the 20 s Celery gives its running tasks
NAME_WIDTH = 10
COLOURS = (36, 33, 32, 35, 34, 96, 93)  # of ECMA-48, readable on dark and light
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """The stack was told to stop while it was starting."""


class Server(Protocol):
    """What can be supervised: EmbeddedPostgres, EmbeddedValkey and Command."""

    def start(self, output: int) -> subprocess.Popen[bytes]:
        """Start it, its log going to the file descriptor `output`. Raises StartError."""

    def stop(self) -> None:
        """Stop it, or its start if that is under way; safe when nothing runs."""


class Command:
    """A command line as a Server: started as it is, ended by SIGTERM, at last by SIGKILL."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.argv = argv
        self.env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, output: int) -> subprocess.Popen[bytes]:
        """Start the command. Raises StartError."""
        self._process = spawn(self.argv, output=output, env=self.env)
        return self._process

    def stop(self) -> None:
        """End the command and its whole process group."""
        if self._process is not None:
            stop(self._process, (signal.SIGTERM, STOP_SECONDS))


class Log:
    """Writes lines of many processes to one stream, each with its process's name before it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._names: list[str] = []
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        """Write one line; a stream that nobody reads any more is no reason to fail."""
        with self._lock:
            if name not in self._names:
                self._names.append(name)
            prefix = f"{name:<{NAME_WIDTH}} |"
            if self._colours:
                colour = COLOURS[self._names.index(name) % len(COLOURS)]
                prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
            with suppress(OSError):
                self._stream.write(f"{prefix} {text}\n")
                self._stream.flush()

    def block(self, text: str) -> None:
        """Write a text of several lines with no prefix, in one piece."""
        with self._lock, suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()


class LogPipe:
    """A pipe whose lines go to the log; a process writes to `descriptor`. Keeps the last lines."""

    def __init__(self, log: Log, name: str, *, echo: bool = True) -> None:
        self.lines: list[str] = []
        self._log, self._name, self._echo = log, name, echo
        self._reading, self.descriptor = os.pipe()
        self._thread = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let the reader finish: it ends when the last process has closed its side."""
        os.close(self.descriptor)
        self._thread.join(2)

    def _read(self) -> None:
        with open(self._reading, "rb") as pipe:
            for raw in pipe:
                text = raw.decode(errors="replace").rstrip()
                self.lines = [*self.lines[-199:], text]
                if self._echo:
                    self._log.line(self._name, text)


class Service:
    """One supervised process and the thread that starts it, waits for its end, starts it again.

    The thread lives as long as the process: Linux ends the process when its starter ends.
    """

    def __init__(self, supervisor: Supervisor, name: str, server: Server) -> None:
        self.name = name
        self.started = threading.Event()  # once, for good or (see `failed`) for bad
        self.failed = ""
        self._supervisor, self._server = supervisor, server
        self._stopping = supervisor.stopping
        self._pipe = LogPipe(supervisor.log, name)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the process and the thread; a start that is under way is stopped as well.

        Only once the supervisor stops: before, the process would be started again.
        """
        while self._thread.is_alive():
            self._server.stop()
            self._thread.join(0.2)
        self._pipe.close()

    def _run(self) -> None:
        deaths, delay = 0, FIRST_DELAY
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                process = self._server.start(self._pipe.descriptor)
            except (StartError, OSError) as error:  # the latter: a full disk, say
                reason = str(error)
                if not self.started.is_set():  # the first time: nothing that passes by itself
                    return self._give_up(reason)
            else:
                self.started.set()
                reason = describe_end(process.wait())
                kill_group(process.pid)  # whatever of its group survived it
            if self._stopping.is_set():
                return None
            if time.monotonic() - begin > HEALTHY_SECONDS:
                deaths, delay = 0, FIRST_DELAY
            deaths += 1
            if deaths >= DEATHS_ALLOWED:
                said = next((line for line in reversed(self._pipe.lines) if line), "nothing")
                return self._give_up(f"died {deaths} times in a row ({reason}); last said: {said}")
            self._supervisor.say(f"{self.name} died ({reason}); starting it again in {delay:g} s")
            self._stopping.wait(delay)
            delay = min(delay * 2, LONGEST_DELAY)
        return None

    def _give_up(self, reason: str) -> None:
        self.failed = f"{self.name}: {reason}"
        self.started.set()
        self._supervisor.fail(self.failed)


class Supervisor:
    """The running services. A context manager: SIGINT, SIGTERM and SIGHUP ask it to stop inside,
    and on leaving it everything is stopped in reverse order."""

    def __init__(self, log: Log | None = None) -> None:
        self.log = log or Log()
        self.failure = ""
        self.stopping = threading.Event()  # from now on nothing is started again
        self._services: list[Service] = []
        self._stop_first: list[Service] = []
        self._stop_requested = threading.Event()
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for signum in STOP_SIGNALS:
            self._previous[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._services:
            self.say("stopping")
        self.stopping.set()
        rest = [service for service in self._services if service not in self._stop_first]
        for service in reversed(rest + self._stop_first):
            service.stop()
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]

    def start(self, name: str, server: Server, *, stops_first: bool = False) -> None:
        """Start a service and wait until its `start` returns; from then on it is kept running.

        One that `stops_first` is stopped before all others. Raises StartError if it cannot be
        started at all, StopRequested when told to stop.
        """
        self.start_together({name: server}, stops_first=stops_first)

    def start_together(self, servers: Mapping[str, Server], *, stops_first: bool = False) -> None:
        """Start services side by side, and wait for all of them. Raises as `start` does."""
        self.check()
        services = [Service(self, name, server) for name, server in servers.items()]
        self._services += services
        self._stop_first += services if stops_first else []
        for service in services:
            while not service.started.wait(0.1):
                self.check()
            if service.failed:
                raise StartError(service.failed)

    def run(self, name: str, command: Command, *, echo: bool = True) -> tuple[int, list[str]]:
        """Run a command to its end; its exit status and its last 200 lines (logged if `echo`).

        Raises StartError if it cannot be started, StopRequested when told to stop meanwhile.
        """
        self.check()
        pipe = LogPipe(self.log, name, echo=echo)
        try:
            process = command.start(pipe.descriptor)
            while process.poll() is None:
                self.check()
                time.sleep(0.02)
        finally:
            command.stop()
            pipe.close()
        return process.returncode, pipe.lines

    def check(self) -> None:
        """Raises StopRequested or, when a service has been given up, StartError."""
        if self.failure:
            raise StartError(self.failure)
        if self._stop_requested.is_set():
            raise StopRequested

    def pause(self, seconds: float) -> None:
        """Wait `seconds`, less if told to stop. Raises as `check` does."""
        self._stop_requested.wait(seconds)
        self.check()

    def wait(self) -> None:
        """Wait until told to stop. Raises StartError when a service has been given up."""
        self._stop_requested.wait()
        if self.failure:
            raise StartError(self.failure)

    def fail(self, reason: str) -> None:
        """Give up: everything is to stop, because of `reason`. Called by a service's thread."""
        self.failure = self.failure or reason
        self._stop_requested.set()

    def say(self, text: str) -> None:
        """Log a line of the supervisor's own."""
        self.log.line("sx", text)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop_requested.set()


def describe_end(status: int) -> str:
    """A process's exit status in words: `exit status 1`, `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:  # real-time signals have no name
        return f"killed by signal {-status}"
