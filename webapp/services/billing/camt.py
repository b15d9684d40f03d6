"""CAMT.053, the bank-to-customer statement of ISO 20022, versions .001.02 and .001.08.

Read by expat itself, without a document type: entities, and with them files and addresses that an
XML file could make its reader fetch, cannot even be declared.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from webapp.services.billing.bank_files import (
    MAX_ENTRIES,
    MAX_REMITTANCE,
    FileErrors,
    Movement,
    checked_amount,
    own_reference,
    refuse,
)

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
VERSIONS = ("02", "08")
MAX_DEPTH = 40  # the deepest path of the schema has less than 20
_SEPARATOR = "\n"  # in no name
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_camt(content: bytes) -> list[Movement]:
    """The booked movements of all statements in the file, in its order.

    A collective booking becomes its single transactions where their amounts add up to it. Raises
    Invalid naming `file`, or the entry and its element.
    """
    root = _parsed(content)
    errors = FileErrors()
    movements: list[Movement] = []
    n = 0
    for statement in root.iterfind("BkToCstmrStmt/Stmt"):
        account = _text(statement, "Acct/Id/IBAN", "Acct/Id/Othr/Id")
        for entry in statement.iterfind("Ntry"):
            if _text(entry, "Sts/Cd", "Sts") in (None, "BOOK"):
                movements += _of_entry(entry, account, f"entries.{n}", errors)
            n += 1
            if len(movements) > MAX_ENTRIES:
                raise refuse(f"A file holds at most {MAX_ENTRIES} entries.")
    errors.demand_none()
    return movements


def _parsed(content: bytes) -> Element:
    """The document's tree, its names without their namespace. Raises Invalid."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    depth = 0
    root = ""

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, root
        root = root or name
        depth += 1
        if depth > MAX_DEPTH:
            raise refuse("This is not a CAMT.053 file: it is nested too deep.")
        builder.start(name.rpartition(_SEPARATOR)[2], _attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(_SEPARATOR)[2])

    def no_document_type(*_: object) -> None:
        raise refuse("A document type and entities are not accepted.")

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = no_document_type
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise refuse("This is not well-formed XML.") from error
    tree = builder.close()
    if root not in [f"{NAMESPACE}{version}{_SEPARATOR}Document" for version in VERSIONS]:
        raise refuse("Send a CAMT.053 file of version camt.053.001.02 or camt.053.001.08.")
    return tree


def _of_entry(
    entry: Element, account: str | None, where: str, errors: FileErrors
) -> Iterator[Movement]:
    """The movements of one booking: its transactions where they add up, itself otherwise."""
    direction = {"CRDT": "credit", "DBIT": "debit"}.get(_text(entry, "CdtDbtInd") or "")
    day = _day(_text(entry, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"))
    amount, currency = _amount(entry.find("Amt"))
    if direction is None:
        errors.add(f"{where}.CdtDbtInd", "This is CRDT or DBIT.")
    if day is None:
        errors.add(f"{where}.BookgDt", "This is not a day.")
    if amount is None or currency is None:
        errors.add(f"{where}.Amt", "This is not an amount with its currency.")
    elif wrong := checked_amount(amount):
        if amount == 0:  # banks tell of interest and fees of nothing
            return
        errors.add(f"{where}.Amt", wrong)
    if direction is None or day is None or amount is None or currency is None:
        return
    transactions = entry.findall("NtryDtls/TxDtls")
    parts = [_amount(_amount_of(one)) for one in transactions]
    split = len(parts) > 1 and _adds_up(parts, amount, currency)
    reference = own_reference(_text(entry, "AcctSvcrRef"))
    for n, one in enumerate(transactions if split else transactions[:1] or [entry]):
        part = parts[n][0] if split else amount
        assert part is not None
        own = own_reference(_text(one, "Refs/AcctSvcrRef"))
        if split:
            # A collective booking has one reference, its transactions perhaps none of their own.
            named = own if own and own != reference else reference and f"{reference}/{n + 1}"
        else:
            named = reference or own
        payer = "Dbtr" if direction == "credit" else "Cdtr"
        yield Movement(
            direction=direction,
            amount=part,
            currency=currency,
            booked_on=day,
            account=_cut(account, 64),
            counterparty=_cut(_name(one, payer), 255),
            counterparty_account=_cut(
                _text(
                    one, f"RltdPties/{payer}Acct/Id/IBAN", f"RltdPties/{payer}Acct/Id/Othr/Id"
                ),
                64,
            ),
            remittance=_remittance(one, entry),
            bank_reference=_cut(named, 255),
        )  # fmt: skip


def _amount_of(transaction: Element) -> Element | None:
    found = transaction.find("Amt")
    return found if found is not None else transaction.find("AmtDtls/TxAmt/Amt")


def _adds_up(
    parts: list[tuple[Decimal | None, str | None]], amount: Decimal, currency: str
) -> bool:
    """Whether the transactions are what was booked, each in an amount that can be kept."""
    known = [part for part, code in parts if part is not None and code == currency]
    return (
        len(known) == len(parts)
        and sum(known) == amount
        and not any(checked_amount(part) for part in known)
    )


def _name(transaction: Element, payer: str) -> str | None:
    party = f"RltdPties/{payer}"
    ultimate = f"RltdPties/Ultmt{payer}"
    return _text(
        transaction, f"{party}/Pty/Nm", f"{party}/Nm", f"{ultimate}/Pty/Nm", f"{ultimate}/Nm"
    )


def _remittance(transaction: Element, entry: Element) -> str:
    """All that says what the money is for, in the order in which people look for it."""
    paths = (
        "RmtInf/Ustrd", "RmtInf/Strd/RfrdDocInf/Nb", "RmtInf/Strd/CdtrRefInf/Ref",
        "RmtInf/Strd/AddtlRmtInf", "Refs/EndToEndId", "AddtlTxInf",
    )  # fmt: skip
    said = [_plain(found.text) for path in paths for found in transaction.iterfind(path)]
    if transaction is not entry:
        said.append(_plain(entry.findtext("AddtlNtryInf")))
    told = dict.fromkeys(text for text in said if text and own_reference(text))
    return "\n".join(told)[:MAX_REMITTANCE]


def _amount(found: Element | None) -> tuple[Decimal | None, str | None]:
    """An amount and its currency; None for what is not one."""
    if found is None:
        return None, None
    text = _plain(found.text)
    code = found.get("Ccy", "")
    try:
        value = Decimal(text) if re.fullmatch(r"\d{1,13}(\.\d{0,5})?", text) else None
    except InvalidOperation:
        value = None
    return value, code if _CURRENCY.fullmatch(code) else None


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _text(element: Element, *paths: str) -> str | None:
    """The first text there is at one of the paths."""
    for path in paths:
        if text := _plain(element.findtext(path)):
            return text
    return None


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _cut(text: str | None, most: int) -> str | None:
    return text[:most] if text else None
