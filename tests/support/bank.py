"""Bank statements as banks write them, and as a firm imports them."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from tests.support.tenants import Answer, Api

STATEMENTS = "/api/bank-statements"
ACCOUNT = "DE89370400440532013000"


def transaction(
    name: str = "JUNIPER LTD", purpose: str = "", *, amount: str = "", version: str = "02",
    reference: str = "", payer: str = "Dbtr", more: str = "",
) -> str:  # fmt: skip
    """A `TxDtls` of CAMT.053."""
    party = f"<Pty><Nm>{escape(name)}</Nm></Pty>" if version == "08" else f"<Nm>{escape(name)}</Nm>"
    refs = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    paid = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs>{refs}<EndToEndId>NOTPROVIDED</EndToEndId></Refs>{paid}"
        f"<RltdPties><{payer}>{party}</{payer}>"
        f"<{payer}Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></{payer}Acct></RltdPties>"
        f"<RmtInf>{''.join(f'<Ustrd>{escape(line)}</Ustrd>' for line in purpose.split('|'))}"
        f"{more}</RmtInf></TxDtls>"
    )


def booking(
    amount: str, *transactions: str, reference: str = "", direction: str = "CRDT",
    status: str = "BOOK", version: str = "02", currency: str = "EUR", day: str = "2026-03-02",
) -> str:  # fmt: skip
    """An `Ntry` of CAMT.053."""
    state = f"<Cd>{status}</Cd>" if version == "08" else status
    known = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
        f"<Sts>{state}</Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>{known}"
        f"<NtryDtls>{''.join(transactions)}</NtryDtls></Ntry>"
    )


def camt(*bookings: str, version: str = "02", prolog: str = "", number: str = "1") -> str:
    """A CAMT.053 file with one statement."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        "<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId><CreDtTm>2026-03-03T06:00:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>{number}</Id><CreDtTm>2026-03-03T06:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{ACCOUNT}</IBAN></Id></Acct>{''.join(bookings)}</Stmt>"
        "</BkToCstmrStmt></Document>"
    )


def send_file(api: Api, content: str | bytes, kind: str = "application/xml") -> Answer:
    """Import a file."""
    data = content.encode() if isinstance(content, str) else content
    return api.post(STATEMENTS, data, Content_Type=kind)


def imported(api: Api, content: str | bytes, kind: str = "application/xml") -> dict[str, Any]:
    """The statement that a file is imported as."""
    answer = send_file(api, content, kind)
    assert answer.status in (200, 201), answer.text
    made: dict[str, Any] = answer.json
    return made


def entries(api: Api, statement: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    """The statement's entries in the order of the file."""
    answer = api.get(f"{STATEMENTS}/{statement['id']}/entries?sort=created_at{query}")
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found
