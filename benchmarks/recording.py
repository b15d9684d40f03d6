"""The statements of one signature, taken down from the application, to be run without it.

Two signings are recorded and compared: what is equal in both is a constant, what differs is a
slot that every later run fills with values of its own. So the floor is always made of the very
statements that the application sends today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from models.db.base import uuid7

# What differs from one signing to the next: ids, and the numbers of contracts and orders.
_TOKEN = re.compile(r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Z]{1,3}-\d{5})\b")
_MARK = re.compile("\x00(\\w+)\x00")
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sbt]")
# Authentication and the tenant's binding are no part of the floor.
_OF_THE_CALLER = ("begin_request(", "set_config(")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters; more than one set of them means `executemany`."""

    sql: str
    rows: Sequence[Mapping[str, Any]]
    many: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """A parameter with slots in its text; `kind` is uuid, text or json."""

    kind: str
    text: str

    def value(self, slots: Mapping[str, str]) -> Any:
        """The parameter as the application would give it to the driver."""
        text = self.text_of(slots)
        if self.kind == "uuid":
            return UUID(text)
        return Jsonb(json.loads(text)) if self.kind == "json" else text

    def text_of(self, slots: Mapping[str, str]) -> str:
        """The text of the parameter, its slots filled."""
        return _MARK.sub(lambda found: slots[found[1]], self.text)


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """The statements that this process sends inside transactions, while the block runs."""
    statements: list[Statement] = []
    execute, executemany = psycopg.Cursor.execute, psycopg.Cursor.executemany

    def note(cursor: Any, sql: Any, rows: list[Mapping[str, Any]], many: bool) -> None:
        if not cursor.connection.autocommit and not any(name in sql for name in _OF_THE_CALLER):
            statements.append(Statement(str(sql), [dict(row or {}) for row in rows], many))

    def execute_noted(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        note(self, query, [params], False)
        return execute(self, query, params, **more)

    def executemany_noted(self: Any, query: Any, params_seq: Any, **more: Any) -> Any:
        rows = list(params_seq)
        note(self, query, rows, True)
        return executemany(self, query, rows, **more)

    psycopg.Cursor.execute = execute_noted  # type: ignore[method-assign]
    psycopg.Cursor.executemany = executemany_noted  # type: ignore[method-assign]
    try:
        yield statements
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]
        psycopg.Cursor.executemany = executemany  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Script:
    """Statements with slots; `fresh` are the names of those whose values each run makes anew."""

    statements: Sequence[Statement]
    fresh: Sequence[str]

    @classmethod
    def of(cls, sign: Callable[[], tuple[Mapping[str, str], list[Statement]]]) -> Script:
        """Compare two signings; `sign` gives what was known before, by name, and what was sent.

        Raises ValueError when they sent different statements, or values that cannot be slots.
        """
        (known_a, sent_a), (known_b, sent_b) = sign(), sign()
        if [s.sql for s in sent_a] != [s.sql for s in sent_b]:
            raise ValueError("two signings sent different statements")
        names: dict[str, str] = {}
        statements = []
        for a, b in zip(sent_a, sent_b, strict=True):
            rows = [
                {
                    name: _slotted(name, value, other[name], known_a, known_b, names)
                    for name, value in row.items()
                }
                for row, other in zip(a.rows, b.rows, strict=True)
            ]
            statements.append(Statement(a.sql, rows, a.many))
        return cls(statements, tuple(names.values()))

    def slots(self, known: Mapping[str, str], n: int) -> dict[str, str]:
        """The values of all slots for one more run, the `n`-th."""
        made = {name: f"B-{n:05d}" if name[0] == "n" else str(uuid7()) for name in self.fresh}
        return {**known, **made}

    def filled(self, slots: Mapping[str, str]) -> list[Statement]:
        """The statements of one run, ready for the driver."""
        return [
            Statement(
                statement.sql,
                [
                    {
                        name: value.value(slots) if isinstance(value, Filled) else value
                        for name, value in row.items()
                    }
                    for row in statement.rows
                ],
                statement.many,
            )
            for statement in self.statements
        ]

    @property
    def variables(self) -> dict[Filled, str]:
        """The parameters with slots, and what pgbench's variables for them are called."""
        found = [
            value
            for statement in self.statements
            for row in statement.rows
            for value in row.values()
            if isinstance(value, Filled)
        ]
        return {value: f"v{number}" for number, value in enumerate(dict.fromkeys(found))}

    def pgbench(self, pick: str) -> str:
        """The transaction as a script for `pgbench -f`; `pick` is the SELECT of all variables.

        What the application sends by `executemany` goes as one pipeline, as the driver does it.
        """
        variables = self.variables
        lines = [f"{pick} \\gset", "BEGIN;"]
        for statement in self.statements:
            sent = [_substituted(statement.sql, row, variables) for row in statement.rows]
            lines += ["\\startpipeline", *sent, "\\endpipeline"] if statement.many else sent
        return "\n".join([*lines, "COMMIT;", ""])


def literal(value: Any) -> str:
    """A constant as SQL without a colon, which pgbench would take for a variable."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(value)
    text = json.dumps(value.obj) if isinstance(value, Jsonb) else str(value)
    text = text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    return f"E'{text}'"


def _slotted(
    name: str,
    value: Any,
    other: Any,
    known: Mapping[str, str],
    known_other: Mapping[str, str],
    names: dict[str, str],
) -> Any:
    if name == "attempt":
        return 0  # the job is claimed before the transaction, and the floor claims nothing
    if not isinstance(value, (str, UUID, Jsonb)):
        return value
    text, other_text = _with_marks(value, known), _with_marks(other, known_other)
    others = iter(_TOKEN.findall(other_text))

    def mark(found: re.Match[str]) -> str:
        token = found[0]
        if token == next(others):
            return token
        kind = "number" if token[0].isupper() else "id"
        return f"\x00{names.setdefault(token, f'{kind}_{len(names)}')}\x00"

    marked = _TOKEN.sub(mark, text)
    if "\x00" not in marked:
        if text != other_text:
            raise ValueError(f"{name} differs between two signings: {text!r}, {other_text!r}")
        return value
    kind = "uuid" if isinstance(value, UUID) else "json" if isinstance(value, Jsonb) else "text"
    return Filled(kind, marked)


def _with_marks(value: Any, known: Mapping[str, str]) -> str:
    text = json.dumps(value.obj) if isinstance(value, Jsonb) else str(value)
    for name, given in known.items():
        text = text.replace(given, f"\x00{name}\x00")
    return text


def _substituted(sql: str, row: Mapping[str, Any], variables: Mapping[Filled, str]) -> str:
    def expression(found: re.Match[str]) -> str:
        value = row[found[1]]
        return f":{variables[value]}" if isinstance(value, Filled) else literal(value)

    return " ".join(_PLACEHOLDER.sub(expression, sql).replace("%%", "%").split()) + ";"
