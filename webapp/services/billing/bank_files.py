"""Bank statements as files: CAMT.053 in `camt`, CSV here; both are read into movements.

What a movement is called, and which one it is, follows from its content alone, so that files that
overlap name it alike (rulings.md, *Bank statements*).
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from models.db.base import MAX_MONEY
from webapp.services.common.exceptions import Invalid

MAX_ENTRIES = 5_000
MAX_ERRORS = 20
MAX_REMITTANCE = 2_000
CSV_COLUMNS = ("date", "amount", "currency", "name", "iban", "purpose", "reference", "account")
_NEEDED = {"date", "amount"}
# What banks write where there is no reference.
_NO_REFERENCE = {"", "NONREF", "NOTPROVIDED", "NOREF"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_PLAIN = re.compile(r"(\d{1,13})(?:[.,](\d{1,2}))?", re.ASCII)
_GROUPED = re.compile(
    r"(\d{1,3}([.,' \u2019\u00a0\u202f])\d{3}(?:\2\d{3}){0,3})(?:([.,])(\d{1,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement on an account; `amount` is above zero, `direction` credit or debit.

    `bank_reference` is the bank's own, and unique on the account; None where it gives none.
    """

    direction: str
    amount: Decimal
    currency: str
    booked_on: dt.date
    account: str | None
    counterparty: str | None
    counterparty_account: str | None
    remittance: str
    bank_reference: str | None


class FileErrors:
    """What is wrong with a file, by place; at most so many are told."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, where: str, message: str) -> None:
        if len(self.found) < MAX_ERRORS:
            self.found.setdefault(where, []).append(message)

    def demand_none(self) -> None:
        """Raises Invalid naming the places."""
        if self.found:
            raise Invalid(self.found)


def refuse(message: str) -> Invalid:
    """The file as a whole cannot be taken."""
    return Invalid({"file": [message]})


def tell_apart(movements: Iterable[Movement]) -> list[tuple[str, Movement]]:
    """Each movement with its digest, without those that the file tells twice.

    With a reference of the bank's own a movement is that reference on its account, with its day
    and amount. Without one it is its whole content, and the second of two alike is another one.
    """
    alike: Counter[tuple[str, ...]] = Counter()
    found: dict[str, Movement] = {}
    for movement in movements:
        what: tuple[str, ...] = (
            movement.account or "",
            movement.direction,
            f"{movement.amount:.2f}",
            movement.currency,
            movement.booked_on.isoformat(),
        )
        if movement.bank_reference is not None:
            what += ("reference", movement.bank_reference)
        else:
            payer = (movement.counterparty or "", movement.counterparty_account or "")
            what += ("content", *payer, movement.remittance)
            alike[what] += 1
            what += (str(alike[what]),)
        found.setdefault(hashlib.sha256("\x1f".join(what).encode()).hexdigest(), movement)
    return list(found.items())


def own_reference(text: str | None) -> str | None:
    """A reference as the bank gives it; None for a word that says there is none."""
    given = (text or "").strip()
    return None if given.upper() in _NO_REFERENCE else given[:255]


def checked_amount(value: Decimal) -> str | None:
    """What is wrong with the amount of a movement; None if nothing is."""
    if not 0 < value <= MAX_MONEY:
        return "This must be more than zero, and at most 9999999999.99."
    if value != value.quantize(Decimal("0.01")):
        return "Amounts have two decimals here."
    return None


def read_csv(content: bytes, *, currency: str) -> list[Movement]:
    """The movements of a CSV file with the columns `CSV_COLUMNS` (how-to/get-paid.md).

    `currency` is that of rows which name none. Raises Invalid naming the line and the column.
    """
    text = _decoded(content)
    header, _, _ = text.partition("\n")
    delimiter = ";" if header.count(";") > header.count(",") else ","
    errors = FileErrors()
    movements: list[Movement] = []
    try:
        # Line ends inside quotes belong to their field, so the reader itself finds the lines.
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [name.strip().lower() for name in next(rows, [])]
        _check_columns(names)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(movements) >= MAX_ENTRIES:
                raise refuse(f"A file holds at most {MAX_ENTRIES} entries.")
            where = f"lines.{rows.line_num}"
            if len(row) != len(names):
                errors.add(where, f"There are {len(row)} fields, but {len(names)} columns.")
                continue
            cells = dict(zip(names, (cell.strip() for cell in row), strict=True))
            movement = _movement(cells, currency, where, errors)
            if movement is not None:
                movements.append(movement)
    except csv.Error as error:
        raise refuse(f"This is not a CSV file: {error}.") from error
    errors.demand_none()
    return movements


def _decoded(content: bytes) -> str:
    """The text; a file that is not UTF-8 is taken for what spreadsheets in the West write."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise refuse("This is not a CSV file: it has NUL characters.")
    return text


