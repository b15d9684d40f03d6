"""Keys and link tokens: how they are made, checked for form, and turned into digests.

Only SHA-256 digests are stored (security.md, *Keys*). API keys are random. Link
tokens are derived from the link's id and SECRET_KEY, so that a mail job or a retried request can
make the same token again without it standing anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import zlib
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.identity import MAX_PASSWORD, MIN_PASSWORD
from webapp.services.common.exceptions import Invalid

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_PREFIX = "sx_live_"


def digest(secret: str) -> bytes:
    """The SHA-256 of a secret (32 bytes): the form in which it is stored and looked up."""
    return hashlib.sha256(secret.encode()).digest()


def new_api_key(key_id: UUID) -> str:
    """`sx_live_<id>_<32 random bytes, base62><crc32>`: shown once, never stored."""
    body = f"{KEY_PREFIX}{key_id.hex}_{_base62(secrets.token_bytes(32), 43)}"
    return body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Whether `text` has the form and the checksum of a key; asked before the database is."""
    if len(text) != len(KEY_PREFIX) + 32 + 1 + 43 + 6 or not text.startswith(KEY_PREFIX):
        return False
    return text.isascii() and hmac.compare_digest(_checksum(text[:-6]), text[-6:])


def link_token(secret_key: bytes, link_id: UUID) -> str:
    """The 256-bit token of a link, URL-safe (43 characters)."""
    mac = hmac.new(secret_key, b"link:" + link_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def is_link_token(text: str) -> bool:
    return len(text) == 43 and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()).to_bytes(4, "big"), 6)


def _base62(data: bytes, width: int) -> str:
    number = int.from_bytes(data, "big")
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(width, "0")


# Each hash takes 19 MiB for its duration; more than a few at once would exhaust small machines.
_hashing = threading.BoundedSemaphore(4)
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """The argon2id hash of a password. Raises Invalid naming `password` for a bad length."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid({"password": [f"Use {MIN_PASSWORD} to {MAX_PASSWORD} characters."]})
    with _hashing:
        return _hasher.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one that was hashed; takes as long when there is none stored."""
    if len(password) > MAX_PASSWORD:
        return False
    with _hashing:
        try:
            return _hasher.verify(stored or _ABSENT, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


# The hash of random bytes that nobody kept, at the same cost as all (tested). It stands here, as to
# make one at the start of each process takes long, and at the first use would be noticed.
_ABSENT = (
    "$argon2id$v=19$m=19456,t=2,p=1$lILVTvONCLCti5ciWjB1yQ$"
    "KRWjxgUr574aiOYNxxhI12Tjn7+NAw9htugWXEegifM"
)
