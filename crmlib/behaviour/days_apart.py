"""Days apart: dates of the year and feasts moving with Easter that sell unlike others of their weekday and season."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd
from dateutil.easter import easter
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats

#: A date of the year is a day apart if it sold so much less or more than its weekday and time of the year.
APART = (0.5, 1.5)
#: Tickets that were to be expected on a date of the year, or on a feast, before it can be called apart.
ENOUGH_TICKETS = 20
#: Days from Easter Sunday -> the feast.
FEASTS = {
    -48: "Shrove Monday",
    -47: "Shrove Tuesday",
    -46: "Ash Wednesday",
    -7: "Palm Sunday",
    -4: "the eve of Maundy Thursday",
    -3: "Maundy Thursday",
    -2: "Good Friday",
    -1: "Holy Saturday",
    0: "Easter Sunday",
    1: "Easter Monday",
    39: "Ascension",
    50: "Whit Monday",
    60: "Corpus Christi",
}
_NO_FEAST = 1000
_CHANCE = 3.0  # standard deviations of a count


def _none() -> pd.Series:
    return pd.Series(dtype="float64")


@dataclass(frozen=True)
class DaysApart:
    """How busy days apart are, 1 being what weekday, trend and time of the year make likely.

    Parameters
    ----------
    dates : Series
        By date of the year (100 × month + day).
    feasts : Series
        By days from Easter Sunday; keys of `FEASTS`.
    """

    dates: pd.Series = field(default_factory=_none)
    feasts: pd.Series = field(default_factory=_none)

    def busyness(self, days: pd.DatetimeIndex) -> Floats:
        """Of each day; 1 where it is not apart."""
        by_date = self.dates.reindex(_dates(days)).to_numpy()
        by_feast = self.feasts.reindex(_feasts(days)).fillna(1.0).to_numpy()
        return np.where(np.isnan(by_date), by_feast, by_date)

    def holds(self, days: pd.DatetimeIndex) -> NDArray[np.bool_]:
        """Whether each day is apart."""
        return np.isin(_dates(days), self.dates.index) | np.isin(_feasts(days), self.feasts.index)


def learn_days_apart(sold: Floats, expected: Floats, days: pd.DatetimeIndex) -> DaysApart:
    """Find the days apart.

    Parameters
    ----------
    sold, expected : ndarray
        Tickets by day, and those that weekday, trend and time of the year make likely.
    days : DatetimeIndex

    Returns
    -------
    DaysApart
        The feasts first: those that were seen in two years or more, differ from other days by more than chance, and of
        whose last day the years before told more than a usual day would have. Then, of the other days, the dates that
        sold half as much or half as much again.
    """
    feasts = _find_feasts(sold, expected, days)
    others = ~DaysApart(feasts=feasts).holds(days)
    return DaysApart(_find_dates(sold * others, expected * others, days), feasts)


def _find_feasts(sold: Floats, expected: Floats, days: pd.DatetimeIndex) -> pd.Series:
    seen = pd.DataFrame({"feast": _feasts(days), "year": days.year, "sold": sold, "expected": expected})
    seen = seen[(seen["feast"] != _NO_FEAST) & (seen["expected"] > 0)].sort_values(["feast", "year"])
    by_feast = seen.groupby("feast")
    last, whole = by_feast.tail(1).set_index("feast"), by_feast[["sold", "expected"]].sum()
    before = whole - last[["sold", "expected"]]
    known = (before["expected"] > 0) & (whole["expected"] >= ENOUGH_TICKETS)
    came, busyness = last["sold"] / last["expected"], whole["sold"] / whole["expected"]
    told = before["sold"] / before["expected"].where(known)
    nearer = (came - told).abs() < (came - 1).abs()
    beyond_chance = (busyness - 1).abs() > _CHANCE / np.sqrt(whole["expected"])
    found: pd.Series = busyness[known & nearer & beyond_chance]
    return found


def _find_dates(sold: Floats, expected: Floats, known: pd.DatetimeIndex) -> pd.Series:
    days = pd.DataFrame({"date": _dates(known), "sold": sold, "expected": expected})
    dates = days.groupby("date").sum()
    ratio = dates["sold"] / dates["expected"].clip(lower=1e-9)
    return ratio[(dates["expected"] >= ENOUGH_TICKETS) & ((ratio < APART[0]) | (ratio > APART[1]))]


def _dates(days: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Dates of the year, as 100 × month + day."""
    dates: NDArray[np.int64] = (100 * days.month + days.day).to_numpy(np.int64)
    return dates


def _feasts(days: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Days from the same year's Easter Sunday, of the feasts of `FEASTS`; `_NO_FEAST` on every other day."""
    sundays = np.array([_easter_sunday(year) for year in days.year], dtype="datetime64[D]")
    apart = (days.to_numpy().astype("datetime64[D]") - sundays).astype(np.int64)
    return np.where(np.isin(apart, list(FEASTS)), apart, _NO_FEAST)


@cache
def _easter_sunday(year: int) -> np.datetime64:
    return np.datetime64(easter(year), "D")
