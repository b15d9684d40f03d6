"""Which invoices a bank's credit may be for: proposals, ranked (rulings.md, *Bank statements*).

However many entries, two statements find the candidates.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import String, any_, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from models.billing import Invoice
from models.db.queries import CompiledQuery, Row, bound

MAX_PROPOSALS = 5
# The open invoices that are compared by amount and name: those that are due first.
MAX_CANDIDATES = 2_000
# A shorter number stands in texts by chance: "12" is in every date.
MIN_NUMBER = 4
MAX_NUMBER = 32
_PARTS_OF_NUMBER = 5
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
# What is in a firm's name by its form, and tells nobody apart.
_LEGAL_FORMS = frozenset(
    (
        "ag", "and", "bv", "co", "company", "corp", "corporation", "eg", "ek", "ev", "gbr", "gmbh",
        "inc", "kg", "limited", "llc", "llp", "ltd", "mbh", "nv", "ohg", "oy", "plc", "sa", "sarl",
        "sas", "spa", "srl", "the", "ug", "und",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """An invoice that money may be for; `name` is the buyer's, as words that tell it apart."""

    id: UUID
    number: str
    key: str
    currency: str
    open: Decimal
    due_date: dt.date
    client: tuple[UUID | None, UUID | None]
    name: frozenset[str]
    is_open: bool

    @classmethod
    def of(cls, row: Row) -> Candidate:
        return cls(
            row["id"], row["number"], "".join(_tokens(row["number"])), row["currency"],
            row["open"], row["due_date"], (row["client_company_id"], row["contact_id"]),
            frozenset(_words(row["name"] or "")), row["status"] == "open",
        )  # fmt: skip


def add_proposals(entries: Sequence[Row]) -> None:
    """Give each entry its `proposals`, the best first; only pending credits have any."""
    waiting = [entry for entry in entries if entry["status"] == "pending"]
    candidates = _candidates(waiting)
    for entry in entries:
        pending = entry["status"] == "pending"
        entry["proposals"] = proposals(entry, candidates) if pending else []


def proposals(entry: Row, candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    """What the entry may settle: by number, exact open amount and client's name, in this order
    of weight; among equals what is due first. Several numbers of one client go together."""
    written = set(_numbers(entry["remittance"]))
    payer = set(_words(entry["counterparty"] or ""))
    ranked = []
    for each in candidates:
        if each.currency != entry["currency"]:
            continue
        by_number = len(each.key) >= MIN_NUMBER and each.key in written
        by_amount = each.is_open and each.open == entry["amount"]
        by_name = each.is_open and bool(each.name) and each.name <= payer
        weight = 4 * by_number + 2 * by_amount + by_name
        if weight:
            ranked.append((-weight, each.due_date, each.number, each))
    ranked.sort(key=lambda found: found[:3])
    named = [each for weight, *_, each in ranked if weight <= -4]
    found = [_proposal(entry, [each], _reasons(-weight)) for weight, *_, each in ranked]
    together = _together(entry, named)
    if together is not None:
        found.insert(0, together)
    return found[:MAX_PROPOSALS]


def _together(entry: Row, named: Sequence[Candidate]) -> dict[str, Any] | None:
    """One transfer for several invoices: where the numbers of one client's are in it, and none
    of them alone is what was paid."""
    of_one = len(named) > 1 and len({each.client for each in named}) == 1
    if not of_one or any(each.open == entry["amount"] for each in named):
        return None
    in_full = sum((each.open for each in named), Decimal(0)) == entry["amount"]
    due_first = sorted(named, key=lambda each: (each.due_date, each.number))
    return _proposal(entry, due_first, ["number", "amount"] if in_full else ["number"])


def _proposal(entry: Row, invoices: Sequence[Candidate], reasons: Sequence[str]) -> dict[str, Any]:
    left = entry["amount"]
    allocations = []
    for each in invoices:
        part = min(left, each.open)
        if part > 0:
            allocations.append({"invoice_id": each.id, "number": each.number, "amount": part})
            left -= part
    return {"allocations": allocations, "reasons": list(reasons), "rest": left}


def _reasons(weight: int) -> list[str]:
    names = {"number": 4, "amount": 2, "client_name": 1}
    return [name for name, bit in names.items() if weight & bit]


_OPEN = Invoice.total - Invoice.paid - Invoice.credited
_COLUMNS = select(
    Invoice.id, Invoice.number, Invoice.currency, Invoice.due_date, Invoice.status,
    Invoice.client_company_id, Invoice.contact_id, _OPEN.label("open"),
    Invoice.buyer["name"].astext.label("name"),
)  # fmt: skip
# Of invoices that were given up those are found whose number somebody wrote.
_BY_NUMBER = CompiledQuery.of(
    _COLUMNS.where(
        Invoice.number == any_(bound("numbers", ARRAY(String()))),
        or_(Invoice.status == "open", Invoice.status == "uncollectible"),
    )
)
_OPEN_ONES = CompiledQuery.of(
    _COLUMNS.where(
        Invoice.status == "open", Invoice.currency == any_(bound("currencies", ARRAY(String())))
    )
    .order_by(Invoice.due_date, Invoice.id)
    .limit(MAX_CANDIDATES)
)


def _candidates(entries: Sequence[Row]) -> list[Candidate]:
    """The invoices that the entries may be for, each once."""
    if not entries:
        return []
    numbers = sorted({text for entry in entries for text in _as_written(entry["remittance"])})
    currencies = sorted({entry["currency"] for entry in entries})
    rows = [*_BY_NUMBER.all(numbers=numbers), *_OPEN_ONES.all(currencies=currencies)]
    return [Candidate.of(row) for row in {row["id"]: row for row in rows}.values()]


def _numbers(text: str) -> Iterator[str]:
    """What may be a number in the text: some words on end, without what stands between them."""
    words = _tokens(text)
    for first in range(len(words)):
        for last in range(first + 1, min(first + _PARTS_OF_NUMBER, len(words)) + 1):
            joined = "".join(words[first:last])
            if MIN_NUMBER <= len(joined) <= MAX_NUMBER:
                yield joined


def _as_written(text: str) -> Iterator[str]:
    """The same with what stands between the words, as a number in the database has it."""
    spans = [found.span() for found in _TOKEN.finditer(text)]
    for first in range(len(spans)):
        for last in range(first, min(first + _PARTS_OF_NUMBER, len(spans))):
            written = text[spans[first][0] : spans[last][1]]
            digits = any(character.isdigit() for character in written)
            if digits and MIN_NUMBER <= len(written) <= MAX_NUMBER:
                yield written


def _tokens(text: str) -> list[str]:
    return [token.upper() for token in _TOKEN.findall(text)]


def _words(name: str) -> Iterator[str]:
    """The words of a name that tell it apart, without accents, letter case and legal form."""
    for word in re.findall(r"\w+", _spelled_out(name.casefold())):
        plain = "".join(
            c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c)
        )
        if len(plain) > 1 and plain not in _LEGAL_FORMS:
            yield plain


def _spelled_out(text: str) -> str:
    """Letters that banks write as two: many know ASCII alone."""
    return text.translate(_TWO_LETTERS)


_TWO_LETTERS: Mapping[int, str] = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"}
)
