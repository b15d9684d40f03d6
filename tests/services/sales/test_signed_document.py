"""The signed PDF and its certificate page: what they say, and that they cannot be made to lie."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import rfc8785

from tests.support.documents import data_url, make_content, make_item, make_signature, png, render
from tests.support.pdf import attachments, pages, squeezed
from webapp.services.sales.signed_document import (
    ContentHashMismatch,
    is_png_data_url,
    render_signed_document,
)

MARKUP = '#panic("x") $x^2$ *b* _i_ <tag> @ref `raw` \\ // /* [x] #set page() = y'


# ---- What the document says


def test_the_proposal_and_its_certificate_are_two_a4_pages() -> None:
    pdf = render()
    assert len(pages(pdf)) == 2
    assert pdf.count(b"/MediaBox[0 0 595.2756 841.8898]") == 2


def test_the_proposal_page_prints_parties_items_total_and_notes() -> None:
    page = pages(render())[0]
    parties = ("Northlight Studio", "Harbour & Sons Ltd", "Ines Carvalho", "ines@firm.example")
    dates = ("1 March 2026", "30 April 2026", "3 March 2026, 14:05:09 UTC")
    money = ("2,500.00", "EUR 12,500.00", "Half on signature, half on delivery.")
    for text in (*parties, *dates, *money, "Brand and website relaunch", "Page 1 of 2"):
        assert squeezed(text) in page, text


def test_the_certificate_prints_every_piece_of_evidence() -> None:
    content = make_content()
    signature = make_signature(content, recorded_by="Tom Berger")
    page = pages(render_signed_document(content, signature))[1]
    not_printed = {"method", "data", "signed_at"}  # in other words, or on the page before
    for key in signature.keys() - not_printed:
        assert squeezed(signature[key]) in page, key
    assert "Typedname" in page
    assert squeezed("3 March 2026, 14:05:09 UTC") in page
    assert squeezed("for a total of EUR 12,500.00") in page


@pytest.mark.parametrize(
    ("timezone", "signed_at", "printed"),
    [
        ("Pacific/Kiritimati", "2026-03-03T14:05:09Z", "4 March 2026, 04:05:09 UTC+14:00"),
        # The hour that comes twice, when clocks go back.
        ("Europe/Berlin", "2026-10-25T00:30:00Z", "25 October 2026, 02:30:00 UTC+02:00"),
        ("Europe/Berlin", "2026-10-25T01:30:00Z", "25 October 2026, 02:30:00 UTC+01:00"),
        ("America/New_York", "2026-03-08T04:30:00Z", "7 March 2026, 23:30:00 UTC-05:00"),
        ("America/New_York", "2026-03-09T03:30:00Z", "8 March 2026, 23:30:00 UTC-04:00"),
    ],
)
def test_days_and_times_are_the_organizations_and_its_zone_is_named(
    timezone: str, signed_at: str, printed: str
) -> None:
    content = make_content(sent_at=signed_at, valid_until=signed_at)
    signature = make_signature(content, signed_at=signed_at)
    proposal, certificate = pages(render_signed_document(content, signature, timezone))
    day = squeezed(printed.split(",")[0])
    assert f"Sent{day}".upper() in proposal.upper()
    assert f"Validuntil{day}".upper() in proposal.upper()
    assert squeezed(f"Ines Carvalho on {day}") in proposal
    assert squeezed(printed) in proposal
    assert squeezed(printed) in certificate
    assert squeezed(f"{timezone}, of all days and times") in certificate


def test_evidence_that_was_not_taken_has_no_row() -> None:
    page = pages(render(ip=None, user_agent="", recorded_by=None))[1]
    assert "IPaddress" not in page
    assert "Browser" not in page
    assert "Recordedby" not in page


def test_the_attached_content_hashes_to_the_number_on_the_certificate() -> None:
    content = make_content(name="漢字 😀 العربية")
    signature = make_signature(content)
    pdf = render_signed_document(content, signature)
    hashes = [hashlib.sha256(file).hexdigest() for file in attachments(pdf)]
    assert signature["content_sha256"] in hashes
    assert rfc8785.dumps(signature) in attachments(pdf)


def test_content_other_than_the_signed_one_is_refused() -> None:
    signature = make_signature(make_content())
    with pytest.raises(ContentHashMismatch):
        render_signed_document(make_content(total="12500.01"), signature)


def test_a_hundred_items_repeat_the_table_header_on_each_page() -> None:
    items = [make_item(f"Item {n}", description="A line of description.") for n in range(1, 101)]
    texts = pages(render(make_content(items=items)))
    with_items = [text for text in texts if re.search(r"Item\d", text)]
    assert len(with_items) > 2
    assert all("QUANTITY" in text for text in with_items)
    assert "Item100" in "".join(with_items)


# ---- Determinism


def test_the_same_record_gives_the_same_bytes_in_another_process() -> None:
    changes = {"method": "drawn", "data": data_url(png())}
    content = make_content()
    script = (
        "import hashlib, json, sys; from webapp.services.sales.signed_document import *;"
        "record = json.load(sys.stdin);"
        "print(hashlib.sha256(render_signed_document(*record)).hexdigest())"
    )
    record = rfc8785.dumps([content, make_signature(content, **changes)])
    other = subprocess.run(
        [sys.executable, "-c", script], input=record, capture_output=True, check=True
    )
    here = hashlib.sha256(render(content, **changes)).hexdigest()
    assert other.stdout.decode().strip() == here
    assert here != hashlib.sha256(render(content)).hexdigest()


# ---- Text that could do harm


@pytest.mark.parametrize("key", ["name", "notes", "number", "currency"])
def test_markup_in_the_content_is_printed_as_it_is(key: str) -> None:
    assert squeezed(MARKUP) in pages(render(make_content(**{key: MARKUP})))[0]


@pytest.mark.parametrize("key", ["signer_name", "data", "consent_text", "user_agent", "locale"])
def test_markup_in_the_evidence_is_printed_as_it_is(key: str) -> None:
    assert squeezed(MARKUP) in "".join(pages(render(None, **{key: MARKUP})))


def test_control_characters_and_direction_overrides_do_not_reach_the_page() -> None:
    content = make_content(name="Price \u202e00.1\u202c \x00\x07\x1b[31m end")
    assert squeezed("Price 00.1 [31m end") in pages(render(content))[0]


@pytest.mark.parametrize(
    "text",
    [
        "漢字かな交じり文",
        "한국어",
        "שלום עולם",
        "مرحبا بالعالم",
        "ไทย",
        "हिन्दी",
        "😀👩‍👩‍👧",
        "e\u0301\u0302" * 20,
    ],
)
def test_every_script_renders(text: str) -> None:
    content = make_content(
        name=text, notes=text, client={"name": text}, items=[make_item(text, description=text)]
    )
    assert len(pages(render(content, signer_name=text, data=text))) == 2


@pytest.mark.parametrize("text", ["Кириллица", "Ελληνικά", "Źdźbło Tiếng Việt", "שלום"])
def test_the_embedded_fonts_cover_european_scripts_and_hebrew(text: str) -> None:
    page = pages(render(signer_name=text, data=text))[1]
    assert "\ufffd" not in page
    assert set(squeezed(text)) <= set(page)


def test_very_long_words_and_texts_render() -> None:
    word = "Donaudampfschiff" * 16
    content = make_content(
        name=word,
        number="P-" + "9" * 60,
        notes="long " * 5_000,
        organization={"name": word},
        client={"name": word},
        items=[make_item(word, price="123456789012.34", quantity=1_000_000, description=word * 8)],
    )
    text = "".join(
        pages(render(content, signer_name=word, data=word, user_agent=word * 8, consent_text=word))
    )
    assert text.count(word) >= 4
    assert "123,456,789,012.34" in text


def test_empty_fields_render() -> None:
    content = make_content(
        notes=None, valid_until=None, client=None, contact=None, items=[], total="0.00"
    )
    page = pages(render(content, locale=None))[0]
    assert "Notes" not in page
    assert "VALID" not in page
    assert "EUR0.00" in page


# ---- Drawn signatures


def test_a_drawn_signature_is_an_image_in_the_document() -> None:
    assert b"/Subtype/Image" in render(method="drawn", data=data_url(png()))


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000), (2_000, 2_000)])
def test_images_of_any_shape_render(size: tuple[int, int]) -> None:
    image = data_url(png(*size, pixels=(b"\0" + b"\x20" * 4 * size[0]) * size[1]))
    assert is_png_data_url(image)
    assert len(pages(render(method="drawn", data=image))) == 2


def test_a_png_as_a_canvas_writes_it_is_accepted() -> None:
    assert is_png_data_url(data_url(png()))
    assert is_png_data_url(data_url(png(10, 5, (b"\4" + b"\1" * 30) * 5, colour=2)))


def corrupted(position: int) -> bytes:
    image = bytearray(png())
    image[position] ^= 0xFF
    return bytes(image)


BAD_IMAGES: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "a name": lambda: "Ines Carvalho",
    "another type": lambda: "data:image/svg+xml;base64,PHN2Zy8+",
    "not base64": lambda: "data:image/png;base64,%%%%",
    "base64 with non-ASCII": lambda: "data:image/png;base64,é",
    "only the signature": lambda: data_url(b"\x89PNG\r\n\x1a\n"),
    "a JPEG": lambda: data_url(b"\xff\xd8\xff\xe0" + b"\0" * 50),
    "cut": lambda: data_url(png()[:-20]),
    "a damaged header": lambda: data_url(corrupted(18)),
    "damaged pixels": lambda: data_url(corrupted(60)),
    "too few pixels": lambda: data_url(png(10, 10, b"\0" * 100)),
    "too many pixels": lambda: data_url(png(10, 10, b"\0" * 1_000)),
    "data after the pixels": lambda: data_url(png(tail=b"more")),
    "an unknown filter": lambda: data_url(png(1, 1, b"\7\0\0\0\0")),
    "no width": lambda: data_url(png(0, 10, b"")),
    "sixteen bits": lambda: data_url(png(1, 1, b"\0" * 9, depth=16)),
    "a palette": lambda: data_url(png(1, 1, b"\0" * 2, colour=3)),
    # Whole and small: nothing but the bound on its pixels refuses it.
    "a bomb": lambda: data_url(png(2_100, 2_000, b"\0" * (1 + 4 * 2_100) * 2_000)),
    "a length past the end": lambda: data_url(
        b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + b"\0" * 30
    ),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused_at_the_door_and_does_not_stop_the_document(name: str) -> None:
    data = BAD_IMAGES[name]()
    assert not is_png_data_url(data)
    pdf = render(method="drawn", data=data)
    assert b"/Subtype/Image" not in pdf
    page = pages(pdf)[0]
    assert squeezed("The drawn signature could not be read") in page
    assert page.count("InesCarvalho") >= 3


def test_an_image_over_the_limit_is_refused() -> None:
    image = png()
    assert is_png_data_url(data_url(image), max_bytes=len(image))
    assert not is_png_data_url(data_url(image), max_bytes=len(image) - 1)
