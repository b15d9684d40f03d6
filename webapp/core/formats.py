"""How amounts, days and times look to people, on pages and in mails."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, g
from markupsafe import Markup

from webapp.services.common.markdown import to_html

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


def money(amount: Any, currency: str) -> str:
    """`€4,800.00`, or `4,800.00 CHF` where the currency's sign is not known everywhere."""
    try:
        figure = f"{Decimal(str(amount)):,.2f}"
    except InvalidOperation:
        figure = str(amount)
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{figure}" if symbol else f"{figure} {currency}"


def day(value: dt.date | dt.datetime | str | None, timezone: str | None = None) -> str:
    """`8 April 2026`, in the organization's time zone."""
    if value is None:
        return ""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        value = value.astimezone(_zone(timezone))
    return f"{value.day} {value:%B %Y}"


def moment(value: dt.datetime | str | None, timezone: str | None = None) -> str:
    """`8 April 2026, 17:30 CEST`, in the organization's time zone.

    A zone without letters of its own is named by its distance from UTC, such as `UTC+14`.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    local = value.astimezone(_zone(timezone))
    name = local.tzname() or "UTC"
    named = name if name[0].isalpha() else f"UTC{name}"
    return f"{day(local, timezone)}, {local:%H:%M} {named}"


def markdown(text: str) -> Markup:
    """Markdown that somebody wrote, as HTML that is safe to show (rulings.md, *Text*)."""
    return Markup(to_html(text))  # noqa: S704 - it is sanitised


def _zone(timezone: str | None) -> ZoneInfo:
    if timezone is None:
        timezone = g.get("timezone")
    return ZoneInfo(timezone or "UTC")


def init_formats(app: Flask) -> None:
    app.add_template_filter(money)
    app.add_template_filter(day)
    app.add_template_filter(moment)
    app.add_template_filter(markdown)
