"""What a webhook says of an event, how it is signed, and which events are for whom.

By Standard Webhooks: `{"type", "timestamp", "data"}`, signed by HMAC-SHA256 over the message's id,
the time of the try and the body.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.states import state_label

SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105 - what the standard has secrets begin with
TEST_EVENT = "webhook.test"

# What a client may learn of, by the kind of record: all of it happens before their eyes. Drafts,
# and what only staff do, are not among it; what is not named here is not told.
_FOR_CLIENTS: Mapping[str, frozenset[str]] = {
    "contract": frozenset({"sent", "signed"}),
    "engagement": frozenset({"created", "status_changed"}),
    "file_object": frozenset({"created", "version_added", "approved", "changes_requested"}),
    "invoice": frozenset({"sent"}),
    "message": frozenset({"created"}),
    "project": frozenset({"created", "status_changed", "phase_changed"}),
    "proposal": frozenset({"sent", "signed", "declined"}),
}


def event_name(event: Mapping[str, Any]) -> str:
    """How receivers call the event, such as `proposal.signed`."""
    return f"{event['entity_type']}.{event['type']}"[:64]


def is_for_clients(event: Mapping[str, Any]) -> bool:
    """Whether a client may learn of the event: deny by default (rulings.md, *Webhooks*)."""
    kind, metadata = event["entity_type"], event["metadata"]
    if event["type"] not in _FOR_CLIENTS.get(kind, frozenset()):
        return False
    if kind == "message":
        return metadata.get("is_internal") is False
    if kind == "file_object":
        return metadata.get("visible_to_client") is True
    return True


def message_of(event: Mapping[str, Any], audience: str) -> dict[str, Any]:
    """The message that tells of an event; for clients without its metadata and who did it."""
    data = {
        "id": str(event["id"]),
        "type": event["type"],
        "action": event["action"],
        "entity_type": event["entity_type"],
        "entity_id": str(event["entity_id"]),
        "entity_version": event["entity_version"],
        "engagement_id": str(event["engagement_id"]) if event["engagement_id"] else None,
        "from": state_label(event["entity_type"], event["type"], event["from_state"]),
        "to": state_label(event["entity_type"], event["type"], event["to_state"]),
        "position": event["position"],
    }
    if audience == "staff":
        data |= {"actor": event["actor"], "metadata": event["metadata"]}
    else:
        del data["action"]  # its first word says whether staff or client did it
    return {"type": event_name(event), "timestamp": _moment(event["occurred_at"]), "data": data}


def trial_message(endpoint_id: UUID, now: dt.datetime) -> dict[str, Any]:
    """What is sent to try an endpoint out."""
    return {
        "type": TEST_EVENT,
        "timestamp": _moment(now),
        "data": {"webhook_id": str(endpoint_id)},
    }


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """The secret as receivers get it: `whsec_` and Base64."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    message_id: str, body: bytes, now: dt.datetime, signing_secrets: Sequence[bytes]
) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature for each secret."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        for secret in signing_secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _moment(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
