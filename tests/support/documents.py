"""Signed documents to render, and the images that are drawn into them."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from typing import Any

import rfc8785

from webapp.services.sales.signed_document import render_signed_document


def make_content(**changes: Any) -> dict[str, Any]:
    content = {
        "number": "P-2026-0042",
        "version": 2,
        "name": "Brand and website relaunch",
        "currency": "EUR",
        "total": "12500.00",
        "notes": "Half on signature, half on delivery.",
        "valid_until": "2026-04-30",
        "sent_at": "2026-03-01T09:30:00Z",
        "organization": {"name": "Northlight Studio"},
        "client": {"name": "Harbour & Sons Ltd"},
        "contact": {"first_name": "Ines", "last_name": "Carvalho", "email": "ines@firm.example"},
        "items": [make_item("Website", "2"), make_item("Identity"), make_item("Launch")],
    }
    return content | changes


def make_item(name: str, thousands: str = "1", **changes: Any) -> dict[str, Any]:
    price = f"{thousands}500.00"
    item = {"name": name, "description": "", "price": price, "quantity": 1, "total": price}
    return item | changes


def make_signature(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    signature = {
        "id": "0195a1b2-0000-7000-8000-00000000abcd",
        "signer_name": "Ines Carvalho",
        "signer_email": "ines@firm.example",
        "method": "typed",
        "data": "I. Carvalho",
        "consent_text": "I agree to be bound by this proposal.",
        "consent_version": "2026-01",
        "locale": "en-GB",
        "ip": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "signed_at": "2026-03-03T14:05:09.123456Z",
        "content_sha256": hashlib.sha256(rfc8785.dumps(content)).hexdigest(),
        "verify_url": "https://firm.example/verify/0195a1b2-0000-7000-8000-00000000abcd",
        "recorded_by": None,
    }
    return signature | changes


def render(content: dict[str, Any] | None = None, /, **changes: Any) -> bytes:
    content = content or make_content()
    return render_signed_document(content, make_signature(content, **changes))


def png(width: int = 300, height: int = 100, pixels: bytes | None = None, **kind: Any) -> bytes:
    """Return a PNG; one dark diagonal stroke on nothing, unless `pixels` are given."""
    if pixels is None:
        stroke = (max(0, width * y // height - 2) for y in range(height))
        rows = (
            (b"\0" + b"\0" * 4 * x + b"\x14\x1e\x50\xff" * 3).ljust(1 + 4 * width, b"\0")
            for x in stroke
        )
        pixels = b"".join(row[: 1 + 4 * width] for row in rows)
    header = struct.pack(
        ">IIBBBBB", width, height, kind.get("depth", 8), kind.get("colour", 6), 0, 0, 0
    )
    chunks = (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(pixels) + kind.get("tail", b"")),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def data_url(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()
