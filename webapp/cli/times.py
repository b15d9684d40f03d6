"""Times as people give them to commands: in `90d` or `12h`, or as a day or a moment."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import click

_SPAN = re.compile(r"(\d{1,4})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Span(click.ParamType):
    """A length of time: `90d`, `12h`, `30m`, or `0`."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta:
        if isinstance(value, dt.timedelta):
            return value
        found = _SPAN.fullmatch(str(value))
        if found:
            return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
        if str(value) != "0":
            self.fail("send days, hours or minutes, such as 90d, 12h or 30m", param, ctx)
        return dt.timedelta(0)


class Moment(click.ParamType):
    """A time: a span from now, a day (until it ends, in UTC), or a moment with its offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        text = str(value)
        if _SPAN.fullmatch(text):
            return dt.datetime.now(dt.UTC) + SPAN.convert(text, param, ctx)
        try:
            moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
            if len(text) == len("2027-03-31"):
                return moment.replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
        except (ValueError, OverflowError):
            self.fail("send a span such as 90d, a day such as 2027-03-31, or a time", param, ctx)
        if moment.tzinfo is None:
            self.fail("say the offset too, such as 2027-03-31T12:00Z", param, ctx)
        return moment


SPAN, MOMENT = Span(), Moment()
