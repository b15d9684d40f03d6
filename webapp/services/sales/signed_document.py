"""The signed PDF: the proposal or contract as it was signed, then its certificate.

Pure: the same record gives the same bytes, so the file can be made again and still match the
hash that was stored for it. The look is in `signed_document.typ`, the facts come from here.
"""

import base64
import binascii
import functools
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rfc8785

from models.sales import DRAWING_PREFIX, MAX_DRAWING_BYTES
from webapp.services.common.days import in_words
from webapp.services.sales.choices import kept_before
from webapp.services.sales.contract_view import contract_view
from webapp.services.sales.document_text import blocks_of
from webapp.services.sales.offer import offer_of, tax_in_words

TEMPLATE = Path(__file__).with_name("signed_document.typ")

METHODS = {"typed": "Typed name", "drawn": "Drawn by hand", "recorded": "Recorded by {}"}

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; a palette is not what a canvas writes
PNG_MAX_PIXELS = 4_000_000  # 500 kB can inflate to 500 MB: bound what is drawn, not only what came

# What could hide or reorder text on paper: control characters and bidirectional overrides.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONG_RUN = re.compile(r"[^\s/-]{28,}")  # lines break after a slash and a hyphen anyway
BREAK = "\u200b"  # zero-width space: where a long word may break


class ContentHashMismatch(ValueError):
    """The content is not the one that was signed: its SHA-256 differs from the signature's."""


def render_signed_document(
    content: Mapping[str, Any], signature: Mapping[str, Any], timezone: str = "UTC"
) -> bytes:
    """Return the signed PDF (A4): the proposal, the signature, the certificate page.

    `content` is the frozen proposal and `signature` its evidence, both as stored (prices as
    strings with two decimals, times as RFC 3339 UTC). The canonical content and the evidence are
    attached to the PDF as `content.json` and `evidence.json`. A drawn signature that is not a
    readable PNG is replaced by the signer's name and a note. Days and times are printed as they
    are in `timezone`, the organization's, which the certificate names.
    Raises ContentHashMismatch when `content` does not have the signature's `content_sha256`.
    Source: sign-flow.md, *Sending*, *Signing* and *What follows*.
    """
    canonical = rfc8785.dumps(dict(content))
    if hashlib.sha256(canonical).hexdigest() != signature["content_sha256"]:
        raise ContentHashMismatch(ContentHashMismatch.__doc__)
    zone = ZoneInfo(timezone)
    view = (
        _about(content, zone)
        | _offer_view(content, signature)
        | {
            "signature": _signature_view(signature, zone),
            "timezone": timezone,
            "attachments": {
                "content": canonical.decode(),
                "evidence": rfc8785.dumps(dict(signature)).decode(),
            },
        }
    )
    signed_at = datetime.fromisoformat(signature["signed_at"])
    import typst

    # Data goes in beside the template and is parsed there: text is never read as markup.
    pdf = typst.compile(
        str(TEMPLATE),
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={"view": json.dumps(view)},
        timestamp=int(signed_at.timestamp()),
    )
    return bytes(pdf)


@functools.cache
def fonts() -> Any:
    """typst and its fonts are 14 MiB, which only a process that renders loads."""
    import typst

    return typst.Fonts(include_system_fonts=False)


def is_png_data_url(data: str, max_bytes: int = MAX_DRAWING_BYTES) -> bool:
    """Say whether `data` is a `data:image/png;base64,` URL of a drawable PNG.

    `max_bytes` bounds the decoded file. The image is read to its last pixel: 8 bits a channel,
    not interlaced, no palette (what a browser's canvas writes), at most 4 million pixels.
    """
    try:
        _read_png(data, max_bytes)
    except ValueError:
        return False
    return True


