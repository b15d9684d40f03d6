"""What code and docs refer to is there, and both speak in the field's standard terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    ".ci", "benchmarks", "docs", "migrations", "models", "tasks", "tests", "webapp",
)  # fmt: skip
KINDS = {
    "", ".css", ".html", ".in", ".js", ".mako", ".md", ".py", ".svg", ".toml", ".txt", ".typ",
}  # fmt: skip


def _ours(file: Path) -> bool:
    """Whether the file is text that we wrote."""
    return file.is_file() and file.suffix in KINDS and "vendor" not in file.parts


FILES = sorted(
    file
    for file in [*ROOT.glob("*"), *(file for name in FOLDERS for file in ROOT.glob(f"{name}/**/*"))]
    if _ours(file) and not file.name.startswith((".", "LICENSE"))
    if file != Path(__file__).resolve()  # it names what there must not be
)
PAGES = [file for file in FILES if file.suffix == ".md"]
SOURCES = ROOT / "docs" / "explanation" / "sources.md"

# What a page of somebody else is called, in the packages that vendor.py fetches from.
ELSEWHERE = {"LICENSE.md"}

_NAMED_PAGE = re.compile(r"[\w./-]*\w\.md\b")
_HEADINGS = r"((?:(?:, | and | and of |; )\*[^*]+\*)+)"
_CITED = re.compile(r"([\w-]+\.md)" + _HEADINGS)
_CITED_OF_E = re.compile(r"\bE" + _HEADINGS)
_CITED_OF_S = re.compile(r"\bS 7\w*")
_WITHOUT_A_PAGE = re.compile(r"\(\*[A-Z][^*()]*\*[,;)]")
# A source is cited by its section, as sources.md has it, and not as a whole.
_WITHOUT_A_SECTION = re.compile(r"\b[Dd]ocument [ES]\b")

# Words that once stood for layers, tables and processes, and that nobody else would understand.
METAPHORS = re.compile(
    r"(?<![a-z])(?:desks?|workshops?|ledgers?|customs|night.?shifts?|houses?|floors?)(?![a-z(])",
    re.IGNORECASE,
)
# Files are named as they are: "0001_create_ledger" is what databases have on record.
_FILE_NAME = re.compile(r"[\w\\./-]*[/\\][\w\\./-]+|\d{4}_\w+(?:\.py)?")
# Where such a word means what it says: beginning of the path, and the words.
MEANT = {
    "CHANGELOG.md": {"floor"},  # what was released was told in these words
    "benchmarks/": {"floor", "floors"},  # the least that any program could take
    "webapp/cli/": {"workshop"},  # sold by the firms in the demonstration and the sample data
}


def running_text(file: Path) -> str:
    """The file's text with its line breaks, and what begins a comment's next line, as a space."""
    return re.sub(r"\n[ \t]*(?:#|//|--)?[ \t]*", " ", file.read_text(encoding="utf-8"))


def headings(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))


def pages_called(name: str) -> list[Path]:
    """The pages that a name, with or without a folder, may mean."""
    return [page for page in PAGES if f"/{page.relative_to(ROOT)}".endswith(f"/{name}")]


def citations(text: str) -> Iterator[tuple[str, list[Path], str]]:
    """Each cited heading: how it is cited, the pages it may be on, and the heading."""
    for name, cited in _CITED.findall(text):
        for heading in re.findall(r"\*([^*]+)\*", cited):
            yield f"{name}, *{heading}*", pages_called(name), heading
    for cited in _CITED_OF_E.findall(text):
        for heading in re.findall(r"\*([^*]+)\*", cited):
            yield f"E, *{heading}*", [SOURCES], f"E, {heading}"
    for heading in _CITED_OF_S.findall(text):
        yield heading, [SOURCES], heading


def wrong(found: Iterator[tuple[Path, str]]) -> str:
    """One line for each finding: the file, and what is wrong in it."""
    return "\n".join(f"{file.relative_to(ROOT)}: {what}" for file, what in found)


def test_every_page_that_is_named_is_there() -> None:
    missing = (
        (file, name)
        for file in FILES
        for name in set(_NAMED_PAGE.findall(running_text(file))) - ELSEWHERE
        if not (file.parent / name).exists() and not pages_called(name.removeprefix("./"))
    )
    assert not (lines := wrong(missing)), f"there is no such page\n{lines}"


def test_every_heading_that_is_cited_is_there() -> None:
    missing = (
        (file, cited)
        for file in FILES
        for cited, pages, heading in citations(running_text(file))
        if not any(heading in headings(page) for page in pages)
    )
    assert not (lines := wrong(missing)), f"there is no such heading\n{lines}"


def test_a_citation_says_which_page_it_means() -> None:
    unplaced = (
        (file, cited)
        for file in FILES
        for pattern in (_WITHOUT_A_PAGE, _WITHOUT_A_SECTION)
        for cited in pattern.findall(running_text(file))
    )
    assert not (lines := wrong(unplaced)), f"no page, or no section\n{lines}"


def private_words(file: Path) -> set[str]:
    path = str(file.relative_to(ROOT))
    meant = set().union(*(words for where, words in MEANT.items() if path.startswith(where)))
    text = _FILE_NAME.sub("", running_text(file))
    return {word.lower() for word in METAPHORS.findall(text)} - meant


def test_things_are_called_by_their_standard_names() -> None:
    found = ((file, word) for file in FILES for word in sorted(private_words(file)))
    assert not (lines := wrong(found)), f"a word that nobody else would understand\n{lines}"


def test_the_checks_see_what_they_are_for() -> None:
    text = "(sources.md, *S 7e* and *E, Creation*); (E, *Purpose* and *Status*; S 7d, S 7f)"
    assert [heading for _, _, heading in citations(text)] == [
        "S 7e", "E, Creation", "E, Purpose", "E, Status", "S 7e", "S 7d", "S 7f",
    ]  # fmt: skip
    assert all(heading in headings(SOURCES) for _, _, heading in citations(text))
    assert not pages_called("nowhere" + ".md")
    assert _WITHOUT_A_PAGE.search("(*A heading*, step 3)")
    assert METAPHORS.search("--desk") and not METAPHORS.search("warehouse floor(x) helpdesk")
