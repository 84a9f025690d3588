"""Intervals: an estimate and how far it may be off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from crmlib.report import theme
from crmlib.report.charts import marks
from crmlib.report.charts.drawing import Figure, draw_figure
from crmlib.report.formats import format_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Colours of what the interval says about the line it is compared with.
ABOVE, BELOW, UNDECIDED = theme.BLUE, theme.ORANGE, theme.GREY
MARKS = {ABOVE: "o", BELOW: "s", UNDECIDED: "D"}


def forest(
    frame: pd.DataFrame,
    label: str,
    value: str,
    low: str,
    high: str,
    *,
    title: str,
    x_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "+0.00",
    reference: float = 0.0,
    detectable: str = "",
) -> Figure:
    """Draw estimates with their intervals, one below the other, beside a line to compare them with.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per estimate, the first on top; a row without an estimate shows its name alone.
    label, value, low, high : str
        Columns of names, of estimates and of the ends of their intervals.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label : str
        What the estimates are, with units.
    reference : float
        An interval wholly above it has a round mark, one wholly below it a square one, any other a grey diamond.
    detectable : str
        A column of the smallest distances from `reference` that could have been shown; an upright stroke above it.
    """
    names = marks.texts(frame[label])
    values, lows, highs = (marks.numbers(frame[column], gaps=True) for column in (value, low, high))
    colours = [
        ABOVE if a > reference else BELOW if b < reference else UNDECIDED for a, b in zip(lows, highs, strict=True)
    ]

    least = marks.numbers(frame[detectable], gaps=True) if detectable else np.full(len(names), np.nan)

    def draw(axes: Axes, narrow: bool) -> None:
        rows = np.arange(len(names))
        for row in rows[np.isfinite(least)]:
            end = reference + least[row]
            axes.plot([end, end], [row - 0.3, row + 0.3], color=theme.INK, linewidth=1.1)
        for row, colour in zip(rows, colours, strict=True):
            axes.plot([lows[row], highs[row]], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot([values[row]], [row], color=colour, marker=MARKS[colour], markersize=6.5)
        axes.axvline(reference, color=theme.RULE, linewidth=0.9)
        ends = np.concatenate([lows, highs, reference + least, [reference]])
        marks.names_down(axes, names, narrow, ends[np.isfinite(ends)], reference)
        marks.value_axis(axes.xaxis, form, 4 if narrow else 6)
        axes.margins(x=0.06)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(x_label)

    return draw_figure(
        draw,
        title=title,
        alt=alt or _say(title, names, {"value": values, "low": lows, "high": highs}, form, least),
        note=note,
        height=marks.height(len(names), 25, x_label, None) + 22,
        narrow_height=marks.height(len(names), 44, x_label, None) + 22,
    )


def _say(title: str, names: list[str], numbers: Mapping[str, np.ndarray], form: str, least: np.ndarray) -> str:
    parts = []
    for row, name in enumerate(names):
        value, low, high = (format_value(column[row], form) for column in numbers.values())
        shown = f", detectable {format_value(least[row], form)}" if np.isfinite(least[row]) else ""
        known = np.isfinite(numbers["value"][row])
        parts.append(f"{name}: {value}, between {low} and {high}{shown}" if known else f"{name}: none")
    return f"Estimates with intervals. {title}. " + ("; ".join(parts) + "." if parts else "None.")
