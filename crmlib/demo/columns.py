"""What a column of the making is: a numpy array of text, numbers or dates; and how values are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: An array of numpy's StringDType; an empty text is an empty cell.
Text = npt.NDArray[Any]
#: Heading -> cells.
Columns = Mapping[str, Text]

TEXT = np.dtypes.StringDType()


def as_text(values: Iterable[str]) -> Text:
    """A column of text."""
    return np.array(list(values), dtype=TEXT)


def number_text(values: Ints, width: int = 1) -> Text:
    """Whole numbers, not negative, as text with leading zeros."""
    return np.strings.zfill(values.astype(TEXT), width)


def money_text(cents: Ints, decimal: str = ".") -> Text:
    """Amounts in cents, not negative, as text with two decimals."""
    return number_text(cents // 100) + decimal + number_text(cents % 100, 2)


def iso_text(dates: Dates) -> Text:
    """Dates as yyyy-mm-dd; a missing one is empty."""
    written = np.datetime_as_string(dates.astype("datetime64[D]")).astype(TEXT)
    return np.where(np.isnat(dates), "", written).astype(TEXT)


def spanish_date_text(dates: Dates) -> Text:
    """Dates as dd/mm/yyyy; a missing one is empty."""
    iso = iso_text(dates)
    year, month, day = (np.strings.slice(iso, *part) for part in ((0, 4), (5, 7), (8, 10)))
    return np.where(iso == "", iso, day + "/" + month + "/" + year)


def decimals(cents: Ints) -> pa.Array:
    """Amounts in cents as decimals of two places."""
    words = np.column_stack([cents, cents >> 63])
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words)])
