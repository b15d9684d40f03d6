"""Answering with a file from the store: in parts where asked for, and never run by a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.wsgi import FileWrapper

from webapp.core.file_store import file_store
from webapp.http.responses import ApiResponse
from webapp.services.files.formats import UNKNOWN

# Whatever is in it, it gets no origin, no script and nothing from anywhere.
SANDBOX = "sandbox; default-src 'none'"


class _Closing(FileWrapper):
    """The file in pieces; it is closed at its end, whatever the server does then."""

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except StopIteration:
            self.close()
            raise


@dataclass(slots=True)
class FileAnswer(ApiResponse):
    """A stored file; `body` is the row of `content_of`."""

    def response(self) -> Response:
        """200, 206 for the parts that Range names, or 304; the ETag is the content's digest.

        Raises RequestedRangeNotSatisfiable, Unavailable.
        """
        row = self.body
        stream = file_store().open(row["organization_id"], row["content_id"])
        response = Response(_Closing(stream), status=200, direct_passthrough=True)
        response.call_on_close(stream.close)
        # What it is stands in the file's `content_type`: no browser shall open it by that.
        response.headers["Content-Type"] = UNKNOWN
        response.headers["Content-Length"] = str(row["size"])
        response.headers["Content-Disposition"] = disposition(row["name"])
        response.headers["Content-Security-Policy"] = SANDBOX
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(row["sha256"])
        try:
            response.make_conditional(
                request.environ, accept_ranges=True, complete_length=row["size"]
            )
        except BaseException:
            stream.close()
            raise
        return response


def disposition(name: str) -> str:
    """The header that has a file saved under its name, in letters of any language (RFC 6266)."""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_answer(row: Any) -> FileAnswer:
    return FileAnswer(200, row)
