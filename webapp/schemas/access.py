"""Keys, people and sessions on the wire: who may come in, and what each may do."""

from __future__ import annotations

import ipaddress
from typing import Any

from marshmallow import fields, validate

from models.identity import MAX_OVERLAP_HOURS, MAX_PASSWORD, MIN_PASSWORD, ROLES
from webapp.schemas.common import (
    EMAIL,
    Input,
    Moment,
    Output,
    PlainText,
    WholeNumber,
    name,
    reference,
)

MAX_NETWORKS = 50


class Network(fields.Field[str]):
    """An IP address, or a network as `203.0.113.0/24`; kept as a network."""

    default_error_messages = {
        "form": 'Send an address or a network, such as "203.0.113.7" or "203.0.113.0/24".',
        "host": 'The network has bits set after its length; send "{network}".',
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or len(value) > 64 or "%" in value:
            raise self.make_error("form")
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            raise self.make_error("form") from error
        if str(network.network_address) != str(ipaddress.ip_interface(value).ip):
            raise self.make_error("host", network=network)
        return str(network)


def role(**kwargs: Any) -> PlainText:
    """One of the roles, the highest first."""
    return PlainText(validate=validate.OneOf(ROLES), metadata={"examples": ["member"]}, **kwargs)


def networks() -> fields.List:
    """Where a key is accepted from; null for everywhere."""
    return fields.List(
        Network(),
        allow_none=True,
        validate=validate.Length(1, MAX_NETWORKS),
        metadata={"examples": [["203.0.113.0/24"]]},
    )


class ApiKeyChange(Input):
    """A key's name, and `allowed_ips`, the networks that it is accepted from (null: all)."""

    name = name()
    allowed_ips = networks()


class ApiKeyCreate(ApiKeyChange):
    """A key with the rights of `role`, narrowed to `scopes` where they are given."""

    name = name(required=True)
    role = role(required=True)
    scopes = fields.List(
        PlainText(validate=validate.Length(1, 64)),
        allow_none=True,
        validate=validate.Length(1, 64),
        metadata={"examples": [["crm:read"]]},
    )
    expires_at = Moment(allow_none=True, metadata={"examples": ["2099-12-31T00:00:00Z"]})


class ApiKeyRotate(Input):
    """`overlap_hours` is how long the old key goes on working; 0 revokes it at once."""

    overlap_hours = WholeNumber(load_default=0, validate=validate.Range(0, MAX_OVERLAP_HOURS))
    expires_at = Moment(metadata={"examples": ["2099-12-31T00:00:00Z"]})


class ApiKeyOut(Output):
    """What is known of a key; `prefix` is how it begins, `last_used_at` is right to a minute."""

    id = fields.UUID()
    name = fields.String()
    prefix = fields.String(metadata={"examples": ["sx_live_0198c0de7a0070008000000000000042"]})
    role = role()
    scopes = fields.List(fields.String(), allow_none=True)
    allowed_ips = fields.List(fields.String(), allow_none=True)
    state = fields.String(metadata={"enum": ["active", "expired", "revoked"]})
    created_by = fields.String(allow_none=True)
    last_used_at = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    revoked_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class NewApiKeyOut(ApiKeyOut):
    """A key as it is made: `key` is shown this once, and null where the answer is replayed."""

    key = fields.String(
        allow_none=True, metadata={"examples": ["sx_live_0198c0de7a0070008000000000000042_…"]}
    )


class AuditActor(Output):
    kind = fields.String(metadata={"examples": ["session"]})
    id = fields.String(allow_none=True)
    name = fields.String(metadata={"examples": ["Robin Ray"]})


class AuditEventOut(Output):
    """One event of the audit log; `metadata` tells more, and never a secret."""

    id = fields.UUID()
    kind = fields.String(metadata={"examples": ["key_created"]})
    actor = fields.Nested(AuditActor)
    entity_type = fields.String(allow_none=True, metadata={"examples": ["api_key"]})
    entity_id = fields.UUID(allow_none=True)
    ip = fields.String(allow_none=True)
    user_agent = fields.String(allow_none=True, metadata={"examples": ["Mozilla/5.0"]})
    metadata = fields.Dict(
        attribute="details", metadata={"examples": [{"name": "Website", "role": "member"}]}
    )
    occurred_at = Moment()


class AuditEventRow(Output):
    """One event of the audit log as a line of a table."""

    occurred_at = Moment()
    kind = fields.String()
    actor_kind = fields.String()
    actor_id = fields.String()
    actor_name = fields.String()
    entity_type = fields.String()
    entity_id = fields.UUID()
    ip = fields.String()
    user_agent = fields.String()
    metadata = fields.String(attribute="details")


class UserBrief(Output):
    id = fields.UUID()
    name = fields.String(metadata={"examples": ["Robin Ray"]})
    email = fields.String()


class MemberChange(Input):
    role = role(required=True)


class MemberOut(Output):
    """A user's place in the organization; `id` is that of the membership."""

    id = fields.UUID()
    user = fields.Nested(UserBrief)
    role = role()
    state = fields.String(metadata={"enum": ["active", "disabled"]})
    disabled_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class SessionOut(Output):
    """A browser that is logged in; `last_used_at` is right to a minute."""

    id = fields.UUID()
    user = fields.Nested(UserBrief)
    is_current = fields.Boolean()
    ip = fields.String(allow_none=True)
    user_agent = fields.String(allow_none=True, metadata={"examples": ["Mozilla/5.0"]})
    last_used_at = Moment(allow_none=True)
    created_at = Moment()
    expires_at = Moment()


class SessionsEnd(Input):
    """Whose sessions to end; your own without it. The one you are using stays."""

    user_id = reference(allow_none=False)


class SessionsEnded(Output):
    revoked = fields.Integer(metadata={"examples": [2]})


class InvitationCreate(Input):
    email = PlainText(required=True, validate=EMAIL)
    role = role(required=True)


class InvitationOut(Output):
    """An invitation; the link goes to its address alone."""

    id = fields.UUID()
    email = fields.String()
    role = role()
    state = fields.String(metadata={"enum": ["open", "expired", "accepted", "withdrawn"]})
    invited_by = fields.String(allow_none=True, metadata={"examples": ["Robin Ray"]})
    member_id = fields.UUID(allow_none=True)
    expires_at = Moment()
    accepted_at = Moment(allow_none=True)
    withdrawn_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


def password(error: str = "Use 10 to 256 characters.") -> PlainText:
    """A password as it is chosen, or an account's."""
    return PlainText(
        required=True,
        validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD, error=error),
        metadata={"examples": ["correct horse battery staple"]},
    )


class InvitationAccept(Input):
    """`name` for a new account; `password` is its own, or the one of the account there is."""

    name = name()
    password = password()


class PublicInvitationOut(Output):
    """What whoever is invited reads; `has_account` says that they have a password already."""

    organization_name = fields.String(metadata={"examples": ["Harbour Agency"]})
    organization_slug = fields.String(metadata={"examples": ["harbour-agency"]})
    email = fields.String()
    role = role()
    invited_by = fields.String(allow_none=True, metadata={"examples": ["Robin Ray"]})
    has_account = fields.Boolean()
    expires_at = Moment()


class PasswordResetAsk(Input):
    email = PlainText(required=True, validate=EMAIL)


class PasswordResetConfirm(Input):
    """The token in the link that was mailed, and the password to have from now on."""

    token = PlainText(
        required=True,
        validate=validate.Length(1, 128),
        metadata={"examples": ["Zk3mZ3dBq0vT7n1yQ2rLwX8cJ5hG6fD4sA9pO0iU1eY"]},
    )
    password = password()
