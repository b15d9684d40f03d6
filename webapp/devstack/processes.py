"""Starting, finding and ending child processes, and choosing their ports."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
CHILD = Path(__file__).with_name("child.py")
# Below Linux's and macOS's ephemeral ranges (32768 and 49152 up): a client that keeps trying a
# server that is down could otherwise be given that very port as its own, and block the restart.
PORTS = range(15_000, 30_000)

Output = int | IO[bytes] | None


class StartError(Exception):
    """A local server or process cannot be started; the message says what to do about it.

    `status` is the exit status it stands for when it ends the program.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def spawn(
    command: Sequence[str | Path],
    *,
    output: Output = None,
    env: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own process group, output and errors going to `output`.

    On Linux the kernel sends it `death_signal` when the *thread* that called this ends, so the
    caller must be the main thread or one that lives as long as the child. Raises StartError when
    no process can be made.
    """
    shim = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(death_signal))]
    try:
        return subprocess.Popen(
            [*shim, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=env,
            process_group=0,  # Ctrl-C reaches the supervisor only, which stops them in order
        )
    except OSError as error:
        raise StartError(f"cannot start {command[0]}: {error.strerror}") from error


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> int:
    """Send each step's signal and wait its seconds for the end; KILL the whole group at last.

    Returns the exit status (negative: the signal that ended it). Safe on one that has ended.
    """
    for signum, seconds in steps:
        if process.poll() is not None:
            break
        process.send_signal(signum)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    # The group too: a child that died badly may have left children of its own.
    kill_group(process.pid)
    return process.wait()


def kill_group(group: int) -> None:
    """Send SIGKILL to a process group; nothing happens when it is gone."""
    # macOS answers EPERM for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def processes_at(folder: Path) -> list[int]:
    """Ids of the processes whose working directory is `folder`; empty where there is no /proc.

    PostgreSQL and Valkey both work in their data folder, so this finds what an earlier,
    killed supervisor left there, and never a stranger that was given a recycled process id.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def stop_leftovers(folder: Path, main_pid: int | None, signum: signal.Signals) -> None:
    """End the processes that still work in `folder`: ask `main_pid` by `signum`, then KILL.

    PostgreSQL's other processes end by themselves once their postmaster is gone; starting a
    new one earlier only makes it refuse ("pre-existing shared memory block is still in use").
    """
    if main_pid is not None and main_pid in processes_at(folder):
        signal_quietly(main_pid, signum)
    deadline = time.monotonic() + 15
    while processes_at(folder):
        if time.monotonic() > deadline:
            for pid in processes_at(folder):
                signal_quietly(pid, signal.SIGKILL)
            deadline += 15
        time.sleep(0.02)


def signal_quietly(pid: int, signum: signal.Signals) -> None:
    """Send a signal to a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on `port` now (connections that are closing don't count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0) -> int:
    """`preferred` if it is free, else a free port out of PORTS. Raises StartError if none is."""
    if preferred and port_is_free(preferred):
        return preferred
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            return port
    raise StartError(f"no free TCP port between {PORTS.start} and {PORTS.stop - 1} on {HOST}")
