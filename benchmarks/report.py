"""Figures as tables: repeated measurements, sections, and RESULTS.md made of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from benchmarks import peers
from benchmarks.targets import Target

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
PACKAGES = ("flask", "flask-smorest", "sqlalchemy", "psycopg", "granian", "celery", "orjson")


@dataclass(frozen=True, slots=True)
class Repeated:
    """One figure, measured several times. Raises StatisticsError when it never was."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def spread(self, digits: int = 2) -> str:
        """The smallest and the largest value, as a target's note."""
        low, high = min(self.values), max(self.values)
        return f"spread {low:,.{digits}f}–{high:,.{digits}f}"

    def cell(self, digits: int = 2) -> str:
        """Median and spread for a table."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"

    @classmethod
    def ratio(cls, ours: Iterable[float], theirs: Iterable[float]) -> Self:
        """The ratios of what was measured side by side, repeat by repeat."""
        return cls([mine / other for mine, other in zip(ours, theirs, strict=True)])


@dataclass(slots=True)
class Table:
    """A table; the first column is text, the others are figures. `title` stands above it."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def markdown(self) -> str:
        lines = [self.header, ["---", *["--:"] * (len(self.header) - 1)], *self.rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"{self.title}\n\n{text}" if self.title else text


@dataclass(slots=True)
class Section:
    """What one part of the run found; `text` is Markdown and says how it was measured."""

    title: str
    text: str
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    made_from: str = ""  # filled in by the run: the commit

    def markdown(self) -> str:
        parts = [f"## {self.title}", self.text.strip()]
        parts += [table.markdown() for table in self.tables]
        if self.targets:
            parts.append(targets_table(self.targets).markdown())
        return "\n\n".join(parts)

    def save(self, path: Path) -> None:
        """Keep the section as JSON, until RESULTS.md is written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """A section kept by `save`. Raises OSError when there is none."""
        kept: dict[str, Any] = json.loads(path.read_text())
        kept["tables"] = [Table(**table) for table in kept["tables"]]
        kept["targets"] = [Target(**target) for target in kept["targets"]]
        return cls(**kept)


def targets_table(targets: Sequence[Target]) -> Table:
    """The targets as a table, in the words of their lines."""
    rows = [
        [target.name, target.found, target.wanted, target.note, f"**{target.outcome}**"]
        for target in targets
    ]
    return Table(["Target", "Figure", "Wanted", "", "Outcome"], rows)


def commit() -> str:
    """The commit that is measured, and whether files differ from it."""
    made = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    dirty = _git("status", "--porcelain", "--", ".", ":!benchmarks/RESULTS.md")
    return f"{made} (with uncommitted changes)" if dirty else made


def machine(postgres: str, load: float) -> Table:
    """What the run was made on: the server's version, and the load average before it began."""
    rows = [
        ["Processors", f"{os.cpu_count()}, {_processor()}"],
        ["Load average before", f"{load:.1f}"],
        ["Linux", platform.release()],
        ["Python", platform.python_version()],
        ["PostgreSQL", postgres],
        ["Packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)],
        ["Peers", ", ".join(peers.versions())],
    ]
    return Table(["", ""], rows)


def document(sections: Sequence[Section], machine_table: Table, options: str) -> str:
    """RESULTS.md: every section, after the targets of all of them."""
    commits = list(dict.fromkeys(section.made_from for section in sections))
    targets = [target for section in sections for target in section.targets]
    reached = sum(target.reached for target in targets)
    parts = [
        "# What was measured",
        f"Made by `make bench` from commit {', '.join(commits)}; {options}.\n"
        "Generator, servers and databases share the processors, so only the ratios mean something"
        " on another machine; [README.md](README.md) says how to read them.",
        machine_table.markdown(),
        f"**{reached} of {len(targets)} targets reached.**",
        *(section.markdown() for section in sections),
    ]
    return "\n\n".join(parts) + "\n"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
