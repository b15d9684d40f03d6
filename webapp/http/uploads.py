"""Receiving a form with a file: streamed into the file store, before any transaction begins.

A slow client holds no connection to the database, and what is received is never whole in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, request
from marshmallow import ValidationError
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import get_input_stream

from models.db.queries import resolve_context
from models.db.tenancy import TenantContext, current_organization_id, in_context
from webapp.config import Settings
from webapp.core.file_store import Incoming, file_store
from webapp.services.common.exceptions import DomainError, Invalid, Unavailable
from webapp.services.files.contents import Upload

FORM_TYPE = "multipart/form-data"
FIELD = "file"
# What the other fields may have together, and how the parts are separated.
FORM_BYTES = 64 * 1024
# For a field that is no file, and for what the parser holds of the body at a time, 64 kB and more.
_MEMORY_BYTES = 500_000
_MAX_PARTS = 20


@contextmanager
def received_form(context: TenantContext) -> Iterator[dict[str, Any]]:
    """The form's fields, with the Upload as `file`; its bytes are durable in the store.

    Who sends it is checked first. When the block ends, bytes that no row names are removed; after
    an outage nobody knows whether one does, and they are left to the sweep.

    Raises what the credential does, BadRequest, UnsupportedMediaType, RequestEntityTooLarge,
    InsufficientStorage, and Invalid naming the parts.
    """
    with in_context(context):
        resolve_context()
        organization_id = current_organization_id()
    if request.mimetype != FORM_TYPE:
        raise UnsupportedMediaType(f"Send the body as {FORM_TYPE}.")
    settings: Settings = current_app.config["SETTINGS"]
    opened: list[Incoming] = []

    def open_part(*_: Any, **__: Any) -> Incoming:
        if opened:
            raise Invalid({FIELD: ["Send one file."]})
        opened.append(file_store().receive(organization_id))
        return opened[0]

    try:
        fields = _parsed(open_part, settings.file_max_bytes + FORM_BYTES)
        if FIELD in fields:
            incoming = opened[0]
            if incoming.size > settings.file_max_bytes:
                raise RequestEntityTooLarge
            incoming.keep()
            fields[FIELD] = Upload(
                incoming.id, fields[FIELD], incoming.size, incoming.sha256, incoming.head,
                settings.files_quota_bytes,
            )  # fmt: skip
        yield fields
    except (DomainError, ValidationError, HTTPException) as error:
        if not isinstance(error, Unavailable):
            _discard(opened)
        raise
    else:
        upload = fields.get(FIELD)
        if upload is None or not upload.is_taken:
            _discard(opened)


def _parsed(open_part: Any, limit: int) -> dict[str, Any]:
    """The fields as text, and the file's name in its own."""
    parser = FormDataParser(
        stream_factory=open_part,
        max_form_memory_size=_MEMORY_BYTES,
        max_content_length=limit,
        max_form_parts=_MAX_PARTS,
        silent=False,
    )
    stream = get_input_stream(request.environ, max_content_length=limit)
    try:
        _, form, files = parser.parse(
            stream, request.mimetype, request.content_length, request.mimetype_params
        )
    except ValueError as error:
        raise BadRequest("The body is not a whole form.") from error
    fields: dict[str, Any] = {}
    for name, values in form.lists():
        if len(values) > 1:
            raise Invalid({name: ["Send one value."]})
        fields[name] = values[0]
    for name, storages in files.lists():
        if name != FIELD:
            raise Invalid({name: [f"Send the file as `{FIELD}`."]})
        fields[FIELD] = storages[0].filename or ""
    if FIELD in fields and not files:
        raise Invalid({FIELD: ["Send a file, with its name, not a text."]})
    return fields


def _discard(opened: list[Incoming]) -> None:
    for incoming in opened:
        incoming.discard()
