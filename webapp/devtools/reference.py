"""The reference pages that are drawn from the code: `python -m webapp.devtools.reference`.

`--write` renews the pages under `docs/reference/`; `--check` ends with status 1 when one of them
says something else than the code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
from flask import Flask

from models.states import MACHINES, StateMachine
from webapp.auth.permissions import LINK_PERMISSIONS, ROLE_PERMISSIONS
from webapp.cli.main import main as sx

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
HELP_WIDTH = 92
# Enough to make the application and read its routes; no server is asked for anything.
NO_SERVERS = {
    "SECRET_KEY": "reference pages need no secret, only its length",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
OPEN = "open: "


def states_page() -> str:
    """Every state machine: its states, their names on the wire, and the moves."""
    parts = [
        "# States",
        "An answer carries a state's label (`status`) and its number (`status_id`); `phase` and"
        " `stage` likewise. A request may send the number, the label or the slug, in any letter"
        " case. A thing starts in the first state of its table. A move that is not listed is"
        " refused with 409 and the moves that are allowed. A listed move may have one way only: a"
        " signature alone makes a proposal Signed and a deal Won, the clock alone makes a proposal"
        " Expired.",
    ]
    for machine in MACHINES.values():
        parts += [f"## {machine.name.capitalize()}", _table(*_states(machine))]
    return "\n\n".join(parts)


def _states(machine: StateMachine) -> Iterator[Sequence[str]]:
    yield "Number", "Label", "Slug", "May become"
    for slug, state in machine.states.items():
        moves = [
            machine.label(target)
            + (" (with a reason)" if machine.needs_reason(slug, target) else "")
            for target in state.to
        ]
        yield str(state.number), state.label, f"`{slug}`", ", ".join(moves) or "— (final)"


def permissions_page() -> str:
    """What each role may do, and which permission each route asks for."""
    everything = sorted(set().union(*ROLE_PERMISSIONS.values()))
    roles = _table(
        ("Permission", *ROLE_PERMISSIONS),
        *(
            (f"`{one}`", *("yes" if one in given else "" for given in ROLE_PERMISSIONS.values()))
            for one in everything
        ),
    )
    links = _table(
        ("Link", "Permissions"),
        *(
            (kind.replace("_", " "), ", ".join(f"`{one}`" for one in sorted(given)))
            for kind, given in LINK_PERMISSIONS.items()
        ),
    )
    return "\n\n".join(
        [
            "# Permissions",
            "A permission is `<domain>:<right>`. What is not given is denied. An API key has its"
            " role's permissions; a key with scopes has only those of them that its scopes name.",
            "## Roles",
            roles,
            "## Links",
            "Who holds a signing link may do this with its one proposal:",
            links,
            "## Routes",
            "A route that declares no permission keeps the application from starting.",
            _table(("Route", "Permission"), *_routes()),
        ]
    )


def _routes() -> Iterator[tuple[str, str]]:
    app = _app()
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        permission: str = getattr(app.view_functions[rule.endpoint], "permission", "")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            shown = f"`{permission}`"
            if permission.startswith(OPEN):
                shown = f"open to all: {permission.removeprefix(OPEN)}"
            yield f"`{method} {rule.rule}`", shown


def _app() -> Flask:
    from webapp import create_app
    from webapp.config import Settings

    return create_app(Settings.from_environment(NO_SERVERS))


def cli_page() -> str:
    """The help of every command that is not hidden."""
    parts = [
        "# Command line",
        "`sx` is in `.venv/bin/` after `make run` or `make test`. Without `DATABASE_URL` it works"
        " on the stack that `make run` runs in the same folder. `--json` answers in JSON. Exit"
        " codes: 0 done, 1 refused or failed, 2 wrong usage, 3 already running, 4 port taken.",
    ]
    for path, command in _commands(sx, ("sx",)):
        context = _context(path)
        parts += [f"## {' '.join(path)}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts)


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            if not below.hidden:
                yield from _commands(below, (*path, name))


def _context(path: Sequence[str]) -> click.Context:
    """A context in which the help names the whole command and has a width of its own."""
    return click.Context(
        sx,
        info_name=" ".join(path),
        terminal_width=HELP_WIDTH,
        help_option_names=["-h", "--help"],
    )


def _table(*rows: Iterable[str]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    columns = lines[0].count(" | ") + 1
    return "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]])


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states_page,
    "permissions.md": permissions_page,
    "cli.md": cli_page,
}
NOTE = "<!-- Drawn from the code: python -m webapp.devtools.reference --write -->"


def pages() -> dict[Path, str]:
    """The pages as they have to be, by file."""
    return {FOLDER / name: f"{NOTE}\n\n{page()}\n" for name, page in PAGES.items()}


@click.command()
@click.option("--write", is_flag=True, help="Renew the pages.")
@click.option("--check", is_flag=True, help="Fail when a page differs from the code.")
def main(write: bool, check: bool) -> None:
    """Draw the reference pages from the code."""
    if write == check:
        raise click.UsageError("say --write or --check")
    if write:
        for file, text in pages().items():
            file.write_text(text, encoding="utf-8")
        return
    stale = [
        file.name
        for file, text in pages().items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    if stale:
        click.echo(
            f"{', '.join(stale)} differ from the code: python -m webapp.devtools.reference --write",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
