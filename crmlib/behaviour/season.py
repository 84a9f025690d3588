"""How busy each day is in each store, and how many average days a stretch of calendar days is worth there.

In an operational day as much is bought as on an average day; the season stretches and shortens it. A day's busyness is
its weekday's in that store, times its time of the year's and, where it is a day apart (a store shut on the first of
May, the day before Twelfth Night) or a feast that moves with Easter, that day's own, as they were in the years before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.days_apart import FEASTS, DaysApart, learn_days_apart
from crmlib.behaviour.integrals import Floats
from crmlib.engine import Engine, Step

#: Days of a year, and of the quarter that must lie beside it before it tells a time of the year from a trend.
YEAR_DAYS, QUARTER_DAYS = 365, 91
_SMOOTHING_DAYS = 5.0
_ROUNDS = 2  # days apart are found, left out of the times of the year, and found again

STORE_DAYS = Step(
    "store_days",
    """
SELECT coalesce(store_id, channel, 'no store') AS store_id, bought_on, count(*) AS tickets
FROM tickets
WHERE bought_on <= $as_of_date AND coalesce(amount, 0) >= 0
  AND coalesce(lower(status), '') NOT IN ('cancelled', 'canceled', 'voided')
GROUP BY coalesce(store_id, channel, 'no store'), bought_on
""",
)

CUSTOMER_STORES = Step(
    "customer_stores",
    """
WITH counted AS (
    SELECT customer_id, coalesce(store_id, channel, 'no store') AS store_id, count(*) AS tickets
    FROM buyer_tickets
    WHERE NOT is_return
    GROUP BY customer_id, coalesce(store_id, channel, 'no store')
),
ranked AS (
    SELECT customer_id, store_id,
           row_number() OVER (PARTITION BY customer_id ORDER BY tickets DESC, store_id) AS place
    FROM counted
)
SELECT customer_id, store_id
FROM ranked
WHERE place = 1
""",
)


@dataclass(frozen=True)
class Season:
    """What is known of the season on a date.

    Parameters
    ----------
    as_of_date : date
        Nothing later was read.
    busyness : DataFrame
        Index store_id, columns the days after the date: 1 is an average day of that store.
    apart : tuple of (int, int)
        Days of the year (month, day) that are days apart.
    feasts : tuple of str
        Feasts moving with Easter that are days apart.
    knows_year : bool
        Whether the history was long enough to tell the times of the year.
    shares : Series
        Index store_id: its share of the last quarter's tickets.
    """

    as_of_date: date
    busyness: pd.DataFrame
    apart: tuple[tuple[int, int], ...]
    feasts: tuple[str, ...]
    knows_year: bool
    shares: pd.Series

    def all_stores(self) -> pd.Series:
        """Busyness of each day ahead, the stores together: each by its share of the tickets."""
        together: pd.Series = self.busyness.mul(self.shares, axis=0).sum()
        return together

    def operational_days(self, store_id: pd.Series, days: int) -> Floats:
        """Average days that the next calendar days are worth in each store; of an unknown one, as in all together."""
        passed = self.busyness.iloc[:, :days].sum(axis=1)
        worth: Floats = store_id.map(passed).fillna(passed.mean()).to_numpy(float)
        return worth


def learn_season(engine: Engine, as_of_date: date, days_ahead: int) -> Season:
    """Learn how busy each of the next days will be in each store.

    Parameters
    ----------
    engine : Engine
        With table tickets, of which anonymous ones count, too.
    as_of_date : date
        Nothing later is read.
    days_ahead : int

    Returns
    -------
    Season
        Of every store that has sold anything. The times of the year are told from a year and a quarter of history
        on; before that only the weekdays differ.
    """
    rows = engine.frame(f"FROM {engine.run(STORE_DAYS, as_of_date=as_of_date)}")
    counts = rows.pivot_table(index="store_id", columns="bought_on", values="tickets", aggfunc="sum", fill_value=0)
    counts.columns = pd.DatetimeIndex(counts.columns)
    known = pd.date_range(counts.columns.min(), pd.Timestamp(as_of_date))
    counts = counts.reindex(columns=known, fill_value=0).astype(float)
    ahead = pd.date_range(known[-1] + pd.Timedelta(days=1), periods=days_ahead)
    sold = counts.to_numpy()
    opened = sold.cumsum(axis=1) > 0
    weekly = _weekdays(sold, opened, known.day_of_week.to_numpy(np.int64))
    expected = weekly[:, known.day_of_week] * opened * (sold.sum(axis=1) / opened.sum(axis=1))[:, None]
    knows_year = len(known) >= YEAR_DAYS + QUARTER_DAYS
    of_year, apart = np.ones(len(ahead)), DaysApart()
    if knows_year:
        of_year, apart = _learn_year(sold.sum(axis=0), expected.sum(axis=0), known, ahead)
    busyness = weekly[:, ahead.day_of_week] * of_year
    lately = sold[:, -QUARTER_DAYS:].sum(axis=1) if sold[:, -QUARTER_DAYS:].any() else sold.sum(axis=1)
    return Season(
        as_of_date,
        pd.DataFrame(busyness, counts.index, ahead),
        tuple(divmod(int(day), 100) for day in apart.dates.index),
        tuple(FEASTS[int(day)] for day in apart.feasts.index),
        knows_year,
        pd.Series(lately / lately.sum(), counts.index),
    )


def tabulate_season(season: Season) -> pd.DataFrame:
    """Table `season_index`: store_id, day, busyness."""
    days = season.busyness.columns
    return pd.DataFrame(
        {
            "store_id": season.busyness.index.repeat(len(days)),
            "day": np.tile(days, len(season.busyness)),
            "busyness": season.busyness.to_numpy().ravel(),
        }
    )


def tell_season(season: Season) -> tuple[str, str]:
    """Say what is known of the season; beside it the tone for `crmlib.report.tables.finding`."""
    if not season.knows_year:
        needed = f"{YEAR_DAYS + QUARTER_DAYS} days of history"
        return f"Only the days of the week are told apart: times of the year need {needed}.", "attention"
    by_day = season.all_stores()
    busiest, quietest = by_day.idxmax(), by_day.idxmin()
    told = f"The busiest day ahead is {busiest:%A %-d %B}, {by_day.max():.0%} of an average day"
    told += f"; the quietest is {quietest:%A %-d %B}, {by_day.min():.0%}."
    apart = [*(f"{date(2000, month, day):%-d %B}" for month, day in season.apart), *season.feasts]
    return f"{told} Days of the year that are always apart: {', '.join(apart)}." if apart else told, "neutral"


def summarise_weeks(season: Season) -> pd.DataFrame:
    """How busy the whole weeks ahead will be, the stores together: columns week (its first day), busyness."""
    by_day = season.all_stores()
    weeks = len(by_day) // 7
    means = by_day.to_numpy()[: 7 * weeks].reshape(weeks, 7).mean(axis=1)
    first = season.as_of_date + timedelta(days=1)
    return pd.DataFrame({"week": [first + timedelta(weeks=week) for week in range(weeks)], "busyness": means})


def _weekdays(counts: Floats, opened: NDArray[np.bool_], weekday: NDArray[np.int64]) -> Floats:
    """Busyness by store and weekday: the store's own, drawn to that of all as far as chance explains the difference."""
    of_day = (weekday[:, None] == np.arange(7)).astype(np.float64)
    sold = counts @ of_day
    own = sold / np.maximum(opened @ of_day, 1.0)
    own /= np.maximum(own.mean(axis=1, keepdims=True), 1e-9)
    shared = (sold.sum(axis=1, keepdims=True) * own).sum(axis=0) / sold.sum()
    noise = shared**2 / np.maximum(sold, 1.0)
    spread = max(float(((own - shared) ** 2 - noise).mean()), 0.0)
    drawn = shared + (own - shared) * spread / np.maximum(spread + noise, 1e-12)
    weekly: Floats = drawn / drawn.mean(axis=1, keepdims=True)
    return weekly


