"""The list of mutants fits the tree as it is, so that a change of the code keeps it true."""

from __future__ import annotations

import ast

from tests.mutants.__main__ import PARTS
from tests.mutants.runner import ROOT

MUTANTS = [mutant for part in PARTS.values() for mutant in part]


def names_in(file: str) -> set[str]:
    """The names of the file's tests, as node ids end: `test_x`, `TestY::test_x`."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
            }
    return found


def test_no_two_mutants_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_what_a_mutant_changes_is_there_exactly_once() -> None:
    wrong = [
        f"{mutant.name}: {edit.file}"
        for mutant in MUTANTS
        for edit in mutant.edits
        if (ROOT / edit.file).read_text().count(edit.old) != 1 or edit.old == edit.new
    ]
    assert wrong == []


def test_the_tests_that_must_notice_are_there() -> None:
    missing = [
        f"{mutant.name}: {test}"
        for mutant in MUTANTS
        for test in mutant.tests
        if test.partition("::")[2].partition("[")[0] not in names_in(test.partition("::")[0])
    ]
    assert missing == []
