"""How busy the days ahead will be: the weekday, and the same time of the years before."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.chance import UNREST, derive_keys, draw_uniforms, replicate_key
from crmlib.engine import Engine

#: Days of history under which no season can be told.
LEAST_DAYS = 56
YEAR, WEEK = 364, 7
#: Days beside the same day of a year before that are read with it.
BESIDE = 3
#: Tickets expected on a day from which on none at all means a day of rest.
BUSY = 10
#: Days over which the level of sales is taken.
LEVEL_DAYS = 91

_TICKETS_BY_DAY = """
    SELECT bought_on, count(*) AS tickets
    FROM tickets
    WHERE coalesce(amount, 1) > 0 AND bought_on <= $as_of_date
    GROUP BY bought_on
    ORDER BY bought_on
"""


def estimate_season(engine: Engine, as_of_date: date, first_day: date, days: int) -> Floats:
    """Estimate how busy each day ahead is, 1 being an average day of the year.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, of known and unknown customers.
    as_of_date : date
        Nothing later is read.
    first_day : date
    days : int

    Returns
    -------
    ndarray
        One value a day. Without two months of history every day is alike; without a year of it, only weekdays differ.
    """
    ahead = pd.date_range(first_day, periods=days)
    counts = _count_days(engine, as_of_date)
    if len(counts) < LEAST_DAYS:
        return np.ones(days)
    weekday = _estimate_weekdays(counts)
    usual = weekday[ahead.day_of_week]
    if len(counts) < YEAR + LEVEL_DAYS:
        return usual
    expected = _expect(counts, weekday)
    ratio = np.array([_look_back(counts, expected, day) for day in ahead])
    season: Floats = usual * np.where(np.isnan(ratio), 1.0, ratio)
    return season


def estimate_unrest(engine: Engine, as_of_date: date) -> float:
    """Estimate by how much the purchases of whole weeks strayed from what the years before said of them.

    Weather, paydays, errors of a season that few years tell: all customers buy more, or less, together. What chance
    does to each ticket alone is taken off.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, of known and unknown customers.
    as_of_date : date
        Nothing later is read.

    Returns
    -------
    float
        Standard deviation of a week's sales over their season, in the last year; 0 without two months of history.
    """
    counts = _count_days(engine, as_of_date)
    if len(counts) < LEAST_DAYS:
        return 0.0
    expected = _expect(counts, _estimate_weekdays(counts))
    weeks = min(len(counts) // WEEK, YEAR // WEEK)
    days = counts.index[-weeks * WEEK :]
    ratio = np.array([_look_back(counts, expected, day) for day in days])
    season = expected[days].to_numpy(float) * np.where(np.isnan(ratio), 1.0, ratio)
    came = counts[days].to_numpy(float).reshape(weeks, WEEK).sum(axis=1)
    usual = season.reshape(weeks, WEEK).sum(axis=1)
    came, usual = came[usual > 0], usual[usual > 0]
    if len(usual) < LEAST_DAYS // WEEK:
        return 0.0
    strays = came / usual
    beyond_chance = strays.var(ddof=1) - (strays.mean() / usual).mean()
    return float(np.sqrt(max(beyond_chance, 0.0)))


def draw_unrest(unrest: float, first_day: date, days: int, seed: int, replicate: int) -> Floats:
    """Draw how one replicate's weeks stray from the season: a factor a day, the same for a whole week, 1 on average."""
    weeks = (first_day.toordinal() + np.arange(days)) // WEEK
    normal = ndtri(draw_uniforms(derive_keys(replicate_key(seed, replicate), weeks.astype(np.uint64)), UNREST))
    factor: Floats = np.exp(unrest * normal - unrest**2 / 2)
    return factor


def _count_days(engine: Engine, as_of_date: date) -> pd.Series:
    """Tickets of each day from the first one on, up to the as-of date."""
    counted = engine.frame(_TICKETS_BY_DAY, as_of_date=as_of_date)
    if counted.empty:
        return pd.Series(dtype=float)
    counts = counted.set_index(pd.to_datetime(counted["bought_on"]))["tickets"].astype(float)
    return counts.reindex(pd.date_range(counts.index.min(), as_of_date), fill_value=0.0)


def _expect(counts: pd.Series, weekday: Floats) -> pd.Series:
    """What its quarter and its weekday let expect of each day."""
    level = counts.rolling(LEVEL_DAYS, center=True, min_periods=LEVEL_DAYS // 2).mean()
    expected: pd.Series = level * weekday[pd.DatetimeIndex(counts.index).day_of_week]
    return expected


def _estimate_weekdays(counts: pd.Series) -> Floats:
    """Share of each weekday in whole weeks of the last year, 1 being an average day."""
    weeks = min(len(counts) // WEEK, YEAR // WEEK)
    recent = counts.iloc[-weeks * WEEK :]
    mean = recent.groupby(pd.DatetimeIndex(recent.index).day_of_week).mean().reindex(range(WEEK), fill_value=0.0)
    shares: Floats = (mean / mean.mean()).to_numpy(float)
    return shares


def _look_back(counts: pd.Series, expected: pd.Series, day: pd.Timestamp) -> float:
    """How the same time of earlier years stood to what its weekdays and its quarter let expect; 0 on a day of rest."""
    same_days = [day - pd.DateOffset(years=years) for years in (1, 2)]
    same_days = [
        one for one in same_days if one - timedelta(days=BESIDE) >= counts.index[0] and one <= counts.index[-1]
    ]
    if not same_days:
        return float("nan")
    shut = (counts == 0) & (expected > BUSY)
    if all(shut[one] for one in same_days):
        return 0.0
    around = [one + timedelta(days=beside) for one in same_days for beside in range(-BESIDE, BESIDE + 1)]
    around = [one for one in around if one <= counts.index[-1] and not shut[one]]
    return float(counts[around].sum() / max(expected[around].sum(), 1e-9))
