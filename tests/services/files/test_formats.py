"""What a file is, by its content and its name; and the name that is kept."""

from __future__ import annotations

import pytest

from webapp.services.common.exceptions import Invalid
from webapp.services.files.formats import NAME_LENGTH, content_type_of, safe_name


@pytest.mark.parametrize(
    ("name", "head", "content_type"),
    [
        ("a.pdf", b"%PDF-1.4", "application/pdf"),
        ("a.PDF", b"\xef\xbb\xbf%PDF-1.4", "application/pdf"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a.webp", b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        ("a.docx", b"PK\x03\x04\x14", f"{'application/vnd.openxmlformats-officedocument'}"
         ".wordprocessingml.document"),
        ("a.mp4", b"\0\0\0\x18ftypisom", "video/mp4"),
        ("a.txt", b"", "text/plain"),
        ("a.csv", "Größe;1\n".encode("latin-1"), "text/csv"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("picture", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("README", b"Read me.", "text/plain"),
        ("a.sketchy", b"\x01\x02\x00", "application/octet-stream"),
        ("mz.txt", b"MZ is a fine beginning", "text/plain"),
    ],
)  # fmt: skip
def test_the_content_type_is_what_the_content_is(name: str, head: bytes, content_type: str) -> None:
    assert content_type_of(name, head) == content_type


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.pdf", b"<html>"),
        ("a.png", b"\xff\xd8\xff"),
        ("a.webp", b"RIFF\x01\x02\x03\x04WAVE"),
        ("a.docx", b"\xd0\xcf\x11\xe0"),
        ("a.txt", b"\0\0"),
        ("a.bat", b"echo"),
        ("a.txt.lnk", b"x"),
        ("photo.jpg", b"MZ\x90\0"),
        ("tool", b"\xcf\xfa\xed\xfe"),
    ],
)
def test_a_program_or_what_the_name_does_not_fit_is_refused(name: str, head: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        content_type_of(name, head)
    assert list(refused.value.errors) == ["file"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\plan.pdf", "plan.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
        ("  .hidden. ", "hidden"),
        ("e\u0301te\u0301.pdf", "\u00e9t\u00e9.pdf"),
        ("", "file"),
        ("...", "file"),
    ],
)
def test_the_name_that_is_kept_has_nothing_in_it_that_misleads(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_a_long_name_keeps_its_ending() -> None:
    kept = safe_name("x" * 400 + ".pdf")
    assert len(kept) == NAME_LENGTH
    assert kept.endswith(".pdf")
