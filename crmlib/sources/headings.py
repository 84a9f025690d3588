"""Headings: what the columns of a file are called, each in its own way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def name_columns(cells: Sequence[str]) -> list[str]:
    """Names of columns from the cells of a heading: one that stands twice gets a number, an empty one its place."""
    unique: list[str] = []
    times: Counter[str] = Counter()
    for index, cell in enumerate(cells, start=1):
        plain = cell.strip() or f"column_{index}"
        # the engine takes Email and email for one name
        times[plain.casefold()] += 1
        unique.append(plain if times[plain.casefold()] == 1 else f"{plain}_{times[plain.casefold()]}")
    return unique