def _learn_year(
    total: Floats, expected: Floats, known: pd.DatetimeIndex, ahead: pd.DatetimeIndex
) -> tuple[Floats, DaysApart]:
    """Busyness of the days ahead beside that of their weekdays, and of the days apart; its mean over a year is 1.

    All stores together: one alone has too few years to tell its times of the year from its own growth.
    """
    apart = DaysApart()
    for _ in range(_ROUNDS):
        usual = ~apart.holds(known)
        by_level = expected * _level(total, expected, usual)
        then = _times_of_year(total, by_level, usual, known, known)
        apart = learn_days_apart(total, by_level * then, known)
    mean = (then * apart.busyness(known))[-YEAR_DAYS:].mean()
    of_year = _times_of_year(total, by_level, usual, known, ahead) * apart.busyness(ahead)
    return of_year / mean, apart


def _level(total: Floats, expected: Floats, usual: NDArray[np.bool_]) -> Floats:
    """The trend: sales over what weekdays make likely, in the year around each day."""
    sums = [
        pd.Series(np.where(usual, part, 0.0)).rolling(YEAR_DAYS, center=True, min_periods=YEAR_DAYS // 2 + 1).sum()
        for part in (total, expected)
    ]
    level: Floats = (sums[0] / sums[1].clip(lower=1e-9)).to_numpy()
    return level


def _times_of_year(
    total: Floats, expected: Floats, usual: NDArray[np.bool_], known: pd.DatetimeIndex, asked: pd.DatetimeIndex
) -> Floats:
    """Sales of all years around each time of the year, over those that weekdays and trend make likely."""
    year_day = known.day_of_year.to_numpy() - 1
    sums = [np.bincount(year_day, part * usual, YEAR_DAYS + 1) for part in (total, expected)]
    around = [_around_the_year() @ part for part in sums]
    of_year: Floats = (around[0] / np.maximum(around[1], 1e-9))[asked.day_of_year.to_numpy() - 1]
    return of_year


@cache
def _around_the_year() -> Floats:
    """How much each day of the year tells of each: a bell over the days between, the year being a circle."""
    apart = np.abs(np.subtract.outer(np.arange(YEAR_DAYS + 1), np.arange(YEAR_DAYS + 1)))
    bell: Floats = np.exp(-0.5 * (np.minimum(apart, YEAR_DAYS - apart) / _SMOOTHING_DAYS) ** 2)
    return bell
