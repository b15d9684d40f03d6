"""Markdown as blocks of text that a document can set: no HTML, nothing to run.

What the signed document prints is read by the same rules as what a page shows (rulings.md, *Text*);
a link is printed with its address, since paper cannot be clicked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markdown_it.token import Token

from webapp.services.common.markdown import tokens_of

_STYLES = {"strong_open": "strong", "em_open": "emph", "s_open": "strike"}
Clean = Callable[[object], str]


def blocks_of(text: str, clean: Clean) -> list[dict[str, Any]]:
    """The text as paragraphs, headings, list items, tables, code and rules, in their order.

    Each has its `kind` and `indent` (in levels of lists and quotes), and `runs`: pieces of text
    with their styles. `clean` makes a piece of text safe to print.
    """
    return _Reader(clean).read(tokens_of(text))


class _Reader:
    def __init__(self, clean: Clean) -> None:
        self._clean = clean
        self._blocks: list[dict[str, Any]] = []
        self._lists: list[int | None] = []  # the next number of each open list, None for a bullet
        self._quotes = 0
        self._marker = ""
        self._heading = 0
        self._table: list[list[Any]] | None = None

    def read(self, tokens: Sequence[Token]) -> list[dict[str, Any]]:
        for token in tokens:
            self._take(token)
        return self._blocks

    def _take(self, token: Token) -> None:
        match token.type:
            case "inline":
                self._add_text(token)
            case "heading_open":
                self._heading = int(token.tag[1:])
            case "heading_close":
                self._heading = 0
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._begin_item()
            case "blockquote_open":
                self._quotes += 1
            case "blockquote_close":
                self._quotes -= 1
            case "fence" | "code_block":
                self._add("code", [{"text": self._clean(token.content.rstrip("\n")), "styles": []}])
            case "hr":
                self._add("rule", [])
            case "table_open":
                self._table = []
            case "tr_open":
                assert self._table is not None
                self._table.append([])
            case "table_close":
                self._blocks.append({"kind": "table", "indent": 0, "rows": self._table})
                self._table = None

    def _begin_item(self) -> None:
        number = self._lists[-1]
        self._marker = "•" if number is None else f"{number}."
        if number is not None:
            self._lists[-1] = number + 1

    def _add_text(self, token: Token) -> None:
        runs = self._runs(token.children or [])
        if self._table is not None:
            self._table[-1].append(runs)
        else:
            self._add("heading" if self._heading else "paragraph", runs)

    def _add(self, kind: str, runs: list[dict[str, Any]]) -> None:
        self._blocks.append(
            {
                "kind": kind,
                "level": self._heading,
                "indent": len(self._lists) + self._quotes,
                "marker": self._marker,
                "runs": runs,
            }
        )
        self._marker = ""  # only the first block of an item has it

    def _runs(self, tokens: Sequence[Token]) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = []
        styles: list[str] = []
        links: list[tuple[str, int]] = []
        for token in tokens:
            if token.type in ("softbreak", "hardbreak"):
                runs.append({"text": "\n", "styles": []})
            elif token.type == "link_open":
                links.append((str(token.attrGet("href")), len(runs)))
            elif token.type == "link_close":
                address, first = links.pop()
                shown = "".join(run["text"] for run in runs[first:])
                if self._clean(address) not in (shown, f"mailto:{shown}"):
                    runs.append({"text": f" ({self._clean(address)})", "styles": []})
            elif token.type in _STYLES:
                styles.append(_STYLES[token.type])
            elif token.type.endswith("_close"):
                styles.pop()
            elif token.content:
                style = ["code"] if token.type == "code_inline" else []
                runs.append({"text": self._clean(token.content), "styles": [*styles, *style]})
        return runs
