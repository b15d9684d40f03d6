"""Webhooks on the wire (rulings.md, *Webhooks*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.webhooks import AUDIENCES, DELIVERY_STATES
from webapp.schemas.common import Input, Moment, Output, PlainText, WholeNumber, flag, url

_EVENT = PlainText(
    validate=[
        validate.Length(max=64),
        validate.Regexp(r"^[a-z_]+\.[a-z_]+$(?!\n)", error='Send names such as "proposal.signed".'),
    ],
    metadata={"examples": ["proposal.signed"]},
)


class WebhookChange(Input):
    """The fields of a webhook; no `event_types` means all."""

    url = url(allow_none=False)
    description = PlainText(allow_none=True, validate=validate.Length(max=255))
    event_types = fields.List(_EVENT, validate=validate.Length(max=100))
    audience = PlainText(validate=validate.OneOf(AUDIENCES))
    is_active = flag()


class WebhookCreate(WebhookChange):
    url = url(required=True, allow_none=False)


class SecretRotation(Input):
    """For how long the secret of before signs as well: a day unless it says otherwise."""

    overlap_hours = WholeNumber(validate=validate.Range(0, 168))


class WebhookOut(Output):
    """A webhook; `secret` is there when it is made and when it is rotated, and never again."""

    id = fields.UUID()
    url = fields.String()
    description = fields.String(allow_none=True)
    event_types = fields.List(fields.String())
    audience = fields.String()
    is_active = fields.Boolean()
    disabled_at = Moment(allow_none=True)
    disabled_reason = fields.String(allow_none=True)
    failure_count = fields.Integer()
    failing_since = Moment(allow_none=True)
    previous_secret_until = Moment(allow_none=True)
    secret = fields.String()
    created_at = Moment()
    updated_at = Moment()


class WebhookDeliveryOut(Output):
    """One event for one webhook, and how its delivery went."""

    id = fields.UUID()
    webhook_id = fields.UUID(attribute="endpoint_id")
    event_id = fields.UUID()
    event_type = fields.String()
    state = fields.String(validate=validate.OneOf(DELIVERY_STATES))
    attempts = fields.Integer()
    replays = fields.Integer()
    response_status = fields.Integer(allow_none=True)
    response_excerpt = fields.String(allow_none=True)
    error = fields.String(allow_none=True)
    delivered_at = Moment(allow_none=True)
    created_at = Moment()


class WebhookAttemptOut(Output):
    n = fields.Integer()
    at = Moment()
    milliseconds = fields.Integer()
    response_status = fields.Integer(allow_none=True)
    response_excerpt = fields.String(allow_none=True)
    error = fields.String(allow_none=True)


class WebhookDeliveryWhole(WebhookDeliveryOut):
    """A delivery with the message as it is sent, and each try, the first one first."""

    payload = fields.Dict()
    attempts_log = fields.List(fields.Nested(WebhookAttemptOut))
