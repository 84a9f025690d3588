"""How strong the weeks of the last quarter were, and those ahead will be: two ways to tell it, for the demand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.season import learn_season
from crmlib.engine import Engine

#: Weeks over which a level is taken, weeks in a year.
LEVEL_WEEKS, YEAR_WEEKS = 13, 52
#: How far a season may move a forecast.
MOST_SHIFT = 3.0
LAST_YEAR, INDEX = "last_year", "season_index"


def find_seasons(engine: Engine, units: Floats, stores: pd.Index, origin: date, weeks: int) -> dict[str, Floats]:
    """The strength of each week in each way that the history allows.

    Parameters
    ----------
    engine : Engine
        With table tickets.
    units : ndarray
        Sold by cell and week, up to the origin.
    stores : Index
        Store of each cell.
    origin : date
        A Sunday; nothing later is read.
    weeks : int
        How far ahead.

    Returns
    -------
    dict of str to ndarray
        `LAST_YEAR` always, `INDEX` where the times of the year were known a quarter before the origin -> cells (or 1) ×
        the last `LEVEL_WEEKS` weeks and those ahead.
    """
    found = {LAST_YEAR: _last_year(units.sum(axis=0), weeks)[None, :]}
    days = 7 * (LEVEL_WEEKS + weeks)
    season = learn_season(engine, origin - timedelta(weeks=LEVEL_WEEKS), days)
    if season.knows_year:
        by_week = season.busyness.to_numpy().reshape(-1, LEVEL_WEEKS + weeks, 7).mean(axis=2)
        strength = pd.DataFrame(by_week, season.busyness.index)
        found[INDEX] = np.clip(strength.reindex(stores).fillna(1.0).to_numpy(), 1 / MOST_SHIFT, MOST_SHIFT)
    return found


def _last_year(total: Floats, weeks: int) -> Floats:
    """How last year's same weeks stood to the half year around them, over all cells.

    1 without a year and a quarter of history. What grew last year is no season, so each week is set against what lay
    on both sides of it.
    """
    if len(total) < YEAR_WEEKS + 2 * LEVEL_WEEKS:
        return np.ones(LEVEL_WEEKS + weeks)
    start = len(total) - YEAR_WEEKS - LEVEL_WEEKS
    around = pd.Series(total).rolling(2 * LEVEL_WEEKS + 1, center=True, min_periods=LEVEL_WEEKS).mean().to_numpy()
    season: Floats = (total / np.maximum(around, 1e-9))[start : start + LEVEL_WEEKS + weeks]
    return np.clip(season, 1 / MOST_SHIFT, MOST_SHIFT)