def _check_columns(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in CSV_COLUMNS]
    twice = [name for name, count in Counter(names).items() if count > 1]
    missing = sorted(_NEEDED - set(names))
    if missing:
        raise refuse(f"The first line must name the columns {' and '.join(missing)}.")
    if unknown or twice:
        known = ", ".join(CSV_COLUMNS)
        raise refuse(f"Each column is one of {known}, once; not {(unknown or twice)[0][:64]!r}.")


def _movement(
    cells: dict[str, str], currency: str, where: str, errors: FileErrors
) -> Movement | None:
    day, amount = _day(cells["date"]), _signed(cells["amount"])
    code = cells.get("currency") or currency
    if day is None:
        errors.add(f"{where}.date", "Write a day such as 2026-03-31 or 31.03.2026.")
    if amount is None:
        errors.add(f"{where}.amount", "Write an amount such as -1250.00 or 1.250,00.")
    elif wrong := checked_amount(abs(amount)):
        errors.add(f"{where}.amount", wrong)
    if not _CURRENCY.fullmatch(code):
        errors.add(f"{where}.currency", "Write a currency code such as EUR.")
    for name, most in (("name", 255), ("iban", 64), ("account", 64), ("purpose", MAX_REMITTANCE)):
        if len(cells.get(name, "")) > most:
            errors.add(f"{where}.{name}", f"This is longer than {most} characters.")
    if day is None or amount is None:
        return None
    return Movement(
        direction="credit" if amount > 0 else "debit",
        amount=abs(amount),
        currency=code,
        booked_on=day,
        account=cells.get("account") or None,
        counterparty=cells.get("name") or None,
        counterparty_account=cells.get("iban") or None,
        remittance=cells.get("purpose", ""),
        bank_reference=own_reference(cells.get("reference")),
    )


def _day(text: str) -> dt.date | None:
    for form, pattern in (("%Y-%m-%d", r"\d{4}-\d\d-\d\d"), ("%d.%m.%Y", r"\d\d?\.\d\d?\.\d{4}")):
        if re.fullmatch(pattern, text):
            try:
                return dt.datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
            except ValueError:
                return None
    return None


def _signed(text: str) -> Decimal | None:
    """The amount, with a point or a comma before its decimals; None for what is no amount.

    Three digits behind the only mark may be thousands or a slip, so nobody guesses: None.
    """
    sign = -1 if text.startswith(("-", "\u2212")) else 1
    digits = text.removeprefix("+").removeprefix("-").removeprefix("\u2212").strip()
    if found := _PLAIN.fullmatch(digits):
        whole, decimals = found[1], found[2]
    elif found := _GROUPED.fullmatch(digits):
        whole, group, mark, decimals = found[1], found[2], found[3], found[4]
        if mark == group or (mark is None and group in ".," and whole.count(group) == 1):
            return None
        whole = "".join(character for character in whole if character.isdigit())
    else:
        return None
    return sign * Decimal(f"{whole}.{decimals or '0'}")
