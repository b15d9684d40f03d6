"""The supervisor with real child processes: restarts, giving up, order of stopping, no orphans."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from webapp.devstack import supervisor as module
from webapp.devstack.processes import StartError
from webapp.devstack.supervisor import Command, Log, StopRequested, Supervisor, describe_end

pytestmark = pytest.mark.long


def python(program: str) -> Command:
    return Command([sys.executable, "-I", "-c", program])


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_service_that_keeps_dying_is_given_up_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.01)
    output = io.StringIO()
    with Supervisor(Log(output)) as supervisor:
        supervisor.start("web", python("print('no such module'); raise SystemExit(7)"))
        with pytest.raises(StartError, match=r"web: died 8 times in a row .*no such module"):
            supervisor.wait()
    assert output.getvalue().count("web died (exit status 7)") == 7


STOPS = (
    "import os, signal, sys, time\n"
    # Not print: the signal may come while the other text is still being flushed.
    "def stop(*_): os.write(1, b'stops\\n'); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, stop); print('up', flush=True); time.sleep(60)\n"
)


def order_of_stops(output: io.StringIO) -> list[str]:
    return [line.split()[0] for line in output.getvalue().splitlines() if "stops" in line]


def wait_until_up(output: io.StringIO, count: int) -> None:
    while output.getvalue().count("up") < count:
        time.sleep(0.01)


def test_services_stop_in_reverse_order() -> None:
    output = io.StringIO()
    with Supervisor(Log(output)) as supervisor:
        for name in ("first", "second", "third"):
            supervisor.start(name, python(STOPS))
        wait_until_up(output, 3)
    assert order_of_stops(output) == ["third", "second", "first"]


def test_what_is_asked_from_outside_stops_first_though_it_was_started_before() -> None:
    output = io.StringIO()
    with Supervisor(Log(output)) as supervisor:
        supervisor.start("server", python(STOPS))
        supervisor.start("web", python(STOPS), stops_first=True)
        supervisor.start("worker", python(STOPS))
        wait_until_up(output, 3)
    assert order_of_stops(output) == ["web", "worker", "server"]


class Slow(Command):
    """A command whose start takes a while, as a server's does that is waited for."""

    def start(self, output: int) -> subprocess.Popen[bytes]:
        time.sleep(0.5)
        return super().start(output)


def test_services_that_start_together_wait_for_each_other_no_longer_than_for_the_slowest() -> None:
    command = [sys.executable, "-I", "-c", STOPS]
    with Supervisor(Log(io.StringIO())) as supervisor:
        begin = time.monotonic()
        supervisor.start_together({str(number): Slow(command) for number in range(6)})
        assert time.monotonic() - begin < 2


def test_a_service_deaf_to_sigterm_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: print('pids', os.getpid(), child, flush=True)\n"
        "time.sleep(60)\n"
    )
    output = io.StringIO()
    with Supervisor(Log(output)) as supervisor:
        supervisor.start("deaf", python(program))
        while "pids" not in output.getvalue():
            time.sleep(0.01)
    pids = [int(word) for word in output.getvalue().split("pids")[1].split()[:2]]
    time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


def test_what_a_dead_service_left_behind_is_killed_before_the_restart() -> None:
    program = (
        "import os, time\n"
        "child = os.fork()\n"
        "if child: print('child', child, flush=True); os.kill(os.getpid(), 9)\n"
        "time.sleep(60)\n"
    )
    output = io.StringIO()
    with Supervisor(Log(output)) as supervisor:
        supervisor.start("worker", python(program))
        while not {"child", "died"} <= set(output.getvalue().split()):
            time.sleep(0.01)
        orphan = int(output.getvalue().split("child")[1].split()[0])
        deadline = time.monotonic() + 5
        while alive(orphan) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not alive(orphan)


def test_a_signal_ends_a_command_that_runs_before_the_services() -> None:
    begin = time.monotonic()
    with Supervisor(Log(io.StringIO())) as supervisor:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StopRequested):
            supervisor.run("migrate", python("import time; time.sleep(60)"))
    assert time.monotonic() - begin < 5


def test_a_program_that_does_not_exist_is_named() -> None:
    with Supervisor(Log(io.StringIO())) as supervisor:
        status, lines = supervisor.run("migrate", Command(["/nonexistent/sx"]))
    assert (status, lines) == (1, ["cannot run /nonexistent/sx: No such file or directory"])


def test_exit_statuses_are_told_in_words() -> None:
    assert describe_end(3) == "exit status 3"
    assert describe_end(-signal.SIGKILL) == "killed by SIGKILL"
