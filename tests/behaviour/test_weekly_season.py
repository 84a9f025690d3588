"""The strength of weeks: in two ways, of which the demand takes the one that was nearer before."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import demand
from crmlib.behaviour.weekly_season import INDEX, LAST_YEAR, LEVEL_WEEKS, find_seasons
from tests.behaviour.conftest import load_log
from tests.behaviour.test_season import PLANTED, sell

ORIGIN = date(2026, 11, 1)  # a Sunday
STORES = pd.Index(["0", "1", "0", "new"])
WEEKS = 8


def test_both_ways_find_the_planted_weeks() -> None:
    engine = load_log(sell(PLANTED.busyness[[0, 0], : PLANTED.days], date(2024, 1, 1)))
    by_day = PLANTED.busyness[0]
    first = PLANTED.days % 7  # the first Monday from which whole weeks end at the origin
    by_week = by_day[first : PLANTED.days].reshape(-1, 7).sum(axis=1)
    found = find_seasons(engine, by_week[None, :], STORES, ORIGIN, WEEKS)
    begin = PLANTED.days - 7 * LEVEL_WEEKS
    planted = by_day[begin : begin + 7 * (LEVEL_WEEKS + WEEKS)].reshape(-1, 7).mean(axis=1)
    assert found[LAST_YEAR].shape == (1, LEVEL_WEEKS + WEEKS)
    assert found[INDEX].shape == (4, LEVEL_WEEKS + WEEKS)
    assert np.corrcoef(found[INDEX][0], planted)[0, 1] > 0.9
    assert np.corrcoef(found[LAST_YEAR][0], planted)[0, 1] > 0.8
    assert (found[INDEX][3] == 1).all()  # of a store that had sold nothing, nothing is known


def test_a_short_history_has_no_index() -> None:
    engine = load_log(sell(np.ones((1, 300)), date(2026, 1, 6)))
    found = find_seasons(engine, np.ones((1, 42)), pd.Index(["0"]), ORIGIN, WEEKS)
    assert list(found) == [LAST_YEAR]
    assert (found[LAST_YEAR] == 1).all()


@pytest.mark.parametrize("right", [LAST_YEAR, INDEX])
def test_the_nearer_season_is_chosen(right: str) -> None:
    strength = np.concatenate([np.ones(LEVEL_WEEKS), np.linspace(0.5, 1.5, WEEKS)])[None, :]
    seasons = {LAST_YEAR: np.ones_like(strength), INDEX: np.ones_like(strength)} | {right: strength}
    weeks = pd.date_range("2026-01-05", periods=LEVEL_WEEKS, freq="7D")
    sold = np.full((1, LEVEL_WEEKS), 40.0)
    known = demand._History(pd.MultiIndex.from_tuples([("fruit", "0")]), weeks, sold, sold)
    actual = 40 * strength[:, LEVEL_WEEKS:]
    assert demand._choose_season(known, seasons, np.ones((1, WEEKS)), actual) == right
