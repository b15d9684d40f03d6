"""Runs mutants: each in a copy of the tree, with the copy's own modules, and only its tests."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.model import Mutant

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "webapp", "tasks", "migrations", "tests.mutants", "celery_worker")
# Longer than any of the tests takes on a busy machine; a mutant must be caught, not hang.
LIMIT_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said: `caught` when each of them failed; `problem` when they could not."""

    mutant: Mutant
    seconds: float
    silent: tuple[str, ...] = ()
    problem: str = ""

    @property
    def caught(self) -> bool:
        return not self.silent and not self.problem


class BrokenTree(Exception):
    """The copy without a mutation does not do what it should, so that nothing can be told."""


def copy_tree(target: Path) -> None:
    """Copy the files that git knows or would take up, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in sorted(set(filter(None, listed.split("\0")))):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def environment(tree: Path) -> dict[str, str]:
    """The copy comes before the checkout that is installed, for the tests' processes too."""
    env = {**os.environ, "PYTHONPATH": str(tree)}
    # Compiled once in the first copy, beside the source; the others take that along.
    env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
    return env


def check_imports(tree: Path) -> None:
    """Raises BrokenTree unless Python, started in the copy, imports the copy's modules."""
    code = (
        "import importlib, json, sys;"
        "print(json.dumps([importlib.import_module(n).__file__ for n in sys.argv[1:]]))"
    )
    packages = [name for name in PACKAGES if name != "celery_worker"]  # it needs its settings
    found = subprocess.run(
        [sys.executable, "-c", code, *packages],
        cwd=tree, env=environment(tree), check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    strange = [file for file in json.loads(found) if not Path(file).is_relative_to(tree)]
    if strange:
        raise BrokenTree(f"imported from elsewhere: {', '.join(strange)}")


def run_tests(tree: Path, tests: Iterable[str], *options: str) -> tuple[int, dict[str, str], str]:
    """Run tests in the copy: exit status, outcome (passed, failed, error) of each, last lines."""
    report, base = tree.with_suffix(".xml"), tree.with_suffix(".tmp")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider",
            "-m", "not node",  # the long ones too
            f"--junitxml={report}", f"--basetemp={base}", *options, *tests,
        ],
        cwd=tree, env=environment(tree), capture_output=True, text=True, timeout=LIMIT_SECONDS * 4
        if options else LIMIT_SECONDS,
    )  # fmt: skip
    shutil.rmtree(base, ignore_errors=True)
    outcomes = {}
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            kinds = {child.tag for child in case}
            outcome = "error" if "error" in kinds else "failed" if "failure" in kinds else "passed"
            outcomes[f"{case.get('classname')}.{case.get('name')}"] = outcome
    return done.returncode, outcomes, "\n".join((done.stdout + done.stderr).splitlines()[-15:])


def outcomes_of(test: str, outcomes: dict[str, str]) -> list[str]:
    """The outcomes of one node id; all its parameters unless it names one."""
    file, *parts = test.split("::")
    name = ".".join([file.removesuffix(".py").replace("/", "."), *parts])
    return [
        outcome for case, outcome in outcomes.items() if case == name or case.startswith(f"{name}[")
    ]


def try_mutant(mutant: Mutant, pristine: Path, tree: Path) -> Verdict:
    """Apply the mutant to a fresh copy at `tree`, run its tests, and remove the copy."""
    started = time.monotonic()
    shutil.copytree(pristine, tree)
    try:
        for edit in mutant.edits:
            edit.apply(tree)
            compiled = Path(importlib.util.cache_from_source(str(tree / edit.file)))
            compiled.unlink(missing_ok=True)
        try:
            status, outcomes, lines = run_tests(tree, mutant.tests)
        except subprocess.TimeoutExpired:
            return Verdict(mutant, time.monotonic() - started, problem="its tests hang")
        seconds = time.monotonic() - started
        found = {test: outcomes_of(test, outcomes) for test in mutant.tests}
        if status not in (0, 1) or not all(found.values()):
            return Verdict(mutant, seconds, problem=f"its tests did not run:\n{lines}")
        # An error is a fixture's: it says that the copy is broken, not that a test noticed.
        broken = [test for test, said in found.items() if "failed" not in said and "error" in said]
        if broken:
            return Verdict(mutant, seconds, problem=f"not a failure but an error:\n{lines}")
        silent = tuple(test for test, said in found.items() if "failed" not in said)
        return Verdict(mutant, seconds, silent)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        tree.with_suffix(".xml").unlink(missing_ok=True)


def check_pristine(tree: Path, mutants: Iterable[Mutant]) -> float:
    """Run the tests of all mutants on the copy as it is; returns the seconds.

    Raises BrokenTree unless all pass: a test that is red anyway proves nothing.
    """
    started = time.monotonic()
    check_imports(tree)
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    status, outcomes, lines = run_tests(tree, tests, "-n", "2")
    unproven = [test for test in tests if set(outcomes_of(test, outcomes)) != {"passed"}]
    if status != 0 or unproven:
        raise BrokenTree(f"without any mutation: {', '.join(unproven)}\n{lines}")
    return time.monotonic() - started
