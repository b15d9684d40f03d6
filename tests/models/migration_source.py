"""Reads the source of a migration for indexes that would stop the writes to a table in use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_HELPERS = {"create_index_concurrently", "drop_index_concurrently"}
_NEW_TABLE = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.I)
_INDEX = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\b(?:.*?\bON\s+(?:ONLY\s+)?(\w+))?", re.I | re.S
)
_KEY = re.compile(
    r"\bALTER\s+TABLE\s+(?:ONLY\s+)?(\w+)\s.*?\bADD\s.*?\b(?:UNIQUE|PRIMARY\s+KEY|EXCLUDE)\b"
    r"(?!\s+USING\s+INDEX)",
    re.I | re.S,
)
# How many arguments stand before the table in alembic's own operations.
_OPERATIONS = {
    "create_index": 1,
    "create_unique_constraint": 1,
    "create_primary_key": 1,
    "create_exclude_constraint": 1,
}


def faults(source: str) -> list[str]:
    """What is wrong in the source, a line for each; empty when nothing is.

    An index may be made on a table of the same migration, or by `migrations/indexes.py`, and then
    the migration does nothing else.
    """
    tree = ast.parse(source)
    new = _new_tables(tree)
    return [*_blocking(tree, new), *_beside_helpers(tree)]


def _new_tables(tree: ast.AST) -> set[str]:
    found = {
        _text(call.args[0]) for call in _calls(tree) if _name(call) == "create_table" and call.args
    }
    for text in _texts(tree):
        found |= set(_NEW_TABLE.findall(text))
    return found


def _blocking(tree: ast.AST, new: set[str]) -> Iterator[str]:
    for call in _calls(tree):
        name = _name(call)
        if name in _OPERATIONS and _table(call, _OPERATIONS[name]) not in new:
            yield f"line {call.lineno}: {name} on a table in use"
        if name == "add_column" and _table(call, 0) not in new and _is_indexed(call):
            yield f"line {call.lineno}: add_column with an index on a table in use"
    for text in _texts(tree):
        tables = [*_INDEX.findall(text), *_KEY.findall(text)]
        if any(table not in new for table in tables):
            yield f"an index on a table in use: {text}"


def _beside_helpers(tree: ast.Module) -> Iterator[str]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            names = {_name(call) for call in _calls(function)}
            if names & _HELPERS and names - _HELPERS:
                yield f"{function.name} does more than build indexes: {sorted(names - _HELPERS)}"


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    target = call.func
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _table(call: ast.Call, position: int) -> str:
    for keyword in call.keywords:
        if keyword.arg in ("table_name", "source_table"):
            return _text(keyword.value)
    return _text(call.args[position]) if len(call.args) > position else ""


def _is_indexed(call: ast.Call) -> bool:
    return any(
        keyword.arg in ("index", "unique", "primary_key")
        and getattr(keyword.value, "value", None) is not False
        for inner in _calls(call)
        for keyword in inner.keywords
    )


def _texts(tree: ast.AST) -> list[str]:
    """The strings of the source; what is filled in later reads `_`, which names no table."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    return [
        _text(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in inside
    ]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "_" for part in node.values)
    return ""
