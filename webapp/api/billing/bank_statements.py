"""Bank statements: what the bank tells, imported (rulings.md, *Bank statements*)."""

from __future__ import annotations

from webapp.api.framework.operations import ApiBlueprint, Upload
from webapp.api.framework.resource import Resource
from webapp.http.responses import ApiResponse
from webapp.schemas.banking import BankStatementOut
from webapp.services.billing import bank_statements as service
from webapp.services.billing.bank_statements import STATEMENTS
from webapp.services.common.exceptions import Conflict

blueprint = ApiBlueprint(
    "bank_statements",
    "/api/bank-statements",
    description="What the bank says came in and went out.",
)
XML, TEXT_XML, CSV = "application/xml", "text/xml", "text/csv"

statements = Resource(blueprint, "bank_statement", records=STATEMENTS, out=BankStatementOut)
statements.list("List bank statements")
statements.retrieve("Retrieve a bank statement")


@blueprint.operation(
    "POST",
    "",
    permission="billing:write",
    upload=(XML, TEXT_XML, CSV),
    out=BankStatementOut,
    status=201,
    answers={200: BankStatementOut},
    errors=(Conflict,),
)
def import_bank_statement(upload: Upload) -> ApiResponse:
    """Import a bank statement; 200 for a file that was imported before"""
    statement_id, is_new = service.import_statement(
        upload.content, is_xml=upload.content_type != CSV
    )
    body = BankStatementOut().dump(STATEMENTS.get(statement_id))
    headers = {"Location": f"/api/bank-statements/{statement_id}"} if is_new else {}
    return ApiResponse(201 if is_new else 200, body, headers)
