"""`secrets.json`: the passwords and ports that must be the same at the next start."""

from __future__ import annotations

import json
import os
import secrets
import threading
from pathlib import Path

from webapp.devstack.processes import StartError

# Servers that start side by side put their ports into one file.
_writing = threading.RLock()


class StateFile:
    """Names and values kept in `<folder>/secrets.json`, readable by its owner only (0600)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "secrets.json"

    def get(self, name: str) -> str | int | None:
        """The value kept under `name`, None if there is none. Raises StartError if unreadable."""
        value = self._read().get(name)
        return value if isinstance(value, str | int) else None

    def secret(self, name: str) -> str:
        """The secret kept under `name`; 256 random bits in hexadecimal are made the first time."""
        with _writing:
            known = self.get(name)
            if known is None:
                known = secrets.token_hex(32)
                self.put(name, known)
            return str(known)

    def put(self, name: str, value: str | int) -> None:
        """Keep `value` under `name`: the file is replaced whole, so a kill never halves it."""
        with _writing:
            values = self._read()
            if values.get(name) == value:
                return
            values[name] = value
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f"secrets.{os.getpid()}.tmp")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                json.dump(values, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)

    def _read(self) -> dict[str, object]:
        try:
            values = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StartError(
                f"{self.path} cannot be read ({error}); restore or remove it"
            ) from None
        return dict(values)
