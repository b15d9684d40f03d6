"""Take each safeguard away in turn; a named test must notice. Exits 1 when one does not."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.mutants import (
    access,
    conversations,
    database,
    documents,
    drafting,
    files,
    jobs,
    money,
    online,
    patience,
    people,
    rules,
    webhooks,
    work,
)
from tests.mutants.model import Mutant
from tests.mutants.runner import (
    ROOT,
    BrokenTree,
    Verdict,
    check_pristine,
    copy_tree,
    try_mutant,
)

PARTS = {
    "The queue": jobs.MUTANTS,
    "Patience and delivery": patience.MUTANTS,
    "The database": database.MUTANTS,
    "The rules": rules.MUTANTS,
    "What is promised": drafting.MUTANTS,
    "Money": money.MUTANTS,
    "Online payment": online.MUTANTS,
    "What invoices say": documents.MUTANTS,
    "Work": work.MUTANTS,
    "Conversations": conversations.MUTANTS,
    "Files and events": files.MUTANTS,
    "Webhooks": webhooks.MUTANTS,
    "The API": access.MUTANTS,
    "People and access": people.MUTANTS,
}
TABLE = ROOT / "benchmarks" / "MUTANTS.md"
AT_ONCE = 2

INTRODUCTION = """\
# Safeguards proven to be needed

Each row is one safeguard that was taken away, in a copy of the tree, by changing some characters
(`tests/mutants/`); the tests named beside it then failed, and pass with it in place. A mutant
that no test notices ends `make mutants` with status 1: it is a missing test.

Run it again with `make mutants`; `python -m tests.mutants WORD…` runs those whose name has all
the words, and leaves this file as it is. The seconds include starting a database and a broker.
"""


def short(test: str) -> str:
    """A node id's own name, without what is the same for all."""
    return test.rsplit("::", 1)[1].removeprefix("test_")


def table(verdicts: dict[str, Verdict]) -> str:
    """The results as Markdown, one table for each part that has any."""
    lines = []
    for title, mutants in PARTS.items():
        rows = [verdicts[mutant.name] for mutant in mutants if mutant.name in verdicts]
        if not rows:
            continue
        lines += [f"## {title}", "", "| Taken away | Caught by | Seconds |", "|---|---|---:|"]
        for verdict in rows:
            by = "<br>".join(f"`{short(test)}`" for test in verdict.mutant.tests)
            if not verdict.caught:
                by = f"**nothing**: {'<br>'.join(map(short, verdict.silent)) or 'see the output'}"
            lines.append(f"| {verdict.mutant.name} | {by} | {verdict.seconds:.0f} |")
        lines.append("")
    return "\n".join(lines)


def run(mutants: Sequence[Mutant], folder: Path, *, checked: bool) -> dict[str, Verdict]:
    """Try the mutants, two at a time, telling each result as it comes. Raises BrokenTree."""
    pristine = folder / "pristine"
    copy_tree(pristine)
    if checked:
        print(f"{len(mutants)} mutants. Without any, their tests ", end="", flush=True)
        print(f"pass ({check_pristine(pristine, mutants):.0f} s).", flush=True)
    verdicts: dict[str, Verdict] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tries = [
            pool.submit(try_mutant, mutant, pristine, folder / f"m{number}")
            for number, mutant in enumerate(mutants)
        ]
        try:
            for tried in as_completed(tries):
                verdict = tried.result()
                verdicts[verdict.mutant.name] = verdict
                word = "caught  " if verdict.caught else "SURVIVED"
                count = f"{len(verdicts)}/{len(mutants)}"
                print(f"{count:>7} {word} {verdict.seconds:4.0f} s  {verdict.mutant.name}")
                for line in (*map(short, verdict.silent), *verdict.problem.splitlines()):
                    print(f"                         {line}")
                sys.stdout.flush()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only those whose name has all the words")
    parser.add_argument("--unchecked", action="store_true", help="skip the run without a mutation")
    options = parser.parse_args(arguments)
    known = [mutant for part in PARTS.values() for mutant in part]
    chosen = [
        mutant
        for mutant in known
        if all(word.lower() in mutant.name.lower() for word in options.words)
    ]
    if not chosen:
        parser.error("no mutant has these words in its name")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        try:
            verdicts = run(chosen, Path(folder).resolve(), checked=not options.unchecked)
        except (BrokenTree, ValueError) as error:
            print(f"\nNothing can be told: {error}", file=sys.stderr)
            return 2
    text = table(verdicts)
    survivors = [name for name, verdict in verdicts.items() if not verdict.caught]
    print(f"\n{text}\n{len(verdicts) - len(survivors)} caught, {len(survivors)} survived.")
    if not options.words and not survivors:
        TABLE.parent.mkdir(exist_ok=True)
        summary = f"{len(verdicts)} safeguards, each missed by its tests when it was gone."
        TABLE.write_text(f"{INTRODUCTION}\n{summary}\n\n{text}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
