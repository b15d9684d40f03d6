"""Amounts in a currency's smallest unit, as Stripe counts them.

Source: Stripe's documentation, *Supported currencies* (zero-decimal, three-decimal, special cases).
"""

from __future__ import annotations

from decimal import Decimal

from webapp.services.common.exceptions import Conflict

ZERO_DECIMAL = frozenset(
    (
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
        "XOF", "XPF",
    )
)  # fmt: skip
THREE_DECIMAL = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
# Counted in hundredths for the sake of old programs, though there are none.
WHOLE_ONLY = frozenset(("ISK",))
# Stripe's pages name it both ways; a factor of a hundred is nothing to guess.
REFUSED = frozenset(("UGX",))


def to_minor(amount: Decimal, currency: str) -> int:
    """The amount in smallest units. Raises Conflict for one that Stripe cannot take."""
    if currency in REFUSED:
        raise Conflict(f"{currency} cannot be paid online.")
    minor = amount * _units(currency)
    if minor != int(minor) or (currency in WHOLE_ONLY and minor % 100):
        raise Conflict(f"{amount} {currency} cannot be paid online: it takes whole {currency}.")
    return int(minor)


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount of so many smallest units; what is below our two decimals is left out."""
    return (Decimal(minor) / _units(currency)).quantize(Decimal("0.01"), rounding="ROUND_DOWN")


def _units(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 1
    return 1000 if currency in THREE_DECIMAL else 100
