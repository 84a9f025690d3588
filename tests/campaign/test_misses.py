"""How far off whole cohorts may be, learnt from where it was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.cohorts import COHORTS, place_cohorts
from crmlib.campaign.misses import (
    MOST_OFF,
    SPREADS,
    Misses,
    condition,
    draw_misses,
    estimate_misses,
    no_misses,
)
from crmlib.campaign.posterior import Rhythm, read_rhythm
from crmlib.campaign.scenario import make_horizon
from crmlib.campaign.simulation import World
from crmlib.params import StageSettings
from tests.campaign.made_base import FIRST_DAY, gather, make_base
from tests.made_tables import make_table

NAMES = list(COHORTS.values())
RHYTHM = Rhythm(1.0, 1.0, 20.0, 0.6, 20.0, np.zeros((5, 5)))
WEIGHT = 1 / (1 + np.array(list(COHORTS)))


def show(engine, off: np.ndarray, expected: float = 40_000.0, chance: float = 200.0) -> None:
    """Origins × cohorts, each off by so much in logarithms."""
    rows = [
        {
            "origin": date(2020, 1, 1) + timedelta(days=91 * place), "cohort": NAMES[cohort], "horizon": 91,
            "customers": 1_000, "expected": expected, "happened": expected * np.exp(one), "chance": chance,
        }
        for place, row in enumerate(off)
        for cohort, one in enumerate(row)
    ]  # fmt: skip
    make_table(engine, "cohort_misses", rows)


def estimate(engine) -> Misses:
    return estimate_misses(engine, RHYTHM)


def test_level_and_spreads_that_were_planted_are_found(engine):
    random = np.random.default_rng(3)
    shared, passing = 0.05 * random.standard_normal((12, 1)), 0.2 * WEIGHT * random.standard_normal((12, 4))
    level, chance = np.array([0.4, -0.2, 0.05, 0.0]), 0.005 * random.standard_normal((12, 4))
    show(engine, level + shared + passing + chance)
    found = estimate(engine)
    assert found.mean == pytest.approx(level, abs=0.12)
    assert found.spread == pytest.approx(np.hypot(shared.std(), 0.2 * WEIGHT), rel=0.5)


def test_what_chance_explains_is_no_spread(engine):
    random = np.random.default_rng(4)
    show(engine, 0.05 * random.standard_normal((10, 4)), expected=10_000, chance=500)
    found = estimate(engine)
    assert found.mean == pytest.approx(0.0, abs=0.03)
    assert (found.spread < 0.04).all()


def test_one_origin_tells_little_of_the_level_and_widens(engine):
    show(engine, np.array([[0.4, -0.2, 0.03, 0.0]]))
    found = estimate(engine)
    assert 0.0 < found.mean[0] < 0.28
    assert found.spread[0] > found.spread[1] > found.spread[2] > found.spread[3] > 0


def test_the_level_goes_as_far_as_origins_agree(engine):
    show(engine, np.array([[0.3, 0.2, 0.0, 0.0], [0.3, -0.2, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]]))
    some = estimate(engine)
    assert some.mean[1] == pytest.approx(0.0, abs=0.01)
    show(engine, np.full((3, 4), 0.3) * [1, 0.5, 0, 0])
    all_of_them = estimate(engine)
    assert all_of_them.mean == pytest.approx([0.3, 0.15, 0.0, 0.0], abs=0.01)
    assert 0 < some.mean[0] < all_of_them.mean[0]
    assert (some.spread > 2 * all_of_them.spread).all()


def test_what_takes_all_along_is_shared(engine):
    random = np.random.default_rng(6)
    planted = 0.2 * random.standard_normal((12, 1))
    show(engine, np.broadcast_to(planted, (12, 4)))
    found = estimate(engine)
    drawn = np.log([draw_misses(found, 1, replicate) for replicate in range(400)])
    assert np.corrcoef(drawn.T).min() > 0.9
    assert drawn[:, 3].std() == pytest.approx(planted.std(), rel=0.3)


def test_a_cohort_that_never_was_seen_strays_as_the_others_let_expect(engine):
    show(engine, np.array([[0.3, -0.2], [-0.4, 0.2], [0.2, 0.1]]))
    found = estimate(engine)
    assert 0 < found.spread[3] < found.spread[0]
    assert found.mean[3] == pytest.approx(0.0, abs=0.01)


def test_a_cohort_of_which_nothing_was_expected_and_nothing_came_is_no_error(engine):
    show(engine, np.zeros((2, 4)), expected=0.0, chance=0.0)
    found = estimate(engine)
    assert np.isfinite(found.spread).all()
    assert found.mean == pytest.approx(0.0)


def test_without_an_earlier_origin_nobody_is_off(engine):
    make_table(engine, "cohort_misses")
    assert draw_misses(estimate(engine), 1, 1).tolist() == [1.0] * 4


def test_what_will_come_lies_inside_as_often_as_said():
    """The model's own worlds, few origins each: the spread that few origins leave open is in the interval."""
    random = np.random.default_rng(7)
    origin, cohort = np.repeat(range(3), 4), np.tile(range(4), 3)
    inside = []
    for _ in range(150):
        lasting, shared, passing = random.choice(SPREADS, 3)
        level = lasting * WEIGHT * random.standard_normal(4)
        off = level + shared * random.standard_normal((4, 1)) + passing * WEIGHT * random.standard_normal((4, 4))
        seen = off[:3].ravel() + 0.02 * random.standard_normal(12)
        found = condition(seen, np.full(12, 0.02**2), origin, cohort, WEIGHT)
        which = random.choice(len(found.chances), 300, p=found.chances)
        drawn = found.level[which] + np.einsum("gij,gj->gi", found.root[which], random.standard_normal((300, 4)))
        low, high = np.quantile(drawn, (0.1, 0.9), axis=0)
        inside += ((low <= off[3]) & (off[3] <= high)).tolist()
    assert np.mean(inside) == pytest.approx(0.8, abs=0.06)


