"""The parts charts are made of: labels, axes, keys, reference lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlib.report import theme
from crmlib.report.formats import axis_format, format_value, is_nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Width of a character of a tick's label, in CSS pixels.
CHARACTER = 7.4


def texts(values: Iterable[Any]) -> list[str]:
    """Write categories as they are read."""
    return [format_value(value, "date" if isinstance(value, date) else "") for value in values]


def numbers(values: Iterable[Any], *, gaps: bool = False) -> np.ndarray:
    """Make floats of values; a missing one is 0, or NaN where gaps are kept."""
    missing = np.nan if gaps else 0.0
    return np.array([missing if is_nothing(value) else float(value) for value in values], dtype=float)


def places(values: Sequence[Any]) -> tuple[list[float], bool]:
    """Place values on an axis; also tells whether they are dates."""
    if values and isinstance(values[0], date):
        from matplotlib.dates import date2num

        return [float(date2num(value)) for value in values], True  # type: ignore[no-untyped-call]  # no types there
    return [float(value) for value in values], False


def highlighted(names: Sequence[str], chosen: Sequence[object]) -> list[str]:
    """Colour the chosen names, or all when none is chosen."""
    wanted = set(texts(chosen))
    return [theme.BLUE if not wanted or name in wanted else "#a9b4bd" for name in names]


def text_on(colour: str) -> str:
    """Choose white or black, whichever has the higher contrast on a colour; it is 4.58 at least."""
    return max((theme.PAPER, theme.BLACK), key=lambda text: theme.contrast(text, colour))


def shorten(name: str, letters: int) -> str:
    """Cut a name that is too long for its place."""
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"


def category_ticks(axes: Axes, across: Sequence[float], names: Sequence[str], width: float) -> None:
    """Write categories below an axis: upright where they fit in `width`, else aslant, else only some of them."""
    longest = max((len(name) for name in names), default=1)
    neighbours = max((len(one) + len(other) for one, other in pairwise(names)), default=2) / 2
    fits = len(names) * (neighbours + 1.5) * CHARACTER <= width
    every = 1 if fits else max(2, int(np.ceil(len(names) * (longest + 1.5) * CHARACTER / width)))
    aslant = every > 1 and len(names) * 16 < width and longest > 3
    if aslant:
        names = [shorten(name, 18) for name in names]
        axes.set_xticks(across, names, rotation=38, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(across[::every], names[::every])


def height(bars: int, each: float, x_label: str, reference: float | None) -> float:
    """Find the height of a chart of lying bars, in CSS pixels."""
    return max(56.0, bars * each + 14 + (20 if x_label else 0) + (22 if reference is not None else 0))


def label(axes: Axes, text: str, at: tuple[Any, Any], offset: tuple[float, float], **style: Any) -> None:
    """Write a value beside its mark, on a patch of paper that keeps lines away from it."""
    paper = {"facecolor": theme.PAPER, "edgecolor": "none", "pad": 1.0}
    axes.annotate(text, at, xytext=offset, textcoords="offset points", annotation_clip=False, bbox=paper, **style)


def names_down(
    axes: Axes, names: Sequence[str], narrow: bool, starts: Sequence[float] | np.ndarray, base: float = 0.0
) -> None:
    """Write the names of lying bars: to their left, or where the screen is narrow above them, from the leftmost on."""
    rows = np.arange(len(names))
    axes.set_ylim(len(names) - 0.4, -0.75 if narrow else -0.6)
    if not narrow:
        axes.set_yticks(rows, [shorten(name, 46) for name in names])
        axes.tick_params(axis="y", labelcolor=theme.INK)
        return
    axes.set_yticks([])
    edge = float(np.min(starts, initial=base))
    for row, name in zip(rows, names, strict=True):
        label(axes, shorten(name, 42), (edge, row), (0, 18), va="center")


def name_axes(axes: Axes, x_label: str, y_label: str, *, marked: bool = False) -> None:
    """Name the axes; the upright one above its top (and above a mark's name), to be read without turning."""
    axes.set_xlabel(x_label)
    if y_label:
        axes.set_title(y_label, loc="left", color=theme.MUTED, pad=26 if marked else 10)


def leave_room(axes: Axes, values: Sequence[float], share: float) -> None:
    """Widen the lying axis on the sides where values are written beside bars."""
    low, high = min(0.0, *values), max(0.0, *values)
    room = ((high - low) or 1.0) * share
    axes.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 or low == high else 0))


def value_axis(axis: Axis, form: str, ticks: int = 6) -> None:
    """Write the ticks of an axis of values."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(ticks, integer=form == "0", steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(axis_format(form)))


def log_axis(axes: Axes) -> None:
    """Make the upright axis logarithmic, with its powers of ten written out."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(axis_format("0")))
    axes.yaxis.set_minor_locator(NullLocator())


def x_axis(axes: Axes, dated: bool, form: str, narrow: bool) -> None:
    """Write the ticks of the lying axis: dates or numbers."""
    if not dated:
        value_axis(axes.xaxis, form, 5 if narrow else 9)
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=5 if narrow else 9)  # type: ignore[no-untyped-call]  # no types there
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above


def reference(axes: Axes, value: float, name: str) -> None:
    """Draw an upright line at a value and name it at its top."""
    axes.axvline(value, color=theme.INK, linewidth=1.2, linestyle=(0, (4, 3)))
    left, right = axes.get_xlim()
    late = (value - left) > 0.6 * (right - left)
    axes.annotate(
        name,
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if late else 5, 2),
        textcoords="offset points",
        ha="right" if late else "left",
        va="bottom",
        color=theme.INK,
    )


def key(axes: Axes, names: Sequence[str], narrow: bool, colours: Sequence[str] = theme.SERIES) -> None:
    """Name the colours above the chart, in the order in which they are drawn."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour) for colour, _ in zip(colours, names, strict=False)]
    axes.get_figure(root=True).legend(  # type: ignore[union-attr]  # the axes are drawn on a figure
        handles,
        names,
        loc="outside upper left",
        ncols=2 if narrow else len(names),
        frameon=False,
        borderpad=0.1,
        borderaxespad=0,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.4,
    )


def name_ends(
    axes: Axes,
    across: Sequence[float],
    lines: Sequence[np.ndarray],
    names: Sequence[str],
    colours: Sequence[str],
) -> None:
    """Name each line at its end, moved apart where two ends meet."""
    ends = []
    for values, name, colour in zip(lines, names, colours, strict=False):
        known = np.flatnonzero(np.isfinite(values))
        if known.size:
            ends.append((float(values[known[-1]]), float(across[known[-1]]), name, colour))
    bottom, top = axes.get_ylim()
    apart = (top - bottom) * 0.062
    previous = -np.inf
    for value, place, name, colour in sorted(ends):
        height_at = max(value, previous + apart)
        previous = height_at
        axes.annotate(
            name,
            (place, height_at),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )
