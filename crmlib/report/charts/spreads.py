"""Spreads: how values are distributed, along one measure or over two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from crmlib.report import theme
from crmlib.report.charts import marks, words
from crmlib.report.charts.drawing import Figure, draw_figure
from crmlib.report.formats import format_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def hist(
    values: ArrayLike,
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "",
    bins: int | Sequence[float] = 30,
    weights: ArrayLike | None = None,
    threshold: float | None = None,
    threshold_label: str = "",
    log: bool = False,
) -> Figure:
    """Draw how values spread; with a threshold, what lies above it is in the second colour.

    Parameters
    ----------
    values : array-like
        Numbers; missing ones are left out.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label, y_label : str
        What the axes show, with units.
    bins : int or sequence of float
        Their number, or their edges.
    weights : array-like, optional
        How often each value counts, where the values are grouped already.
    threshold : float, optional
        A value with an upright line, named by `threshold_label`.
    log : bool
        Whether counts are drawn on a logarithmic scale.
    """
    numbers = np.asarray(values, dtype=float)
    counts_as = np.ones_like(numbers) if weights is None else np.asarray(weights, dtype=float)
    present = np.isfinite(numbers)
    edges = np.histogram_bin_edges(numbers[present], bins=bins)
    if threshold is not None and edges[0] < threshold < edges[-1]:
        edges = np.union1d(edges, [threshold])
    heights, edges = np.histogram(numbers[present], bins=edges, weights=counts_as[present])

    def draw(axes: Axes, narrow: bool) -> None:
        above = np.zeros(len(heights), bool) if threshold is None else edges[:-1] >= threshold
        colours = [theme.ORANGE if over else theme.BLUE for over in above]
        axes.bar(
            edges[:-1],
            heights,
            width=np.diff(edges),
            align="edge",
            color=colours,
            edgecolor=theme.PAPER,
            linewidth=0.6,
        )
        if threshold is not None:
            marks.reference(axes, threshold, threshold_label or format_value(threshold, form))
        marks.x_axis(axes, False, form, narrow)
        marks.log_axis(axes) if log else marks.value_axis(axes.yaxis, "0")
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        marks.name_axes(axes, x_label, y_label, marked=threshold is not None)

    return draw_figure(
        draw,
        title=title,
        note=note,
        height=280,
        alt=alt or words.spread(title, numbers[present], counts_as[present], threshold, form),
    )


def heatmap(
    frame: pd.DataFrame,
    row: str,
    column: str,
    value: str,
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "0",
    low: float | None = None,
    high: float | None = None,
    numbers: bool = True,
) -> Figure:
    """Draw a grid of shades, one cell per pair of categories.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per cell; rows and columns come in the order of their first appearance; absent cells stay
        empty.
    row, column, value : str
        Columns of the cell's row, its column and its value.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label, y_label : str
        What columns and rows are.
    low, high : float, optional
        Values of the lightest and the darkest shade; absent: the data's ends.
    numbers : bool
        Whether each cell shows its value, where there is room.
    """
    down, across = (list(dict.fromkeys(marks.texts(frame[name]))) for name in (row, column))
    grid = np.full((len(down), len(across)), np.nan)
    for name, place, number in zip(
        marks.texts(frame[row]),
        marks.texts(frame[column]),
        marks.numbers(frame[value], gaps=True),
        strict=True,
    ):
        grid[down.index(name), across.index(place)] = number
    known = grid[np.isfinite(grid)]
    bottom = low if low is not None else float(known.min(initial=0.0))
    top = high if high is not None else float(known.max(initial=bottom)) if known.size else bottom
    span = (top - bottom) or 1.0

    def draw(axes: Axes, narrow: bool) -> None:
        from matplotlib.colors import LinearSegmentedColormap, to_hex

        shades = LinearSegmentedColormap.from_list("shades", list(theme.SHADES))
        axes.pcolormesh(
            np.ma.masked_invalid(grid),
            cmap=shades,
            vmin=bottom,
            vmax=bottom + span,
            edgecolors=theme.PAPER,
            linewidth=1.5,
        )
        width = 230 if narrow else 560
        longest = max((len(format_value(number, form)) for number in known), default=0)
        written = numbers and width / max(len(across), 1) > 7.2 * longest + 4
        for (below, beside), number in np.ndenumerate(grid):
            text = format_value(number, form)
            if written:
                colour = theme.MUTED if np.isnan(number) else marks.text_on(to_hex(shades((number - bottom) / span)))
                axes.text(beside + 0.5, below + 0.5, text, ha="center", va="center", color=colour, fontsize=11.5)
        marks.category_ticks(axes, [place + 0.5 for place in range(len(across))], across, width)
        axes.set_yticks(np.arange(len(down)) + 0.5, [marks.shorten(name, 14 if narrow else 30) for name in down])
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        marks.name_axes(axes, x_label, y_label)

    return draw_figure(
        draw,
        title=title,
        alt=alt or words.grid(title, down, across, grid, form),
        note=note,
        height=max(120.0, 30.0 * len(down) + 64),
    )