def alike(level: np.ndarray, spread: float) -> Misses:
    return Misses(np.ones(1), level[None], spread * np.eye(4)[None])


def test_draws_are_on_average_the_level_and_alike_whenever_they_are_drawn():
    misses = alike(np.log([2.0, 1.0, 1.0, 1.0]), 0.2)
    drawn = np.array([draw_misses(misses, 3, replicate) for replicate in range(4_000)])
    assert drawn.mean(axis=0) == pytest.approx([2.0, 1.0, 1.0, 1.0], rel=0.02)
    assert np.log(drawn).std(axis=0) == pytest.approx(0.2, rel=0.05)
    assert np.array_equal(draw_misses(misses, 3, 9), drawn[9])
    wild = np.array([draw_misses(alike(np.zeros(4), 2.0), 3, one) for one in range(100)])
    assert wild.min() == pytest.approx(1 / MOST_OFF)
    assert wild.max() == pytest.approx(MOST_OFF)


def test_cohorts_go_by_repeat_purchase_days():
    assert place_cohorts(pd.Series([0, 1, 4, 5, 19, 20, 900, np.nan])).tolist() == [0, 1, 1, 2, 2, 3, 3, 0]


def test_purchases_go_with_the_level_and_stray_with_the_spread(engine):
    make_base(engine, 400)
    everybody, horizon = gather(engine), make_horizon(FIRST_DAY, np.ones(56))
    world = World(engine, everybody, horizon, read_rhythm(engine), StageSettings(), 7)

    def purchases(misses: Misses) -> np.ndarray:
        return replace(world, misses=misses).simulate([], 40).without.counts["purchases"].sum(axis=1)

    plain = purchases(no_misses())
    level = np.where(np.arange(4) == 2, np.log(1.5), 0.0)  # all of them have bought on eleven days
    assert purchases(alike(level, 0.0)).mean() == pytest.approx(1.5 * plain.mean(), rel=0.03)
    strayed = purchases(alike(np.zeros(4), 0.3))
    assert strayed.std() > 2 * plain.std()
    assert strayed.mean() == pytest.approx(plain.mean(), rel=0.15)