def _read_png(data: str, max_bytes: int = MAX_DRAWING_BYTES) -> bytes:
    """Return the PNG in a data URL, reduced to the chunks that draw it. Raises ValueError."""
    # Checked before decoding: base64 is four characters for three bytes.
    longest = len(DRAWING_PREFIX) + (max_bytes + 2) // 3 * 4
    if not data.startswith(DRAWING_PREFIX) or len(data) > longest:
        raise ValueError("not a PNG data URL, or too large")
    try:
        png = base64.b64decode(data[len(DRAWING_PREFIX) :], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(png) > max_bytes or not png.startswith(PNG_SIGNATURE):
        raise ValueError("not a PNG, or too large")
    chunks = _png_chunks(png)
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds[-1] != b"IEND":
        raise ValueError("incomplete PNG")
    header = chunks[0][1]
    pixels = b"".join(body for kind, body in chunks if kind == b"IDAT")
    _check_pixels(header, pixels)
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the (kind, body) chunks up to IEND, checksums verified. (PNG 3rd edition, 5.3)"""
    chunks: list[tuple[bytes, bytes]] = []
    offset = len(PNG_SIGNATURE)
    while not chunks or chunks[-1][0] != b"IEND":
        if offset + 12 > len(png):
            raise ValueError("cut PNG")
        length = int.from_bytes(png[offset : offset + 4])
        kind = png[offset + 4 : offset + 8]
        body = png[offset + 8 : offset + 8 + length]
        checksum = png[offset + 8 + length : offset + 12 + length]
        if len(checksum) != 4 or zlib.crc32(kind + body) != int.from_bytes(checksum):
            raise ValueError("damaged PNG")
        chunks.append((kind, body))
        offset += 12 + length
    return chunks


def _check_pixels(header: bytes, pixels: bytes) -> None:
    """Inflate the pixels and check that they fill the image the header announces."""
    if len(header) != 13:
        raise ValueError("PNG header of a wrong size")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    plain = (depth, compression, filtering, interlace) == (8, 0, 0, 0)
    if not plain or colour not in PNG_CHANNELS or not 0 < width * height <= PNG_MAX_PIXELS:
        raise ValueError("unsupported kind of PNG")
    stride = width * PNG_CHANNELS[colour] + 1  # each line begins with its filter
    inflate = zlib.decompressobj()
    try:
        lines = inflate.decompress(pixels, stride * height + 1)
    except zlib.error as error:
        raise ValueError("damaged PNG") from error
    if len(lines) != stride * height or not inflate.eof or inflate.unused_data:
        raise ValueError("PNG pixels do not fill the image")
    if max(lines[::stride]) > 4:
        raise ValueError("PNG filter out of range")


def _about(content: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    if content.get("kind") == "contract":
        return contract_view(content, _text)
    return _proposal_view(content, zone)


def _proposal_view(content: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return what the proposal's pages print, every value ready to be set."""
    client, contact = content.get("client") or {}, content.get("contact") or {}
    name = " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))
    valid_until = content.get("valid_until")
    return {
        "number": _text(content["number"]),
        "version": str(content["version"]),
        "name": _text(content["name"]),
        "currency": _text(content["currency"]),
        "organization": _text(content["organization"]["name"]),
        "client": [_text(v) for v in (client.get("name"), name, contact.get("email")) if v],
        "sent": _day(content["sent_at"], zone),
        "valid_until": _day(valid_until, zone) if valid_until else "",
        "items": [_item_view(item) for item in content["items"]],
        "total": f"{_text(content['currency'])} {_amount(content['total'])}",
        "notes": _text(content.get("notes")),
    }


def _offer_view(content: Mapping[str, Any], signature: Mapping[str, Any]) -> dict[str, Any]:
    """Return what content of schema 2 prints more, or otherwise: nothing for the first form."""
    if content.get("schema") != 2:
        return {}
    offer = offer_of(content, kept_before(signature.get("selection")))
    currency = _text(content["currency"])
    sums = [("Sum of the items", offer.subtotal), ("Discount", -offer.discount)]
    sums = [*sums, ("Net total", offer.net)] if offer.discount else [("Net total", offer.net)]
    sums += [(tax_in_words(group.category, group.rate), group.tax) for group in offer.taxes]
    return {
        "sections": [
            {"title": _text(section["title"]), "blocks": blocks_of(section["body"], _text)}
            for section in content["sections"]
        ],
        "items": [_item_view(item) for item in offer.chosen],
        "left": [_text(item["name"]) for item in offer.left],
        "sums": [{"name": name, "amount": f"{amount:,.2f}"} for name, amount in sums],
        "total": f"{currency} {offer.gross:,.2f}",
        "terms": [{"when": _text(when), "amount": amount} for when, amount in offer.terms],
    }


def _item_view(item: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": _text(item["name"]),
        "description": _text(item.get("description")),
        "price": _amount(item["price"]),
        "quantity": f"{item['quantity']:,}",
        "total": _amount(item["total"]),
    }


def _signature_view(signature: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return what the signature block and the certificate print."""
    drawn = signature["method"] == "drawn"
    recorded_by = _text(signature.get("recorded_by"))
    png: list[int] = []
    if drawn:
        try:
            png = list(_read_png(signature["data"]))
        except ValueError:
            png = []  # the block says so, and sets the signer's name instead
    sha256 = signature["content_sha256"]
    return {
        "png": png,
        "unreadable": drawn and not png,
        "name": _text(signature["signer_name"]),
        # What was typed is the signature, even where it differs from the name.
        "written": _text(signature["signer_name"] if drawn else signature["data"]),
        "by_staff": signature["method"] == "recorded",
        "email": _text(signature["signer_email"]),
        "method": METHODS[signature["method"]].format(recorded_by),
        "signed_day": _day(signature["signed_at"], zone),
        "signed_at": _moment(signature["signed_at"], zone),
        "id": _text(signature["id"]),
        "ip": _text(signature.get("ip")),
        "user_agent": _text(signature.get("user_agent")),
        "locale": _text(signature.get("locale")),
        "consent_text": _text(signature["consent_text"]),
        "consent_version": _text(signature["consent_version"]),
        "recorded_by": recorded_by,
        "verify_url": str(signature["verify_url"]),  # whole, so that it can be copied
        "sha256": [sha256[start : start + 8] for start in range(0, len(sha256), 8)],
    }


def _text(value: object) -> str:
    """Return a value as text that prints safely, with places where a long word may break."""
    plain = UNPRINTABLE.sub("", "" if value is None else str(value).replace("\r\n", "\n"))
    return LONG_RUN.sub(lambda run: BREAK.join(re.findall(".{1,8}", run[0])), plain)


def _amount(value: str) -> str:
    return f"{Decimal(value):,.2f}"


def _day(iso: str, zone: ZoneInfo) -> str:
    """Return a date or a time as a day in the zone, for example `3 March 2026`."""
    moment = datetime.fromisoformat(iso)
    # A bare date has no zone and stays the day it is.
    day = moment.astimezone(zone) if moment.tzinfo else moment
    return in_words(day)


def _moment(iso: str, zone: ZoneInfo) -> str:
    """Return a time in the zone to the second: `3 March 2026, 15:05:09 UTC+01:00`.

    The distance from UTC leaves no doubt where clocks are set back and an hour comes twice.
    """
    local = datetime.fromisoformat(iso).astimezone(zone)
    offset = f"{local:%z}"
    distance = "" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{_day(iso, zone)}, {local:%H:%M:%S} UTC{distance}"
