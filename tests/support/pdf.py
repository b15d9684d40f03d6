"""A small reader of the PDF files that typst writes (no object streams)."""

from __future__ import annotations

import re
import struct
import zlib


def objects(pdf: bytes) -> dict[bytes, bytes]:
    return dict(re.findall(rb"^(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL | re.MULTILINE))


def stream(body: bytes) -> bytes:
    raw = body[body.index(b"stream") + 6 :].lstrip(b"\r\n")
    return zlib.decompressobj().decompress(raw)


def attachments(pdf: bytes) -> list[bytes]:
    return [stream(body) for body in objects(pdf).values() if b"/Type/EmbeddedFile" in body]


def pages(pdf: bytes) -> list[str]:
    """Return each page's text without its white space, so that line breaks do not matter."""
    found = objects(pdf)
    tree = next(body for body in found.values() if body.startswith(b"<</Type/Pages"))
    order = re.findall(rb"(\d+) 0 R", tree.partition(b"/Kids")[2])
    texts = []
    for number in order:
        page = found[number]
        resources = found[reference(page, b"Resources")].partition(b"/Font<<")[2]
        fonts = {
            name: unicode_map(stream(found[reference(found[font], b"ToUnicode")]))
            for name, font in re.findall(rb"/(f\d+) (\d+) 0 R", resources)
        }
        texts.append(page_text(stream(found[reference(page, b"Contents")]), fonts))
    return texts


def reference(body: bytes, key: bytes) -> bytes:
    match = re.search(rb"/" + key + rb" (\d+) 0 R", body)
    assert match, (key, body)
    return match[1]


def unicode_map(cmap: bytes) -> dict[int, str]:
    return {
        int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be")
        for code, text in re.findall(rb"^<([0-9a-fA-F]{4})> <([0-9a-fA-F]+)>$", cmap, re.MULTILINE)
    }


# Balanced parentheses stand in a string as they are (ISO 32000-2, 7.3.4.2): two levels are read.
# A string after /Alt or /ActualText describes and is not shown.
PLAIN = rb"\\.|[^\\()]"
INNER = rb"\((?:" + PLAIN + rb"|\((?:" + PLAIN + rb")*\))*\)"
NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
STRING = rb"(?<!Alt)(?<!Text)\(((?:" + PLAIN + rb"|" + INNER + rb")*)\)"
TOKEN = re.compile(rb"/(f\d+) [\d.]+ Tf|" + STRING + rb"|<([0-9a-fA-F]+)>", re.DOTALL)


def page_text(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    text = ""
    current: dict[int, str] = {}
    for font, literal, digits in TOKEN.findall(content):
        if font:
            current = fonts[font]
            continue
        raw = unescape(literal) if literal else bytes.fromhex(digits.decode())
        codes = struct.unpack(f">{len(raw) // 2}H", raw)
        text += "".join(current.get(code, "\ufffd") for code in codes)
    return re.sub(r"[\s\u200b]", "", text)


def unescape(literal: bytes) -> bytes:
    return re.sub(
        rb"\\([0-7]{1,3}|.)",
        lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else NAMED.get(m[1], m[1]),
        literal,
        flags=re.DOTALL,
    )


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def text_of(pdf: bytes) -> str:
    """The text of all pages without its white space."""
    return "".join(pages(pdf))
