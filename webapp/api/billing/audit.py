"""Whether the money adds up (rulings.md, *Audit*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from webapp.api.framework.operations import ApiBlueprint
from webapp.schemas.common import Output
from webapp.services.billing.audit import audit_money

blueprint = ApiBlueprint("audit", "/api/admin/audit", description="Whether what must be true is.")


class FaultOut(Output):
    """Something that should never be; of a gap in a series there is no record to name."""

    kind = fields.String(metadata={"examples": ["invoice_paid"]})
    entity_type = fields.String(metadata={"examples": ["invoice"]})
    entity_id = fields.UUID(allow_none=True)
    detail = fields.String(
        metadata={"examples": ["The invoice is paid 10.00, and payments have settled 0.00 of it."]}
    )


class AuditOut(Output):
    data = fields.List(fields.Nested(FaultOut))


@blueprint.operation("GET", "", permission="jobs:read", out=AuditOut)
def audit_organization() -> dict[str, Any]:
    """Look up whether the organization's money adds up; nothing is listed when it does"""
    return {"data": audit_money()}
