"""Roles, scopes, and what each may do (permissions.md).

A permission is `<domain>:<read|write|…>`. Everything that is not given is denied.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.db.tenancy import Principal
from webapp.services.common.exceptions import Forbidden, Invalid

DOMAINS = (
    "identity", "crm", "catalog", "sales", "engagements", "projects", "conversations",
    "billing", "files", "activity", "portal", "webhooks",
)  # fmt: skip

_VIEWER = frozenset(f"{domain}:read" for domain in DOMAINS)
_MEMBER = _VIEWER | {
    f"{domain}:write"
    for domain in ("crm", "sales", "engagements", "projects", "conversations", "files", "portal")
} | {"sales:sign"}  # fmt: skip
_ADMIN = _MEMBER | {f"{domain}:write" for domain in DOMAINS} | {
    "jobs:read", "jobs:write", "audit:read",
}  # fmt: skip
_OWNER = _ADMIN | {"organization:write"}

ROLE_PERMISSIONS = {"viewer": _VIEWER, "member": _MEMBER, "admin": _ADMIN, "owner": _OWNER}
# What the client who holds a signing link may do, with that one proposal.
LINK_PERMISSIONS = {"signing_link": frozenset({"link:read", "link:sign", "link:decline"})}

ALL_PERMISSIONS = _OWNER.union(*LINK_PERMISSIONS.values())


def permissions_of(principal: Principal) -> frozenset[str]:
    """Everything `principal` may do: its role's permissions, narrowed by a key's scopes."""
    if principal.kind in LINK_PERMISSIONS:
        return LINK_PERMISSIONS[principal.kind]
    return _granted(principal.role, principal.scopes)


def _granted(role: str | None, scopes: Sequence[str] | None) -> frozenset[str]:
    granted = ROLE_PERMISSIONS.get(role or "", frozenset())
    if scopes:
        granted = granted & frozenset(scopes)
    return granted


def grantable_roles(principal: Principal) -> tuple[str, ...]:
    """The roles all of whose permissions `principal` has; none for a key narrowed by scopes."""
    own = permissions_of(principal)
    return tuple(role for role, given in ROLE_PERMISSIONS.items() if given <= own)


def demand_grant(principal: Principal, role: str, scopes: Sequence[str] | None) -> None:
    """Check that `principal` may let somebody do all that `role` with these `scopes` may.

    Raises Invalid naming `scopes` the role does not have, and Forbidden naming the permissions
    that `principal` lacks: nobody grants rights that they do not have.
    """
    beyond = sorted(set(scopes or ()) - ROLE_PERMISSIONS[role])
    if beyond:
        raise Invalid({"scopes": [f"The role {role} does not have: {', '.join(beyond)}."]})
    lacking = sorted(_granted(role, scopes) - permissions_of(principal))
    if lacking:
        raise Forbidden(f"You cannot grant what you do not have yourself: {', '.join(lacking)}.")


def may(principal: Principal, permission: str) -> bool:
    return permission in permissions_of(principal)


def demand(principal: Principal, permission: str) -> None:
    """Raises Forbidden naming the permission that `principal` lacks."""
    if not may(principal, permission):
        raise Forbidden(f"This needs the permission {permission}, which you do not have.")
