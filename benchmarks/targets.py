"""What a figure has to reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A measured figure and its bound; `unit` is empty for a ratio, `note` says how it spreads."""

    name: str
    figure: float
    bound: float
    at_least: bool = True
    unit: str = ""
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of the bound, or on it."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    @property
    def outcome(self) -> str:
        return "reached" if self.reached else "missed"

    @property
    def wanted(self) -> str:
        """The bound in words: `at least 0.3`."""
        limit = f"{self.bound:,g}{self._unit}"
        return f"at least {limit}" if self.at_least else f"at most {limit}"

    @property
    def found(self) -> str:
        """The figure as text, with two decimals where it is small."""
        digits = 2 if self.figure < 100 else 0
        return f"{self.figure:,.{digits}f}{self._unit}"

    @property
    def line(self) -> str:
        """The one line that the run ends with."""
        note = f"; {self.note}" if self.note else ""
        return f"{self.outcome:<8} {self.name:<58} {self.found:>10}  ({self.wanted}{note})"

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""
