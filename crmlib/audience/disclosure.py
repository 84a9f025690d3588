"""Counts of people that may be shown: rounded, the small ones hidden, and none to be worked out from the others.

A count is rounded to five, one under ten is shown as "<10", and a total is rounded from the true one. Whoever knows
the exact number of all customers still could work out some small counts from what is shown; so for every hidden count
the least and the greatest value that agree with everything shown are found by linear programming, and totals (then
cells) are withheld until at least five values are possible. The constraints are those of a network with
whole-numbered bounds, so that the programme's ends are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linprog

#: Counts below are not shown, counts from it on are rounded to the base.
SMALLEST_SHOWN, BASE = 10, 5
#: How many values a hidden count must still be able to have.
LEAST_POSSIBLE = 5
HIDDEN, WITHHELD = f"<{SMALLEST_SHOWN}", "\N{MIDDLE DOT}"
TOTAL = "all"
NOTE = (
    f"Counts are rounded to {BASE}; {HIDDEN} is less than {SMALLEST_SHOWN}, none included; "
    f"{WITHHELD} is withheld, so that no small count can be worked out."
)


@dataclass(frozen=True)
class Protected:
    """Tables of counts that may be shown.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By name: the row's label, a column of texts per column, and the column of totals; the last row holds totals.
    cells : dict of str to DataFrame
        By name, for charts: a row per cell with its two labels and ``customers``, rounded; NaN where hidden or
        withheld.
    totals : dict of str to DataFrame
        By dimension, for charts: its values and ``customers``, rounded; NaN where hidden or withheld.
    """

    tables: Mapping[str, pd.DataFrame]
    cells: Mapping[str, pd.DataFrame]
    totals: Mapping[str, pd.DataFrame]


def round_count(count: int) -> int:
    """Round a count to the base."""
    return BASE * round(count / BASE)


def tell_count(count: int) -> str:
    """Write a count that stands alone."""
    return HIDDEN if count < SMALLEST_SHOWN else f"{round_count(count):,}"


def tell_counts(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Write the counts in some columns of a table as they may be shown; a missing one stays missing."""
    told = frame.copy()
    for column in columns:
        told[column] = [None if pd.isna(count) else tell_count(int(count)) for count in frame[column]]
    return told


def protect_counts(crosstabs: Mapping[str, pd.DataFrame], *, in_every_row: bool = False) -> Protected:
    """Make tables of counts safe to show side by side.

    Parameters
    ----------
    crosstabs : mapping of str to DataFrame
        By name: counts of the same people, each person in one cell; the index and the columns are named for their
        dimensions. A total that is withheld in one table is withheld in all.
    in_every_row : bool
        Each person stands in one cell of every row instead, so that a row's total is the number of all people, which
        everybody is taken to know.

    Returns
    -------
    Protected
    """
    tables = {name: _Table(frame, in_every_row) for name, frame in crosstabs.items()}
    withheld: set[tuple[str, str]] = set()
    for table in tables.values():
        table.protect(withheld)
    totals: dict[str, pd.DataFrame] = {}
    for table in tables.values():
        for dimension, labels, counts in table.lines():
            shown = [
                np.nan if count < SMALLEST_SHOWN or (dimension, label) in withheld else round_count(count)
                for label, count in zip(labels, counts, strict=True)
            ]
            totals.setdefault(dimension, pd.DataFrame({dimension: labels, "customers": shown}))
    told = {name: table.tell(withheld) for name, table in tables.items()}
    return Protected(told, {name: table.list_cells() for name, table in tables.items()}, totals)


