"""The peers: small applications that do the same work, and the environment they run in.

They and the floor have requirements of their own (`requirements.lock`), which are no part of the
product's.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
NAMED = "fastapi|pydantic|uvicorn|asyncpg|sqlalchemy|django|djangorestframework"


def python(folder: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of the virtual environment in `<folder>/venv`.

    It is made when it is not there or older than the lock. Raises CalledProcessError when a
    package cannot be installed.
    """
    place = folder.resolve() / "venv"
    interpreter, stamp = place / "bin" / "python", place / ".installed"
    if not stamp.exists() or stamp.stat().st_mtime < LOCK.stat().st_mtime:
        say("installing the peers' requirements (a minute, the first time)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip: list[str | Path] = [interpreter, "-m", "pip", "--disable-pip-version-check", "-qq"]
        subprocess.run([*pip, "install", "--require-hashes", "-r", LOCK], check=True)
        stamp.touch()
    return interpreter


def versions() -> list[str]:
    """What the peers are made of, as the lock pins it."""
    pinned = re.findall(rf"^({NAMED})==(\S+)", LOCK.read_text(), re.MULTILINE)
    return [f"{name} {version}" for name, version in pinned]
