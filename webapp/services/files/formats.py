"""What a file is, by its content and its name (rulings.md, *Files*).

The formats are those that firms and their clients send each other. A table of our own: the
libraries that know a thousand guess at some of them, and differently from version to version.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from webapp.services.common.exceptions import Invalid

# How much of the beginning is looked at.
HEAD_BYTES = 4096
NAME_LENGTH = 255
UNKNOWN, TEXT = "application/octet-stream", "text/plain"


@dataclass(frozen=True, slots=True)
class Format:
    """A content type and what its content begins with: bytes at places, one way of several."""

    content_type: str
    ways: tuple[tuple[tuple[int, bytes], ...], ...]

    def fits(self, head: bytes) -> bool:
        return any(all(head[at : at + len(mark)] == mark for at, mark in way) for way in self.ways)


def _format(content_type: str, *marks: bytes, at: int = 0) -> Format:
    return Format(content_type, tuple(((at, mark),) for mark in marks))


def _container(content_type: str, kind: bytes, *forms: bytes) -> Format:
    """A RIFF file of one of the forms."""
    return Format(content_type, tuple(((0, kind), (8, form)) for form in forms))


_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
_JPEG = _format("image/jpeg", b"\xff\xd8\xff")
_TIFF = _format("image/tiff", b"II*\x00", b"MM\x00*")
_MPEG = _format("audio/mpeg", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")

# By the ending of the name. The first whose content fits is what a file without one is.
FORMATS: dict[str, Format] = {
    "pdf": _format("application/pdf", b"%PDF-"),
    "png": _format("image/png", b"\x89PNG\r\n\x1a\n"),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": _format("image/gif", b"GIF87a", b"GIF89a"),
    "webp": _container("image/webp", b"RIFF", b"WEBP"),
    "tif": _TIFF,
    "tiff": _TIFF,
    "bmp": _format("image/bmp", b"BM"),
    "psd": _format("image/vnd.adobe.photoshop", b"8BPS"),
    "heic": _format("image/heic", b"ftypheic", b"ftypheix", b"ftypmif1", at=4),
    "avif": _format("image/avif", b"ftypavif", at=4),
    "zip": _format("application/zip", *_ZIP),
    "docx": _format(f"{_OPEN_XML}.wordprocessingml.document", *_ZIP),
    "xlsx": _format(f"{_OPEN_XML}.spreadsheetml.sheet", *_ZIP),
    "pptx": _format(f"{_OPEN_XML}.presentationml.presentation", *_ZIP),
    "odt": _format(f"{_OPEN_DOCUMENT}.text", *_ZIP),
    "ods": _format(f"{_OPEN_DOCUMENT}.spreadsheet", *_ZIP),
    "odp": _format(f"{_OPEN_DOCUMENT}.presentation", *_ZIP),
    "doc": _format("application/msword", _OLE),
    "xls": _format("application/vnd.ms-excel", _OLE),
    "ppt": _format("application/vnd.ms-powerpoint", _OLE),
    "msg": _format("application/vnd.ms-outlook", _OLE),
    "rtf": _format("application/rtf", b"{\\rtf"),
    "mov": _format("video/quicktime", b"ftypqt", b"moov", b"mdat", b"wide", at=4),
    "m4a": _format("audio/mp4", b"ftypM4A", at=4),
    "mp4": _format("video/mp4", b"ftyp", at=4),
    "webm": _format("video/webm", b"\x1a\x45\xdf\xa3"),
    "avi": _container("video/x-msvideo", b"RIFF", b"AVI "),
    "wav": _container("audio/wav", b"RIFF", b"WAVE"),
    "mp3": _MPEG,
    "ogg": _format("audio/ogg", b"OggS"),
    "flac": _format("audio/flac", b"fLaC"),
    "gz": _format("application/gzip", b"\x1f\x8b"),
    "7z": _format("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c"),
    "rar": _format("application/vnd.rar", b"Rar!\x1a\x07"),
    "woff": _format("font/woff", b"wOFF"),
    "woff2": _format("font/woff2", b"wOF2"),
    "ttf": _format("font/ttf", b"\x00\x01\x00\x00", b"true"),
    "otf": _format("font/otf", b"OTTO"),
}  # fmt: skip
TEXTS: dict[str, str] = {
    "txt": TEXT, "log": TEXT, "md": "text/markdown", "csv": "text/csv", "json": "application/json",
    "xml": "application/xml", "svg": "image/svg+xml", "html": "text/html", "htm": "text/html",
    "css": "text/css", "js": "text/javascript", "ics": "text/calendar", "vcf": "text/vcard",
    "eml": "message/rfc822", "yaml": "application/yaml", "yml": "application/yaml",
}  # fmt: skip
# What a computer would run when somebody opens it.
_PROGRAMS = frozenset(
    {
        "exe", "com", "bat", "cmd", "scr", "pif", "msi", "msp", "dll", "sys", "cpl", "jar",
        "app", "apk", "deb", "rpm", "dmg", "pkg", "ps1", "psm1", "vbs", "vbe", "jse", "wsf",
        "wsh", "hta", "lnk", "scf", "reg", "sh", "bash", "run", "desktop", "class",
    }
)  # fmt: skip
_PROGRAM_MARKS = (
    b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf", b"#!", b"L\x00\x00\x00\x01\x14\x02\x00",
)  # fmt: skip
_NO_TEXT = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_REFUSED = "Programs are not taken here. Send it packed into a ZIP, if it has to be."


def content_type_of(name: str, head: bytes) -> str:
    """The content type of a file by the name it has and the bytes it begins with.

    Raises Invalid naming `file` for a program, and for content that its name does not fit: what
    says that it is a PDF is one.
    """
    ending = _ending(name)
    if ending in _PROGRAMS or _is_program(head):
        raise Invalid({"file": [_REFUSED]})
    if ending in FORMATS:
        if not FORMATS[ending].fits(_trimmed(head) if ending == "pdf" else head):
            raise Invalid({"file": [f"Its content is not what its name says (.{ending})."]})
        return FORMATS[ending].content_type
    if ending in TEXTS:
        if not _is_text(head):
            raise Invalid({"file": [f"Its content is not text, as its name says (.{ending})."]})
        return TEXTS[ending]
    found = next((known for known in FORMATS.values() if known.fits(head)), None)
    if found is not None:
        return found.content_type
    return TEXT if head and _is_text(head) else UNKNOWN


def safe_name(name: str) -> str:
    """The name to keep and to offer for saving: no folders, nothing invisible, not too long.

    What would turn letters around is left out (`exe.fdp` shown as a PDF), as are the dots and
    spaces at its ends that some systems drop.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    seen = "".join(c if unicodedata.category(c)[0] != "C" else "" for c in last)
    seen = " ".join(re.sub(r'[<>:"|?*]', "_", seen).split()).strip(". ")
    if len(seen) > NAME_LENGTH:
        stem, dot, ending = seen.rpartition(".")
        keep = NAME_LENGTH - len(dot + ending)
        seen = f"{stem[:keep]}{dot}{ending}" if stem and keep > 0 else seen[:NAME_LENGTH]
    return seen or "file"


def _ending(name: str) -> str:
    _, dot, ending = name.rpartition(".")
    return ending.lower() if dot else ""


def _is_program(head: bytes) -> bool:
    # Windows' own mark is two letters, which a text may begin with as well.
    return head.startswith(_PROGRAM_MARKS) or (head.startswith(b"MZ") and not _is_text(head))


def _is_text(head: bytes) -> bool:
    return head.startswith(_UTF_16) or _NO_TEXT.search(head) is None


def _trimmed(head: bytes) -> bytes:
    """Without what some programs write before a PDF; its mark is within the first kilobyte."""
    at = head[:1024].find(b"%PDF-")
    return head[at:] if at >= 0 else head