class _Table:
    """A cross table, and which of its cells are withheld."""

    def __init__(self, frame: pd.DataFrame, in_every_row: bool) -> None:
        self.row, self.column = str(frame.index.name), str(frame.columns.name)
        self.rows, self.columns = [str(label) for label in frame.index], [str(label) for label in frame.columns]
        self.counts = frame.to_numpy(dtype=np.int64)
        self.known = {(self.row, label) for label in self.rows} if in_every_row else set()
        self.withheld = np.zeros(self.counts.shape, dtype=bool)

    def lines(self) -> list[tuple[str, list[str], NDArray[np.int64]]]:
        """Dimension, labels and true totals of both directions."""
        return [(self.row, self.rows, self.counts.sum(axis=1)), (self.column, self.columns, self.counts.sum(axis=0))]

    def protect(self, withheld: set[tuple[str, str]]) -> None:
        """Withhold what gives a hidden count away; to withhold more never narrows what is possible for another."""
        for mask in self._hidden():
            while self._possible(mask, withheld) < LEAST_POSSIBLE and self._withhold_near(mask, withheld):
                pass

    def tell(self, withheld: set[tuple[str, str]]) -> pd.DataFrame:
        """The table as texts, with totals."""
        cells = [
            [WITHHELD if gone else tell_count(count) for count, gone in zip(counts, away, strict=True)]
            for counts, away in zip(self.counts.tolist(), self.withheld.tolist(), strict=True)
        ]
        (_, _, row_totals), (_, _, column_totals) = self.lines()
        frame = pd.DataFrame(cells, columns=self.columns)
        frame.insert(0, self.row, self.rows)
        frame[TOTAL] = _tell_totals(self.row, self.rows, row_totals, withheld)
        last = [TOTAL, *_tell_totals(self.column, self.columns, column_totals, withheld), tell_count(self.counts.sum())]
        return pd.concat([frame, pd.DataFrame([last], columns=frame.columns)], ignore_index=True)

    def list_cells(self) -> pd.DataFrame:
        """The cells as numbers."""
        shown = np.where((self.counts < SMALLEST_SHOWN) | self.withheld, np.nan, BASE * np.rint(self.counts / BASE))
        return pd.DataFrame(
            {
                self.row: np.repeat(self.rows, len(self.columns)),
                self.column: np.tile(self.columns, len(self.rows)),
                "customers": shown.ravel(),
            }
        )

    def _line_masks(self) -> list[tuple[tuple[str, str], NDArray[np.bool_], int]]:
        masks = []
        for axis, (dimension, labels, counts) in enumerate(self.lines()):
            for place, (label, count) in enumerate(zip(labels, counts, strict=True)):
                mask = np.zeros(self.counts.shape, dtype=bool)
                mask[(place, slice(None)) if axis == 0 else (slice(None), place)] = True
                masks.append(((dimension, label), mask, int(count)))
        return masks

    def _shown_totals(self, withheld: set[tuple[str, str]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is known of sums: of each shown total its bounds, and of all cells their exact sum."""
        shown = [
            (mask, (count, count) if line in self.known else _bounds(count))
            for line, mask, count in self._line_masks()
            if line not in withheld
        ]
        everything = (np.ones(self.counts.shape, dtype=bool), (int(self.counts.sum()),) * 2)
        masks, bounds = zip(*[*shown, everything], strict=True)
        return np.array([mask.ravel() for mask in masks], dtype=float), np.array(bounds, dtype=float)

    def _hidden(self) -> list[NDArray[np.bool_]]:
        """Which sums must stay hidden: small cells, and small totals."""
        cells = []
        for place in np.argwhere(self.counts < SMALLEST_SHOWN):
            mask = np.zeros(self.counts.shape, dtype=bool)
            mask[tuple(place)] = True
            cells.append(mask)
        return cells + [mask for _, mask, count in self._line_masks() if count < SMALLEST_SHOWN]

    def _possible(self, mask: NDArray[np.bool_], withheld: set[tuple[str, str]]) -> float:
        """How many values a sum of cells can have, given all that is shown."""
        masks, bounds = self._shown_totals(withheld)
        everybody = int(self.counts.sum())
        cells = [
            (0, everybody) if gone else _bounds(int(count))
            for count, gone in zip(self.counts.ravel(), self.withheld.ravel(), strict=True)
        ]
        target = mask.ravel().astype(float)
        limits = np.vstack([masks, -masks]), np.concatenate([bounds[:, 1], -bounds[:, 0]])
        least, greatest = (sign * linprog(sign * target, *limits, bounds=cells).fun for sign in (1, -1))
        return float(np.floor(greatest + 1e-6) - np.ceil(least - 1e-6) + 1)

    def _withhold_near(self, mask: NDArray[np.bool_], withheld: set[tuple[str, str]]) -> bool:
        """Withhold the totals that a sum is part of; else the smallest shown total, else the smallest shown cell."""
        lines = [line for line in self._line_masks() if line[0] not in withheld | self.known]
        around = [line for line in lines if (line[1] | mask).sum() == line[1].sum() > mask.sum()]
        if around or (mask.sum() > 1 and lines):
            withheld.add(min(around or lines, key=lambda line: line[2])[0])
            return True
        shown = np.argwhere(~self.withheld & ~mask).tolist()
        if not shown:
            return False
        beside = [place for place in shown if mask[place[0]].any() or mask[:, place[1]].any()]
        smallest = min(beside or shown, key=lambda place: self.counts[tuple(place)])
        self.withheld[tuple(smallest)] = True
        return True


def _bounds(count: int) -> tuple[int, int]:
    """The counts that are shown like this one."""
    if count < SMALLEST_SHOWN:
        return 0, SMALLEST_SHOWN - 1
    rounded = round_count(count)
    return max(SMALLEST_SHOWN, rounded - BASE // 2), rounded + BASE // 2


def _tell_totals(
    dimension: str, labels: list[str], counts: NDArray[np.int64], withheld: set[tuple[str, str]]
) -> list[str]:
    return [
        WITHHELD if (dimension, label) in withheld else tell_count(count)
        for label, count in zip(labels, counts.tolist(), strict=True)
    ]
