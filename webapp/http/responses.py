"""What an operation answers: a status, a JSON body and headers, before they become a response."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, request

from webapp.services.common.exceptions import Invalid, StaleVersion

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers


MAX_TAGS = 20
_VERSION = re.compile(r"[0-9]{1,9}")


class Whole(Response):
    """A response whose body is there, and whose Location, if any, is one of our own paths."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers as they are: there is no stream to measure and no address to mend."""
        return self.headers


@dataclass(slots=True)
class ApiResponse:
    """A JSON answer, or bytes of another type; `row_version` is that of the one record."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    row_version: int | None = None
    content_type: str = "application/json"

    def response(self) -> Response:
        """The HTTP response; 304 when the caller has this very representation already."""
        if self.body is None:
            return Response(status=self.status, headers=self.headers)
        payload = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        headers = dict(self.headers)
        if self.row_version is not None:
            headers["ETag"] = etag(self.row_version, payload)
            headers.setdefault("Cache-Control", "private, no-cache")
            if "If-None-Match" in request.headers and request.method in ("GET", "HEAD"):
                wanted = request.if_none_match
                if wanted.contains(headers["ETag"].strip('"')):
                    return Response(status=304, headers=headers)
        return Whole(payload, status=self.status, headers=headers, content_type=self.content_type)


def etag(row_version: int, payload: bytes) -> str:
    """A strong ETag: the record's row version, and a digest of all the representation shows.

    `If-None-Match` compares the whole; `If-Match` the version alone, because what else the
    representation shows (an engagement's projects, say) is not what a write would overwrite.
    """
    return f'"{row_version}-{hashlib.blake2b(payload, digest_size=8).hexdigest()}"'


def expected_row_versions() -> list[int | None]:
    """The row versions of which `If-Match` asks for one; only None without it, or with `*`.

    Weak tags match nothing (RFC 9110, 13.1.1), nor do tags that are none of ours. Raises
    StaleVersion when no other is left, and Invalid for more tags than anybody needs.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return [None]
    tags = {tag.partition("-")[0] for tag in request.if_match.as_set() if tag}
    versions = sorted(int(tag) for tag in tags if _VERSION.fullmatch(tag))
    if not versions:
        raise StaleVersion()
    if len(versions) > MAX_TAGS:
        raise Invalid({"If-Match": [f"Send at most {MAX_TAGS} tags."]})
    return [*versions]
