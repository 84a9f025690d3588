"""Lines: how one measure moves with time or with another measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crmlib.report import theme
from crmlib.report.charts import marks, words
from crmlib.report.charts.drawing import Figure, draw_figure
from crmlib.report.formats import format_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def line(
    frame: pd.DataFrame,
    x: str,
    y: str | Sequence[str],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "",
    x_form: str = "",
    labels: Mapping[str, str] | None = None,
    band: tuple[str, str] | None = None,
    mark: object = None,
    mark_label: str = "",
    diagonal: bool = False,
    from_zero: bool = True,
    first_colour: int = 0,
) -> Figure:
    """Draw one or more lines over time or over a number, each named at its end.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per point, in the order of `x`; missing values leave a gap.
    x : str
        Column of dates, times or numbers.
    y : str or sequence of str
        Columns of values, one line each; at most six.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label, y_label : str
        What the axes show, with units.
    x_form : str
        How the numbers of `x` are written.
    labels : mapping of str to str, optional
        Column -> the line's name.
    band : (str, str), optional
        Columns of the low and high end of an interval, shaded around the first line.
    mark : object, optional
        A place on `x` with an upright line, named by `mark_label` (a threshold, where a holdout period
        begins).
    diagonal : bool
        Whether to draw where `y` equals `x`.
    from_zero : bool
        Whether the upright axis begins at 0.
    first_colour : int
        Place of the first line's colour, for a thing to bear one colour in all charts of a page.
    """
    colours = theme.SERIES[first_colour:]
    columns = [y] if isinstance(y, str) else list(y)
    called = [(labels or {}).get(column, column.replace("_", " ")) for column in columns]
    places, dated = marks.places(frame[x].tolist())
    lines = [marks.numbers(frame[column], gaps=True) for column in columns]

    def draw(axes: Axes, narrow: bool) -> None:
        if diagonal:
            ends = [min(places), max(places)]
            axes.plot(ends, ends, color=theme.RULE, linewidth=1, linestyle=(0, (4, 3)))
        if band is not None:
            low, high = (marks.numbers(frame[column], gaps=True) for column in band)
            axes.fill_between(places, low, high, color=colours[0], alpha=0.16, linewidth=0)
        for values, colour in zip(lines, colours, strict=False):
            axes.plot(places, values, color=colour, marker="o" if len(places) <= 12 else None, markersize=4)
        if len(columns) > 1 and narrow:
            marks.key(axes, called, narrow, colours)
        elif len(columns) > 1:
            marks.name_ends(axes, places, lines, called, colours)
        if mark is not None:
            marks.reference(axes, marks.places([mark])[0][0], mark_label)
        axes.margins(x=0.02)
        if from_zero:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        marks.x_axis(axes, dated, x_form, narrow)
        marks.value_axis(axes.yaxis, form)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        marks.name_axes(axes, x_label, y_label, marked=mark is not None)

    ticks = [format_value(place, x_form or ("date" if dated else "")) for place in frame[x]]
    spoken = " ".join(words.series(name, "", ticks, values, form) for name, values in zip(called, lines, strict=True))
    return draw_figure(
        draw,
        title=title,
        alt=alt or f"Line chart. {title}. {spoken}",
        note=note,
        height=320,
        narrow_height=300,
    )


def curve(frame: pd.DataFrame, x: str, y: str | Sequence[str], *, title: str, **options: Any) -> Figure:
    """Draw how one measure follows another (gain, precision against recall): a `line` not bound to zero."""
    return line(frame, x, y, title=title, **{"from_zero": False, **options})


def calibration(
    frame: pd.DataFrame,
    predicted: str,
    observed: str,
    *,
    title: str,
    x_label: str = "predicted",
    y_label: str = "observed",
    alt: str = "",
    note: str = "",
    form: str = "%",
    band: tuple[str, str] | None = None,
    size: str = "",
) -> Figure:
    """Draw what was observed against what was predicted; on the dashed line both agree.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per group of similar predictions.
    predicted, observed : str
        Columns of their means.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label, y_label : str
        What the axes show, with units.
    band : (str, str), optional
        Columns of the low and high end of each observed mean's interval.
    size : str
        Column of the number of customers behind each point, drawn as its area; empty: all alike.
    """
    told, seen = marks.numbers(frame[predicted]), marks.numbers(frame[observed])
    counts = marks.numbers(frame[size]) if size else None
    low, high = (marks.numbers(frame[column]) for column in band) if band else (seen, seen)

    def draw(axes: Axes, narrow: bool) -> None:
        top = max([*told, *high], default=1.0) * 1.06 or 1.0
        axes.plot([0, top], [0, top], color=theme.RULE, linewidth=1, linestyle=(0, (4, 3)))
        axes.vlines(told, low, high, color=theme.BLUE, alpha=0.45, linewidth=2)
        areas = 42.0 if counts is None else 16 + 110 * counts / max(counts.max(initial=1), 1)
        axes.scatter(told, seen, s=areas, color=theme.BLUE, edgecolor=theme.PAPER, linewidth=0.8, zorder=3)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        marks.value_axis(axes.xaxis, form, 4 if narrow else 7)
        marks.value_axis(axes.yaxis, form)
        axes.grid()
        marks.name_axes(axes, x_label, y_label)

    ticks = [format_value(value, form) for value in told]
    spoken = words.series("Calibration", title, ticks, seen, form)
    return draw_figure(draw, title=title, alt=alt or spoken, note=note, height=380, narrow_height=320)
