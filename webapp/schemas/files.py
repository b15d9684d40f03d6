"""Files on the wire (rulings.md, *Files*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, pre_load, validate

from models.files import DECISIONS
from webapp.schemas.activity import Actor
from webapp.schemas.common import (
    REASON_LENGTH,
    Input,
    Moment,
    Output,
    PlainText,
    WholeNumber,
    flag,
    name,
    reference,
)


class FormFlag(fields.Boolean):
    """true or false, as a form's field has it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(truthy={"true"}, falsy={"false"}, **kwargs)


def a_file() -> fields.Raw:
    """A form's file: its bytes are in the store when the schema sees it."""
    return fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class FileForm(Input):
    """A form: a field that is sent empty counts as not sent."""

    @pre_load
    def without_empty(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if value != ""}


class FileCreate(FileForm):
    """A form with the `file`, and the engagement or the project that it is for."""

    file = a_file()
    engagement_id = reference(allow_none=False)
    project_id = reference(allow_none=False)
    visible_to_client = FormFlag()


class FileVersionCreate(FileForm):
    """A form with the `file` that is the newer version."""

    file = a_file()


class FileChange(Input):
    """What can be changed of a file without a new version."""

    name = name(metadata={"examples": ["Plan.pdf"]})
    project_id = reference()
    visible_to_client = flag()


class FileDecision(Input):
    """What is decided on a version, the latest unless another `version` is named.

    `changes_requested` needs a comment.
    """

    decision = PlainText(validate=validate.OneOf(DECISIONS))
    comment = PlainText(allow_none=True, validate=validate.Length(max=REASON_LENGTH))
    version = WholeNumber(
        validate=validate.Range(1, 1_000_000), metadata={"x-depends-on": "the file"}
    )


class Approval(Output):
    decision = fields.String()
    comment = fields.String(allow_none=True)
    decided_at = Moment()
    decided_by = fields.Nested(Actor)


class FileParent(Output):
    id = fields.UUID()
    name = fields.String()


class FileOut(Output):
    """A file as its latest version is; `size` is in bytes, `approval` what was decided on it."""

    id = fields.UUID()
    engagement_id = fields.UUID()
    engagement = fields.Nested(FileParent)
    project_id = fields.UUID(allow_none=True)
    project = fields.Nested(FileParent, allow_none=True)
    name = fields.String()
    content_type = fields.String()
    size = fields.Integer()
    sha256 = fields.String()
    version = fields.Integer()
    visible_to_client = fields.Boolean()
    approval = fields.Nested(Approval, allow_none=True)
    uploaded_by = fields.Nested(Actor)
    created_at = Moment()
    updated_at = Moment()
    deleted_at = Moment(allow_none=True)


class FileVersionOut(Output):
    id = fields.UUID()
    file_id = fields.UUID()
    number = fields.Integer()
    name = fields.String()
    content_type = fields.String()
    size = fields.Integer()
    sha256 = fields.String()
    uploaded_by = fields.Nested(Actor)
    decision = fields.String(allow_none=True)
    comment = fields.String(allow_none=True)
    decided_at = Moment(allow_none=True)
    decided_by = fields.Nested(Actor, allow_none=True)
    created_at = Moment()
