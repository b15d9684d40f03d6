"""Markdown that people wrote, as HTML that a page may show (docs/reference/rulings.md, *Text*)."""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Each quote, list and emphasis is a level; what lies deeper is not shown, so that no text can
# exhaust the stack.
MAX_NESTING = 40
# Reading a mark takes up to 16 microseconds. With more of them than people write, a text is shown
# as it stands, so that a page of messages cannot keep the server busy for minutes.
MAX_MARKS = 3_000
_MARKS = re.compile(r"[][*_~`|<&!\n]")
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def to_html(text: str) -> str:
    """The text, Markdown (CommonMark, tables, strikethrough), as HTML; each line break is kept.

    HTML in the text is shown as text. Links lead to http, https and mailto addresses alone; a
    picture becomes a link, so that nothing is loaded from elsewhere.
    """
    if len(_MARKS.findall(text)) > MAX_MARKS:
        return _as_it_stands(text)
    return _CLEANER.clean(_MARKDOWN.render(text))


def tokens_of(text: str) -> list[Token]:
    """The text as `to_html` reads it, for documents; as one paragraph where it has too many marks.

    Links in it lead where `to_html` lets them lead.
    """
    if len(_MARKS.findall(text)) > MAX_MARKS:
        inline = Token("inline", "", 0, content=text, children=[Token("text", "", 0, content=text)])
        return [inline]
    return _MARKDOWN.parse(text)


def _as_it_stands(text: str) -> str:
    shown = html.escape(text, quote=False).replace("\n", "<br>\n")
    return f"<p>{shown}</p>\n"


def _is_link(address: str) -> bool:
    """Whether the address is whole and of a kind that may be followed; relative ones are not."""
    return _LINK.match(address) is not None


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _is_link(value) else None


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - its name there
        """What is no link stays in the text as it was written."""
        return _is_link(url)


_MARKDOWN = (
    _Reader("commonmark", {"html": False, "breaks": True, "maxNesting": MAX_NESTING})
    .enable(["table", "strikethrough"])
    .disable("image")
)
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_allowed,
    url_schemes=_SCHEMES,
    link_rel="noopener noreferrer nofollow",
)
