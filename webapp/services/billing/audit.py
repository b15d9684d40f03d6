"""What must always be true of the money, looked up in the database itself (rulings.md, *Audit*).

Services keep it so, and constraints much of it; this finds what neither could: a defect, or a hand
in the database. Nothing is repaired: which of two sums is wrong only people can say.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from models.billing import Invoice, InvoiceSchedule, Order
from models.db.queries import CompiledQuery
from webapp.services.billing.plans import MONTHS, Plan
from webapp.services.identity.organization import organization

LIMIT = 100  # of each kind


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that should never be: what kind, of which record, and how it shows."""

    kind: str
    entity_type: str
    entity_id: UUID | None
    detail: str


def audit_money() -> list[Fault]:
    """All faults of the organization's money, at most `LIMIT` of each kind, in a settled order."""
    return [*_sums(), *_orders(), *_numbers()]


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum that a record states, and the rows that it must come to."""

    kind: str
    entity_type: str
    words: str
    query: CompiledQuery


def _sum(kind: str, table: str, stated: str, parts: str, words: str) -> _Sum:
    """The records of `table` whose column is not what `parts`, SQL about the record `t`, is."""
    # Not `found`: a read in one statement calls so whether there is a row (models/db/queries.py).
    entity = table.removesuffix("s")
    query = CompiledQuery.of_sql(
        f"SELECT t.id, t.{stated} AS stated, p.actual FROM {table} t"  # noqa: S608 - our own text
        f" CROSS JOIN LATERAL (SELECT coalesce(({parts}), 0) AS actual) p"
        f" WHERE t.{stated} <> p.actual ORDER BY t.id LIMIT {LIMIT}"
    )
    return _Sum(kind, entity, words, query)


def _of(table: str, amount: str, key: str) -> str:
    return (
        f"SELECT sum(c.{amount}) FROM {table} c"  # noqa: S608 - our own text
        f" WHERE c.organization_id = t.organization_id AND c.{key} = t.id"
    )


_SUMS = (
    _sum("invoice_lines", "invoices", "subtotal", _of("invoice_lines", "total", "invoice_id"),
         "The invoice's net sum is {stated}, and its lines come to {found}."),
    _sum("invoice_tax", "invoices", "tax",
         "SELECT CASE WHEN t.number IS NULL THEN t.tax ELSE"
         " (SELECT sum((g->>'tax')::numeric) FROM jsonb_array_elements(t.tax_groups) g) END",
         "The invoice's tax is {stated}, and its taxes come to {found}."),
    _sum("invoice_paid", "invoices", "paid", _of("payment_allocations", "amount", "invoice_id"),
         "The invoice is paid {stated}, and payments have settled {found} of it."),
    _sum("invoice_credited", "invoices", "credited", _of("credit_notes", "amount", "invoice_id"),
         "The invoice is credited {stated}, and its credit notes come to {found}."),
    _sum("payment_allocated", "payments", "allocated",
         _of("payment_allocations", "amount", "payment_id"),
         "The payment has settled {stated}, and its allocations come to {found}."),
    _sum("payment_refunded", "payments", "refunded", _of("refunds", "amount", "payment_id"),
         "The payment went back by {stated}, and its refunds come to {found}."),
    _sum("credit_note_lines", "credit_notes", "subtotal",
         _of("credit_note_lines", "total", "credit_note_id"),
         "The credit note's net sum is {stated}, and its lines come to {found}."),
    _sum("order_items", "orders", "total",
         "SELECT sum(c.total) - t.discount FROM order_items c"
         " WHERE c.organization_id = t.organization_id AND c.order_id = t.id",
         "The order's total is {stated}, and its items less the discount come to {found}."),
)  # fmt: skip


def _sums() -> Iterator[Fault]:
    for each in _SUMS:
        for row in each.query.all():
            detail = each.words.format(stated=row["stated"], found=f"{row['actual']:.2f}")
            yield Fault(each.kind, each.entity_type, row["id"], detail)


_INVOICED = (
    select(func.coalesce(func.sum(Invoice.subtotal), 0))
    .where(
        Invoice.organization_id == Order.organization_id,
        Invoice.order_id == Order.id,
        Invoice.status != "void",
    )
    .correlate(Order)
    .scalar_subquery()
)
_SCHEDULED = CompiledQuery.of(
    select(
        Order.id.label("order_id"),
        Order.currency,
        Order.total.label("sold"),
        _INVOICED.label("invoiced"),
        *(
            getattr(InvoiceSchedule, name)
            for name in (
                "kind", "name", "amount", "starts_on", "ends_on", "shares", "hours", "total",
                "next_period",
            )
        ),
    )
    .join(
        InvoiceSchedule,
        (InvoiceSchedule.organization_id == Order.organization_id)
        & (InvoiceSchedule.order_id == Order.id),
    )
    # One that somebody has ended is not meant to come to the whole.
    .where(InvoiceSchedule.ended_at.is_(None), Order.status != "cancelled")
    .order_by(Order.id)
)  # fmt: skip


def _orders() -> Iterator[Fault]:
    """Orders whose invoices, drafts included, and what is still to be drafted are another sum."""
    found = 0
    for row in _SCHEDULED.all():
        if row["kind"] in MONTHS and row["total"] is None:
            continue  # without an end there is no whole
        to_come = _to_come(row)
        if row["invoiced"] + to_come != row["sold"] and found < LIMIT:
            found += 1
            yield Fault(
                "order_billing",
                "order",
                row["order_id"],
                f"Of {row['sold']} {row['currency']} sold, {row['invoiced']:.2f} are invoiced and"
                f" {to_come:.2f} are still to be drafted.",
            )


def _to_come(row: Mapping[str, Any]) -> Decimal:
    names = ("kind", "name", "amount", "starts_on", "ends_on", "hours", "total")
    plan = Plan(**{name: row[name] for name in names}, shares=row["shares"] or ())
    following = row["next_period"]
    if following is None:
        return Decimal(0)
    return sum((part.amount for part in plan.parts() if part.on >= following), Decimal(0))


# The series of final documents, the table that spends their numbers, and what a number begins with.
_SERIES = {"invoice": ("invoices", ""), "credit_note": ("credit_notes", "CN-")}
_LAST = CompiledQuery.of_sql("SELECT series, last FROM number_series ORDER BY series")
# Money past its years may have been purged, and its numbers with it.
_SPENT = {
    series: CompiledQuery.of_sql(
        f"SELECT number, date_part('year', issued_on)::int AS year FROM {table}"  # noqa: S608
        " WHERE number IS NOT NULL AND issued_on >= (SELECT current_date"
        " - make_interval(years => o.financial_retention_years::int) FROM organizations o"
        f" WHERE o.id = {table}.organization_id)"
    )
    for series, (table, _) in _SERIES.items()
}


def _numbers() -> Iterator[Fault]:
    """Numbers that were given out and that no document has.

    Where the pattern was changed within a series, its numbers cannot be told apart: it is left out.
    """
    own = organization()
    pattern = own["invoice_number_pattern"]
    kept_since = dt.datetime.now(dt.UTC).year - own["financial_retention_years"]
    last = {row["series"]: row["last"] for row in _LAST.all()}
    for series, (_, prefix) in _SERIES.items():
        form = _form(f"{prefix}{pattern}"[:64])
        spent: dict[str, set[int]] = defaultdict(set)
        unknown: set[str] = set()
        for row in _SPENT[series].all():
            name = f"{series}:{row['year']}" if "{year}" in pattern else series
            found = form.fullmatch(row["number"])
            if found is None:
                unknown.add(name)
            else:
                spent[name].add(int(found["n"]))
        young = {name for name in last if _year_of(name, series) > kept_since}
        for name in sorted((spent.keys() | young) - unknown):
            # In an older series, what was before the first that is there may have been purged.
            first = 1 if name in young else min(spent[name])
            wanted = set(range(first, last.get(name, 0) + 1))
            missing = sorted(wanted - spent[name])
            if missing:
                shown = ", ".join(str(n) for n in missing[:10])
                more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
                yield Fault("number_gap", series, None, f"The series {name} lacks {shown}{more}.")


def _year_of(name: str, series: str) -> int:
    """The year of a series that begins anew each year; 0 for another one."""
    own, _, year = name.partition(":")
    return int(year) if own == series and year else 0


def _form(pattern: str) -> re.Pattern[str]:
    """What numbers by the pattern look like, with their `n`."""
    parts = re.split(r"(\{n(?::\d+)?\}|\{year\})", pattern)
    groups = {"{year}": r"\d{4}"}
    return re.compile(
        "".join(
            groups.get(part, r"(?P<n>\d+)") if part.startswith("{") else re.escape(part)
            for part in parts
        )
    )
