"""How a headline figure is written, and how it moved since the base run."""

from __future__ import annotations

from typing import NamedTuple

from crmlib.report.context import Headline
from crmlib.report.formats import MILLIONS, format_value

#: Moves smaller than this share (or this many hundredths of a point) are no change.
SMALLEST = 0.0005


#: What a change is called; the sign's direction alone does not say whether it is good.
CHANGE_WORDS = {"good": "better", "bad": "worse", "neutral": ""}


class Change(NamedTuple):
    """A headline's change against the base run: arrow and size, and whether it is good."""

    size: str
    tone: str

    @property
    def text(self) -> str:
        """Arrow, size and, where one way is good, the word for it."""
        word = CHANGE_WORDS[self.tone]
        return f"{self.size}, {word}" if word else self.size


def describe_change(headline: Headline) -> Change | None:
    """Say how a headline moved since the base run; None without a figure to compare with."""
    value, base = headline.value, headline.base_value
    if not isinstance(value, int | float) or not isinstance(base, int | float):
        return None
    difference = value - base
    size, moved = _size(abs(difference), base, headline.unit)
    if not moved:
        return Change("unchanged", "neutral")
    arrow = "▲" if difference > 0 else "▼"
    if headline.better not in {"up", "down"}:
        return Change(f"{arrow} {size}", "neutral")
    good = (difference > 0) == (headline.better == "up")
    return Change(f"{arrow} {size}", "good" if good else "bad")


def format_headline(headline: Headline) -> str:
    """Write a headline's figure; per cent and money with their sign."""
    value, unit = headline.value, headline.unit
    if isinstance(value, str) or value is None:
        return format_value(value)
    if unit == "%":
        return format_value(value, "0.0%")
    if _is_money(unit):
        return format_value(value, unit)
    return format_value(value)


def format_card(headline: Headline) -> str:
    """Write a headline's figure for a narrow card: from a million on, three digits of it."""
    value, unit = headline.value, headline.unit
    if isinstance(value, str) or value is None or unit == "%" or abs(value) < 1e6:
        return format_headline(headline)
    decimals = max(0, 3 - len(str(int(abs(value) / 1e6))))
    form = f"{unit}.{decimals}" if _is_money(unit) else f"{0:.{decimals}f}"
    return format_value(value, form + MILLIONS)


def name_unit(headline: Headline) -> str:
    """Name a headline's unit, where neither its figure nor its label does."""
    unit = headline.unit
    said = unit == "%" or _is_money(unit)
    return "" if said or unit.casefold() in headline.label.casefold() else unit


def _is_money(unit: str) -> bool:
    return len(unit) == 3 and unit.isupper()


def _size(difference: float, base: float, unit: str) -> tuple[str, bool]:
    if unit == "%":
        return format_value(difference * 100, "0.0") + " points", difference >= SMALLEST
    if not base:
        return format_value(difference), difference != 0
    return format_value(difference / abs(base), "0.0%"), difference / abs(base) >= SMALLEST
