"""Becomes another program, after asking the kernel to end it together with its parent.

Run as a script by `webapp.devstack.processes.spawn`:
`python child.py PARENT_PID SIGNAL COMMAND...`. It is a program of its own, not a `preexec_fn`,
because running Python between fork and exec is unsafe (and warned of) when the parent has threads.
`exec` keeps the process id, so the parent watches the real program.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, death_signal: int, command: list[str]) -> None:
    """Bind this process to its parent's life, then become `command`.

    Linux only for the binding (prctl(2), PR_SET_PDEATHSIG); elsewhere the next start finds what
    was left behind. Raises OSError when the command cannot be run.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it died before the call above: nobody would tell us
            sys.exit(128 + signal.SIGTERM)
    os.execvp(command[0], command)  # noqa: S606 - the point of this program


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[3]}: {error.strerror}")
