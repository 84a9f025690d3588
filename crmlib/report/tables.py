"""Tables, sentences and findings that a notebook shows; everything in them is escaped."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from crmlib.report.display import Fragment
from crmlib.report.formats import format_value, is_nothing, is_number
from crmlib.report.theme import TONES

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 40
#: Where a long name of a file or a field may be broken.
BREAKABLE = re.compile(r"(?<=\w[_/])(?=\w)")
#: A column of texts no longer than this is not broken into lines.
SHORT = 24
#: A table of no more rows is not broken over two printed pages.
ONE_PAGE = 15
NUMBER = ' class="crm-number"'
#: A count that was rounded to five for disclosure, is too small to tell, or is withheld.
ROUNDED = re.compile(r"<\d+|\N{MIDDLE DOT}|(?:[1-9][\d,]*)?[05]")

#: Class of the finding that the overview repeats.
LEADING = "crm-leading"

#: The word that names a finding's tone, so that colour is never alone.
TONE_WORDS = {"neutral": "Finding", "good": "Good", "attention": "Look at this", "bad": "Act on this"}


def show(
    frame: pd.DataFrame,
    caption: str,
    *,
    formats: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    note: str = "",
    bars: Sequence[str] = (),
    max_rows: int = MAX_ROWS,
    folded: bool = False,
) -> Fragment:
    """Show a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows as they are to be read; its index is left out.
    caption : str
        What the table says, in a sentence.
    formats : mapping of str to str, optional
        Column -> how its values are written (see `crmlib.report.formats.format_value`).
    labels : mapping of str to str, optional
        Column -> heading, with its unit; absent: the column's name with spaces.
    note : str
        A line below the table.
    bars : sequence of str
        Columns (numbers from 0 up) that carry a thin bar, relative to the column's largest value.
    max_rows : int
        Rows shown; how many more there are is said below the table.
    folded : bool
        Whether the reader opens it, by its caption; in print it stands open.

    Returns
    -------
    Fragment
        An accessible table in a box that scrolls by itself where the screen is narrow.
    """
    formats, labels = formats or {}, labels or {}
    columns = [str(column) for column in frame.columns]
    rows = list(frame.head(max_rows).itertuples(index=False, name=None))
    cells = [
        [format_value(value, formats.get(column, "")) for column, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    short = [max((len(row[place]) for row in cells), default=0) <= SHORT for place in range(len(columns))]
    numeric = [_is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    headings = [labels.get(column, column.replace("_", " ")) for column in columns]
    tops = {place: _largest([row[place] for row in rows]) for place, column in enumerate(columns) if column in bars}

    head = "".join(
        f'<th scope="col"{NUMBER if number else ""}>{escape(heading)}</th>'
        for heading, number in zip(headings, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            _cell(text, value, place == 0, numeric[place], short[place], tops.get(place))
            for place, (text, value) in enumerate(zip(texts, row, strict=True))
        )
        + "</tr>\n"
        for texts, row in zip(cells, rows, strict=True)
    )
    notes = [note] if note else []
    if not len(frame):
        notes.insert(0, "Nothing to show here.")
    if len(frame) > max_rows:
        notes.append(f"{len(frame) - max_rows:,} more rows are in the table itself.")
    foot = f'<p class="crm-note">{escape(" ".join(notes))}</p>' if notes else ""
    whole = " crm-short-table" if len(rows) <= ONE_PAGE else ""
    markup = (
        f'<div class="crm-table{whole}"><div class="crm-scroll" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}">'
        f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        f"</table></div>{foot}</div>"
    )
    if folded:
        markup = f'<details class="crm-more"><summary>{escape(caption)}</summary>{markup}</details>'
    lines = [caption, " | ".join(headings), *(" | ".join(row) for row in cells), *notes]
    return Fragment(markup, "\n".join(lines))


def say(template: str, **figures: Any) -> Fragment:
    """Say a sentence whose figures come from data.

    Parameters
    ----------
    template : str
        A format string such as ``"{n:,} customers bought."``.
    **figures
        The values it names; they stand out in the paragraph.

    Returns
    -------
    Fragment
        A paragraph.
    """
    return Fragment(f'<p class="crm-say">{_fill(template, figures)}</p>', _write(template, figures))


def finding(
    template: str, *, tone: str = "neutral", action: str = "", leading: bool = False, **figures: Any
) -> Fragment:
    """Call out what was found, whether it is good, and what to do.

    Parameters
    ----------
    template : str
        The finding as a format string; ``{cost:money}`` is money of the figure ``currency``, ``money.2``
        with cents.
    tone : {"neutral", "good", "attention", "bad"}
        Whether it is good; a word says so beside the colour.
    action : str
        What to do about it, a format string too.
    leading : bool
        Whether the overview repeats it in place of the notebook's first.
    **figures
        The values that both name.

    Returns
    -------
    Fragment
        A call-out.

    Raises
    ------
    ValueError
        If the tone is none of those.
    """
    if tone not in TONES:
        raise ValueError(f"A finding's tone is one of {', '.join(TONES)}.")
    todo = f'<p class="crm-action"><b>What to do:</b> {_fill(action, figures)}</p>' if action else ""
    lead = f" {LEADING}" if leading else ""
    markup = (
        f'<div class="crm-finding crm-{tone}{lead}" role="note"><p><b class="crm-tone">{TONE_WORDS[tone]}</b> '
        f"{_fill(template, figures)}</p>{todo}</div>"
    )
    plain = f"{TONE_WORDS[tone]}: {_write(template, figures)}"
    return Fragment(markup, plain + (f"\nWhat to do: {_write(action, figures)}" if action else ""))


class _Writing(string.Formatter):
    """Formats as `str.format` does, and writes ``money`` of a currency as `format_value` does."""

    def __init__(self, currency: str = "") -> None:
        self._currency = currency

    def format_field(self, value: Any, format_spec: str) -> str:
        money, cents = format_spec.startswith("money"), format_spec.removeprefix("money")
        return format_value(value, self._currency + cents) if money else format(value, format_spec)


class _Escaping(_Writing):
    """The same, with every figure escaped and marked."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return f'<span class="crm-figure">{escape(super().format_field(value, format_spec))}</span>'


def _write(template: str, figures: Mapping[str, Any]) -> str:
    return _Writing(figures.get("currency", "")).vformat(template, (), figures)


def _fill(template: str, figures: Mapping[str, Any]) -> str:
    return _Escaping(figures.get("currency", "")).vformat(escape(template, quote=False), (), figures)


def _is_numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if not is_nothing(value)]
    return bool(present) and all(is_number(value) or ROUNDED.fullmatch(str(value)) for value in present)


def _largest(values: Sequence[Any]) -> float:
    return max((float(value) for value in values if not is_nothing(value)), default=0.0)


def _cell(text: str, value: Any, first: bool, numeric: bool, short: bool, top: float | None) -> str:
    shown = escape(text) if numeric or short else BREAKABLE.sub("<wbr>", escape(text))
    if top and not is_nothing(value):
        width = max(0.0, min(1.0, float(value) / top)) * 100
        shown = f'<span class="crm-bar" style="--share:{width:.1f}%">{shown}</span>'
    style = NUMBER if numeric else ' class="crm-short"' if short else ""
    return f'<th scope="row"{style}>{shown}</th>' if first and not numeric else f"<td{style}>{shown}</td>"
