"""Safeguards of what people write to each other."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

MARKDOWN = "webapp/services/common/markdown.py"

_text = "tests/services/common/test_markdown.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that HTML in a text is shown as text",
        MARKDOWN,
        '{"html": False, ',
        '{"html": True, ',
        _text("markdown_becomes_html"),
    ),
    without(
        "the check of links by the reader of Markdown",
        MARKDOWN,
        "        return _is_link(url)\n",
        "        return True\n",
        _text("markdown_becomes_html"),
    ),
    without(
        "the cleaning of addresses in HTML",
        MARKDOWN,
        "    attribute_filter=_allowed,\n",
        "",
        _text("html_is_clean_even_where_the_reader_of_markdown_would_let_some_through"),
    ),
    without(
        "that pictures are not loaded from elsewhere",
        MARKDOWN,
        '    "a", "blockquote",',
        '    "a", "img", "blockquote",',
        _text("html_is_clean_even_where_the_reader_of_markdown_would_let_some_through"),
    ),
    without(
        "the bound of the marks that are read",
        MARKDOWN,
        "    if len(_MARKS.findall(text)) > MAX_MARKS:\n        return _as_it_stands(text)\n",
        "",
        _text("no_text_keeps_the_server_busy"),
    ),
)
