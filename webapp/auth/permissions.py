"""Roles, scopes, and what each may do (permissions.md).

A permission is `<domain>:<read|write|…>`. Everything that is not given is denied.
"""

from __future__ import annotations

from models.db.tenancy import Principal
from webapp.services.common.exceptions import Forbidden

DOMAINS = (
    "identity", "crm", "catalog", "sales", "engagements", "projects", "conversations",
    "billing", "files", "activity", "portal", "webhooks",
)  # fmt: skip

_VIEWER = frozenset(f"{domain}:read" for domain in DOMAINS)
_MEMBER = _VIEWER | {
    f"{domain}:write"
    for domain in ("crm", "sales", "engagements", "projects", "conversations", "files", "portal")
} | {"sales:sign"}  # fmt: skip
_ADMIN = _MEMBER | {f"{domain}:write" for domain in DOMAINS} | {"jobs:read", "jobs:write"}
_OWNER = _ADMIN | {"organization:write"}

ROLE_PERMISSIONS = {"viewer": _VIEWER, "member": _MEMBER, "admin": _ADMIN, "owner": _OWNER}
# What the client who holds a signing link may do, with that one proposal.
LINK_PERMISSIONS = {"signing_link": frozenset({"link:read", "link:sign", "link:decline"})}

ALL_PERMISSIONS = _OWNER.union(*LINK_PERMISSIONS.values())


def permissions_of(principal: Principal) -> frozenset[str]:
    """Everything `principal` may do: its role's permissions, narrowed by a key's scopes."""
    if principal.kind in LINK_PERMISSIONS:
        return LINK_PERMISSIONS[principal.kind]
    granted = ROLE_PERMISSIONS.get(principal.role or "", frozenset())
    if principal.scopes:
        granted = granted & frozenset(principal.scopes)
    return granted


def may(principal: Principal, permission: str) -> bool:
    return permission in permissions_of(principal)


def demand(principal: Principal, permission: str) -> None:
    """Raises Forbidden naming the permission that `principal` lacks."""
    if not may(principal, permission):
        raise Forbidden(f"This needs the permission {permission}, which you do not have.")
