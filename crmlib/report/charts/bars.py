"""Bars: how much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crmlib.report import theme
from crmlib.report.charts import marks, words
from crmlib.report.charts.drawing import Figure, draw_figure
from crmlib.report.display import Fragment, stack
from crmlib.report.formats import format_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def bar(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "0",
    highlight: Sequence[object] = (),
) -> Figure:
    """Draw upright bars, for few categories in an order of their own (weekdays, sizes, months).

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per bar, in the order drawn.
    x, y : str
        Columns of categories and of values.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label, y_label : str
        What the axes show, with units.
    highlight : sequence
        Categories in colour; the others are grey. Empty: all in colour.
    """
    names, values = marks.texts(frame[x]), marks.numbers(frame[y])
    colours = marks.highlighted(names, highlight)

    def draw(axes: Axes, narrow: bool) -> None:
        places = list(range(len(names)))
        axes.bar(places, values, color=colours, width=0.72)
        marks.category_ticks(axes, places, names, 300 if narrow else 640)
        marks.name_axes(axes, x_label, y_label)
        if len(names) <= (7 if narrow else 16):
            for place, value in zip(places, values, strict=True):
                marks.label(
                    axes,
                    format_value(value, form),
                    (place, value),
                    (0, 4 if value >= 0 else -14),
                    ha="center",
                )
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        else:
            marks.value_axis(axes.yaxis, form)
            axes.grid(axis="y")
        axes.margins(y=0.12)

    return draw_figure(
        draw, title=title, alt=alt or words.series("Bars", title, names, values, form), note=note, height=280
    )


def hbar(
    frame: pd.DataFrame,
    label: str,
    value: str,
    *,
    title: str,
    x_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "0",
    highlight: Sequence[object] = (),
    reference: float | None = None,
    reference_label: str = "",
) -> Figure:
    """Draw lying bars, for named things; negative values go to the left.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per bar, the first on top.
    label, value : str
        Columns of names and of values.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label : str
        What the values are, with units.
    highlight : sequence
        Names in colour; the others are grey. Empty: all in colour.
    reference : float, optional
        A value to compare with, drawn as a line, named by `reference_label`.
    """
    names, values = marks.texts(frame[label]), marks.numbers(frame[value])
    colours = marks.highlighted(names, highlight)

    def draw(axes: Axes, narrow: bool) -> None:
        places = list(range(len(names)))
        axes.barh(places, values, color=colours, height=0.42 if narrow else 0.66)
        marks.names_down(axes, names, narrow, values)
        for place, number in zip(places, values, strict=True):
            left = number < 0
            marks.label(
                axes,
                format_value(number, form),
                (number, place),
                (-5 if left else 5, 0),
                ha="right" if left else "left",
                va="center",
            )
        if reference is not None:
            marks.reference(axes, reference, reference_label or format_value(reference, form))
        if min(values, default=0) < 0:
            axes.axvline(0, color=theme.RULE, linewidth=0.8)
        marks.leave_room(axes, [0.0, *values], 0.17 if narrow else 0.12)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(x_label)

    wide, narrow_height = (
        marks.height(len(names), 27, x_label, reference),
        marks.height(len(names), 46, x_label, reference),
    )
    return draw_figure(
        draw,
        title=title,
        alt=alt or words.series("Bars", title, names, values, form),
        note=note,
        height=wide,
        narrow_height=narrow_height,
    )


def stacked(
    frame: pd.DataFrame,
    label: str,
    parts: Sequence[str],
    *,
    title: str,
    x_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "0",
    share: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw lying bars made of parts, as counts or as shares of each bar.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per bar, the first on top.
    label : str
        Column of the bars' names.
    parts : sequence of str
        Columns of the parts, from left to right; at most six.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label : str
        What the values are, with units.
    share : bool
        Whether each bar is drawn as 100 %.
    labels : mapping of str to str, optional
        Part -> its name in the key above the bars.
    """
    names = marks.texts(frame[label])
    counts = np.array([marks.numbers(frame[part]) for part in parts])
    totals = counts.sum(axis=0)
    values = counts / np.where(totals == 0, 1, totals) if share else counts
    form = "%" if share and "%" not in form else form
    called = [(labels or {}).get(part, part.replace("_", " ")) for part in parts]

    def draw(axes: Axes, narrow: bool) -> None:
        places = list(range(len(names)))
        span = float(values.sum(axis=0).max(initial=0)) or 1.0
        left = np.zeros(len(names))
        for part, colour in zip(values, theme.SERIES, strict=False):
            axes.barh(
                places,
                part,
                left=left,
                height=0.42 if narrow else 0.66,
                color=colour,
                edgecolor=theme.PAPER,
                linewidth=1,
            )
            for place, number in zip(places, part, strict=True):
                text = format_value(number, form)
                if number / span * (290 if narrow else 560) > 8 * len(text) + 8:
                    axes.text(
                        left[place] + number / 2,
                        float(place),
                        text,
                        ha="center",
                        va="center",
                        color=marks.text_on(colour),
                        fontsize=11.5,
                    )
            left = left + part
        marks.names_down(axes, names, narrow, np.zeros(len(names)))
        marks.key(axes, called, narrow)
        axes.set_xlim(0, span)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(x_label)

    spoken = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{part} {format_value(number, form)}" for part, number in zip(called, values[:, place], strict=True)
        )
        for place, name in enumerate(names[: words.SPOKEN])
    )
    return draw_figure(
        draw,
        title=title,
        alt=alt or f"Bars of parts. {title}. {spoken}.",
        note=note,
        height=marks.height(len(names), 30, x_label, 0.0) + 10,
        narrow_height=marks.height(len(names), 46, x_label, 0.0) + 18 * ((len(parts) + 1) // 2),
    )


def waterfall(
    frame: pd.DataFrame,
    label: str,
    value: str,
    *,
    title: str,
    x_label: str = "",
    alt: str = "",
    note: str = "",
    form: str = "+0.0",
    total_label: str = "",
) -> Figure:
    """Draw how steps up and down add up (match weights of a pair, a funnel's losses).

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per step, the first on top.
    label, value : str
        Columns of the steps' names and of what each adds.
    title, alt, note, form : str
        See `crmlib.report.charts`.
    x_label : str
        What the values are, with units.
    total_label : str
        Name of a last bar for the sum; empty: none.
    """
    names, values = marks.texts(frame[label]), marks.numbers(frame[value])
    starts = np.concatenate([[0.0], np.cumsum(values)[:-1]]) if len(values) else np.zeros(0)
    colours = [theme.BLUE if number >= 0 else theme.ORANGE for number in values]
    if total_label:
        names, values = [*names, total_label], np.append(values, values.sum())
        starts, colours = np.append(starts, 0.0), [*colours, theme.INK]

    def draw(axes: Axes, narrow: bool) -> None:
        places = list(range(len(names)))
        axes.barh(places, values, left=starts, color=colours, height=0.42 if narrow else 0.6)
        for place, (start, number) in enumerate(zip(starts, values, strict=True)):
            left = number < 0
            marks.label(
                axes,
                format_value(number, form),
                (start + number, place),
                (-5 if left else 5, 0),
                ha="right" if left else "left",
                va="center",
            )
            if place + 1 < len(names) and not (total_label and place + 2 == len(names)):
                axes.plot([start + number] * 2, [place, place + 1], color=theme.RULE, linewidth=0.8)
        marks.names_down(axes, names, narrow, starts)
        axes.axvline(0, color=theme.RULE, linewidth=0.8)
        marks.leave_room(axes, [*starts, *(starts + values)], 0.2 if narrow else 0.12)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(x_label)

    return draw_figure(
        draw,
        title=title,
        alt=alt or words.series("Steps", title, names, values, form),
        note=note,
        height=marks.height(len(names), 28, x_label, None),
        narrow_height=marks.height(len(names), 46, x_label, None),
    )


def waterfalls(
    frame: pd.DataFrame,
    group: str,
    label: str,
    value: str,
    *,
    title: str,
    x_label: str = "",
    form: str = "+0.0",
    total_label: str = "",
) -> Fragment:
    """Draw a `waterfall` for each group, one below the other.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per step, by group; the groups in the order in which they come.
    group, label, value : str
        Columns of the groups' names, the steps' names and what each adds.
    title : str
        A format string with ``{group}``.
    x_label, form, total_label : str
        As for `waterfall`.
    """
    return stack(
        waterfall(
            steps, label, value, title=title.format(group=name), x_label=x_label, form=form, total_label=total_label
        )
        for name, steps in frame.groupby(group, sort=False)
    )
