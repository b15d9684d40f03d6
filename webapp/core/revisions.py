"""The revisions that migrations lead to, read from their files without loading them.

Alembic knows them too, but to load it takes longer than all else that needs them.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"
_REVISION = re.compile(r"^revision = ['\"](\w+)['\"]$", re.MULTILINE)
_BEFORE = re.compile(r"^down_revision = (?:['\"](\w+)['\"]|None)$", re.MULTILINE)


@functools.cache
def known_revisions() -> tuple[str, ...]:
    """The revisions this process has migrations for, the newest first."""
    after: dict[str | None, str] = {}
    for file in VERSIONS.glob("[0-9]*.py"):
        text = file.read_text(encoding="utf-8")
        [revision], [before] = _REVISION.findall(text), _BEFORE.findall(text)
        after[before or None] = revision
    found: list[str] = []
    newest: str | None = None
    while newest in after:
        newest = after[newest]
        found.insert(0, newest)
    return tuple(found)
