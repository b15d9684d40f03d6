"""Markdown as HTML that a page may show, whoever wrote it (rulings.md, *Text*)."""

from __future__ import annotations

import re
import time

import pytest

from webapp.services.common import markdown
from webapp.services.common.markdown import MAX_MARKS, to_html

REL = 'rel="noopener noreferrer nofollow"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("Hello **Ann**, *well* done", "<p>Hello <strong>Ann</strong>, <em>well</em> done</p>\n"),
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("~~old~~ new", "<p><s>old</s> new</p>\n"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>\n'),
        ("`a < b`", "<p><code>a &lt; b</code></p>\n"),
        ("a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"),
        ("[log in](/login)", "<p>[log in](/login)</p>\n"),
        ("> quoted", "<blockquote>\n<p>quoted</p>\n</blockquote>\n"),
        (
            '[plan](https://example.com/?a=1&b=2 "Ours")',
            f'<p><a href="https://example.com/?a=1&amp;b=2" title="Ours" {REL}>plan</a></p>\n',
        ),
        (
            "<ann@example.com>",
            f'<p><a href="mailto:ann@example.com" {REL}>ann@example.com</a></p>\n',
        ),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert to_html(text) == html


def test_a_table_becomes_one() -> None:
    html = to_html("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert re.sub(r"\s", "", html) == (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead>"
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    )


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>b</b>",
    "<iframe src=https://example.com></iframe>",
    "<style>*{display:none}</style>",
    "<svg/onload=alert(1)>",
    "<!-- comment --> <![CDATA[x]]> <?php x ?>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](ftp://example.com)",
    "[x](/api/engagements)",
    "[x](//example.com/x)",
    "[x](\\\\example.com)",
    "<javascript:alert(1)>",
    "[x]\n\n[x]: javascript:alert(1)",
    '[x](https://example.com/"onmouseover="alert(1))',
    '[x](https://example.com "\\" onmouseover=alert(1) x=\\"")',
    "![x](https://example.com/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[![x](https://example.com/a.png)](javascript:alert(1))",
    '```"><script>alert(1)</script>\nx\n```',
    "| <script>a</script> |\n|-|\n| ![x](https://example.com/x.png) |",
    "\0\u202e<\u0000script>",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("more", ["", "*" * (MAX_MARKS + 1)])
def test_what_is_hostile_is_shown_as_text(text: str, more: str) -> None:
    html = to_html(text + more)
    tags = re.findall(r"<(/?)([^\s>]*)([^>]*)>", html)
    assert {name for _, name, _ in tags} <= markdown._TAGS
    for _, name, attributes in tags:
        address = f'(href="(https?://[^"<>]*|mailto:[^"<>]*)")( title="[^"<>]*")? {REL}'
        link = rf"( {address}| {REL})"
        assert re.fullmatch(link if name == "a" and attributes else "", attributes), html


def test_html_is_clean_even_where_the_reader_of_markdown_would_let_some_through() -> None:
    html = markdown._CLEANER.clean(
        '<a href="/x" onclick="a()">x</a><a href="javascript:a()">y</a><img src="https://e.com/x">'
        '<script>a()</script><p style="color:red" id="x">z</p>'
    )
    assert html == f"<a {REL}>x</a><a {REL}>y</a><p>z</p>"


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "![",
        "*a ",
        "*",
        "`a",
        "<",
        "[a](b",
        "|a",
        "&#",
        "~~a",
        "**a*b",
        "_a__b",
        ">",
        "a\n",
        "- ",
    ],
)
def test_no_text_keeps_the_server_busy(text: str) -> None:
    started = time.process_time()
    to_html((text * 50_000)[:50_000])
    to_html(text * (MAX_MARKS // len(text)))
    assert time.process_time() - started < 0.5


def test_quotes_in_quotes_end_at_a_depth_that_no_stack_feels() -> None:
    assert to_html(">" * 20 + " deep").count("<blockquote>") == 20
    assert to_html(">" * 50_000 + " deep").count("<blockquote>") <= markdown.MAX_NESTING
