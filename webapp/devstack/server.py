"""What the embedded servers have in common: a process that is looked after."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from typing import Self

from webapp.devstack.processes import Output


class EmbeddedServer(ABC):
    """A server process of our own; used as a context manager, it runs inside the block."""

    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self, output: Output = None) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers; its log goes to `output`."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the server in an orderly way."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The server's process id, None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """The server's exit status once it has ended (negative: a signal), else None."""
        return None if self._process is None else self._process.poll()

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None
