"""What a chart shows, in words: the text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crmlib.report.formats import format_value

#: Values named one by one; of longer series the ends and the extremes are named.
SPOKEN = 14


def series(kind: str, title: str, names: Sequence[str], values: np.ndarray, form: str) -> str:
    """Say the values of a series."""
    begin = f"{kind}. {title}." if title else f"{kind}:"
    known = np.flatnonzero(np.isfinite(values)).tolist()
    if not known:
        return f"{begin} No values."
    if len(known) > SPOKEN:
        lowest, highest = known[int(np.argmin(values[known]))], known[int(np.argmax(values[known]))]
        said = {"first": known[0], "lowest": lowest, "highest": highest, "last": known[-1]}
        parts = [f"{word} {names[place]}: {format_value(values[place], form)}" for word, place in said.items()]
        return f"{begin} {len(known)} values; " + "; ".join(parts) + "."
    return f"{begin} " + "; ".join(f"{names[place]}: {format_value(values[place], form)}" for place in known) + "."


def spread(title: str, values: np.ndarray, counts: np.ndarray, threshold: float | None, form: str) -> str:
    """Say how values spread: their number, quartiles and the share above a threshold."""
    total = counts.sum()
    if not total:
        return f"Histogram. {title}. No values."
    order = np.argsort(values)
    below = np.cumsum(counts[order]) / total
    quartiles = [values[order][np.searchsorted(below, part)] for part in (0.25, 0.5, 0.75)]
    lower, median, upper = (format_value(value, form) for value in quartiles)
    said = f"Histogram. {title}. {total:,.0f} values, median {median}, the middle half "
    said += f"between {lower} and {upper}."
    if threshold is None:
        return said
    share = format_value(counts[values >= threshold].sum() / total, "0.0%")
    return f"{said} {share} lie at or above {format_value(threshold, form)}."


def grid(title: str, down: Sequence[str], across: Sequence[str], values: np.ndarray, form: str) -> str:
    """Say where a grid is lowest and highest."""
    size = f"Grid of {len(down)} rows by {len(across)} columns."
    if not np.isfinite(values).any():
        return f"{size} {title}. No values."
    places = {"lowest": np.nanargmin(values), "highest": np.nanargmax(values)}
    said = []
    for word, flat in places.items():
        row, column = divmod(int(flat), len(across))
        said.append(f"{word} {down[row]}, {across[column]}: {format_value(values[row, column], form)}")
    return f"{size} {title}. " + "; ".join(said) + "."
