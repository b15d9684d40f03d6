"""Is a document ours, and unchanged? Anybody who holds it may ask (sign-flow.md, *Verifying*)."""

from __future__ import annotations

import re

from models.db.queries import Row, call_function

_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


def verify_document(sha256: str) -> Row | None:
    """What is on record under this SHA-256 (64 lower-case hexadecimal digits); None if nothing.

    `kind` is `signed document` for the PDF to the last byte, `proposal content` for the text that
    was signed; the rest names the organization, the proposal, the signer and the time.
    """
    if not is_sha256(sha256):
        return None
    found = call_function("SELECT * FROM verify_document(%(sha256)s)", sha256=sha256)
    return found[0] if found else None
