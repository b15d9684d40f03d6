"""The signed PDF of an offer with choices, texts and terms."""

from __future__ import annotations

from typing import Any

from tests.support.documents import make_content, make_item, render
from tests.support.pdf import attachments, pages, squeezed
from webapp.services.sales.document_text import blocks_of

IDS = [f"01a214a4-0000-7000-8000-00000000000{n}" for n in range(3)]


def _item(n: int, name: str, **changes: Any) -> dict[str, Any]:
    of_schema_2 = {
        "id": IDS[n],
        "optional": False,
        "min_quantity": 1,
        "max_quantity": 1,
        "tax_category": "standard",
        "tax_rate": "19.00",
    }
    return make_item(name, "1", **{**of_schema_2, **changes})


def _content(**changes: Any) -> dict[str, Any]:
    return make_content(
        **{
            "schema": 2,
            "discount": "100.00",
            "billing": {"kind": "monthly", "periods": 4},
            "sections": [{"title": "Why now", "body": "It is **slow**.\n\n- #panic(1)"}],
            "items": [
                _item(0, "Website"),
                _item(1, "Hours", max_quantity=20),
                _item(2, "Photo shoot", optional=True),
            ],
            **changes,
        }
    )


def test_it_prints_what_was_chosen_and_says_what_was_not() -> None:
    selection = [{"id": IDS[0], "quantity": 1}, {"id": IDS[1], "quantity": 3}]
    document = render(_content(), selection=selection)
    page = pages(document)[0]
    for text in ("4,500.00", "6,000.00", "-100.00", "5,900.00", "1,121.00", "EUR 7,021.00"):
        assert squeezed(text) in page, text
    assert squeezed("Not chosen Photo shoot") in page
    assert squeezed("4 monthly invoices, the first on signing 1,475.00 each") in page


def test_its_texts_are_set_and_never_run() -> None:
    page = pages(render(_content()))[0]
    assert squeezed("Why now It is") in page
    assert "slow" in page
    assert squeezed("#panic(1)") in page


def test_the_choice_is_attached_with_the_evidence() -> None:
    selection = [{"id": IDS[0], "quantity": 1}]
    files = attachments(render(_content(), selection=selection))
    assert any(b'"selection":[{"id":"' + IDS[0].encode() in file for file in files)
    assert not any(b'"selection"' in file for file in attachments(render()))


def test_every_kind_of_block_renders() -> None:
    body = (
        "# A\n\n### B\n\ntext `code` *x* ~~y~~ [a](https://a.example) <https://b.example>\n"
        "next\n\n2. two\n3. three\n   - inner\n\n> quote\n\n---\n\n"
        "| a | b |\n|---|---|\n| 1 |  |\n\n```\ncode\n```\n\n    more\n"
    )
    kinds = {block["kind"] for block in blocks_of(body, str)}
    assert kinds == {"heading", "paragraph", "rule", "table", "code"}
    page = pages(render(_content(sections=[{"title": "All", "body": body}])))[0]
    for text in ("2.", "three", "•", "a (https://a.example)", "https://b.example"):
        assert squeezed(text) in page, text
    assert squeezed("(https://b.example)") not in page


def test_long_and_deep_texts_render() -> None:
    deep = "> " * 30 + "deep"
    wide = "| " + " | ".join("a" * 30) + " |\n|" + "---|" * 30
    many = "*a* " * 5000
    sections = [{"title": "T" * 255, "body": body} for body in (deep, wide, many, "")]
    assert len(pages(render(_content(sections=sections)))) > 2
