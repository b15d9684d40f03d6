"""What a mutant is: a change of some characters, and the tests that must turn red."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """`old`, found exactly once in `file` (a path from the root), becomes `new`."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises ValueError unless `old` is there exactly once."""
        path = root / self.file
        text = path.read_text()
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: found {found} times, not once: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A safeguard taken away (`name` says which), and the node ids of the tests that notice."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def without(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """A mutant of one edit."""
    return Mutant(name, (Edit(file, old, new),), tests)
