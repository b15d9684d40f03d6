"""Taxes on the wire: a category and a rate, which go together."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, validate

from models.billing import TAX_CATEGORIES
from webapp.schemas.common import DecimalText, PlainText


class TaxRate(DecimalText):
    """A rate of tax in percent, with at most two decimals, at most 100."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(digits=3, places=2, shown="19.00", **kwargs)
        self.validators.append(validate.Range(max=Decimal(100), error="At most 100 percent."))


class TaxCategory(PlainText):
    """How a line is taxed (EN 16931, *VAT category code*)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(TAX_CATEGORIES), **kwargs)


def check_tax(data: Mapping[str, Any], category: str, rate: str) -> None:
    """Raise when category and rate do not fit each other, or one is given without the other."""
    if (category in data) != (rate in data):
        missing = rate if category in data else category
        raise ValidationError({missing: ["Give the category and the rate of the tax together."]})
    if category in data and (data[category] in ("standard", "reduced")) != (data[rate] > 0):
        wanted = "a rate above 0" if data[rate] == 0 else "the rate 0.00"
        raise ValidationError({rate: [f"The category {data[category]} has {wanted}."]})
