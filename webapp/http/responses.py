"""What an operation answers: a status, a JSON body and headers, before they become a response."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, request

from webapp.services.common.exceptions import StaleVersion

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers


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
            headers["Cache-Control"] = "private, no-cache"
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


def expected_row_version() -> int | None:
    """The row version that `If-Match` asks for; None without one or with `*`.

    Raises StaleVersion for a tag that is none of ours: it cannot be the current one.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    versions = [tag.partition("-")[0] for tag in request.if_match.as_set()]
    if len(versions) != 1 or not versions[0].isdigit() or len(versions[0]) > 9:
        raise StaleVersion()
    return int(versions[0])
