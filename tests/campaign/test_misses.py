"""How far off whole cohorts may be, learnt from where it was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.cohorts import COHORTS, place_cohorts
from crmlib.campaign.comparison import measure_plans
from crmlib.campaign.misses import (
    MOST_OFF,
    SPREADS,
    CohortMisses,
    Misses,
    condition,
    draw_levels,
    draw_tilts,
    estimate_misses,
    never_off,
    no_misses,
)
from crmlib.campaign.posterior import Rhythm, read_rhythm
from crmlib.campaign.scenario import make_horizon, make_scenarios
from crmlib.campaign.simulation import World
from crmlib.params import StageSettings
from tests.campaign.made_base import FIRST_DAY, gather, make_base
from tests.campaign.made_plans import make_plan
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
    return estimate_misses(engine, RHYTHM).level


def show_tilts(engine, tilt: np.ndarray, days: int = 91, near: int = 28) -> None:
    """Origins × cohorts, right in sum, and off by so much more on the far days than on the near ones."""
    rows = []
    for place, row in enumerate(tilt):
        for cohort, one in enumerate(row):
            near_came, far_came = near * np.exp(-one / 2), (days - near) * np.exp(one / 2)
            came = 40_000.0 * days / 91 * np.array([near_came, near_came + far_came]) / (near_came + far_came)
            rows += [
                {
                    "origin": date(2020, 1, 1) + timedelta(days=91 * place), "cohort": NAMES[cohort],
                    "horizon": horizon, "customers": 1_000, "expected": 40_000.0 * horizon / 91,
                    "happened": happened, "chance": 200.0,
                }
                for horizon, happened in zip((near, days), came, strict=True)
            ]  # fmt: skip
    make_table(engine, "cohort_misses", rows)


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
    drawn = np.log([draw_levels(of_level(found), 1, replicate) for replicate in range(400)])
    assert np.corrcoef(drawn.T).min() > 0.9
    assert drawn[:, 3].std() == pytest.approx(planted.std(), rel=0.3)


def test_what_the_unrest_of_weeks_explains_is_no_miss(engine):
    random = np.random.default_rng(6)
    show(engine, np.broadcast_to(0.03 * random.standard_normal((12, 1)), (12, 4)))
    alone, beside = (estimate_misses(engine, RHYTHM, unrest).level.spread[3] for unrest in (0.0, 0.03 * 13**0.5))
    assert beside < 0.6 * alone


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
    found = estimate_misses(engine, RHYTHM)
    assert draw_levels(found, 1, 1).tolist() == [1.0] * 4
    assert draw_tilts(found, 120, 1, 1).tolist() == [[1.0] * 120] * 4


def test_where_no_shorter_horizon_was_told_of_nothing_is_known_of_tilts(engine):
    show(engine, np.array([[0.3, -0.2, 0.0, 0.0]]))
    assert draw_tilts(estimate_misses(engine, RHYTHM), 91, 1, 1).tolist() == [[1.0] * 91] * 4


def test_tilts_that_were_planted_are_found(engine):
    random = np.random.default_rng(8)
    lasting, shared = np.array([0.5, 0.2, 0.0, 0.0]), 0.05 * random.standard_normal((10, 1))
    show_tilts(engine, lasting + shared)
    found = estimate_misses(engine, RHYTHM)
    assert found.days == 91
    assert found.tilt.mean == pytest.approx(lasting, abs=0.1)
    assert found.tilt.spread == pytest.approx(shared.std(), abs=0.08)
    assert found.level.mean == pytest.approx(-0.7 * lasting, abs=0.1)  # what came of the whole was as expected
    assert found.near == 28
    drawn = np.array([draw_tilts(found, 91, 1, replicate) for replicate in range(400)])
    halves = drawn[:, :, 28:].mean(axis=2) / drawn[:, :, :28].mean(axis=2)
    assert np.log(halves).mean(axis=0) == pytest.approx(lasting, abs=0.1)


def test_a_tilt_seen_within_a_shorter_horizon_is_steeper(engine):
    show_tilts(engine, np.tile([0.2, 0.0, 0.0, 0.0], (8, 1)), days=45, near=14)
    short = estimate_misses(engine, RHYTHM)
    assert short.days == 45
    show_tilts(engine, np.tile([0.2, 0.0, 0.0, 0.0], (1, 1)), days=45, near=14)
    engine.execute("CREATE TABLE halved AS SELECT * FROM cohort_misses")
    show_tilts(engine, np.tile([0.4, 0.0, 0.0, 0.0], (8, 1)))
    engine.execute("INSERT INTO made_cohort_misses BY NAME SELECT * REPLACE (DATE '2019-01-01' AS origin) FROM halved")
    both = estimate_misses(engine, RHYTHM)
    assert both.tilt.mean == pytest.approx([0.4, 0.0, 0.0, 0.0], abs=0.03)  # 0.2 within half as many days
    assert both.tilt.spread[0] < 0.1


def test_a_tilt_stays_as_it_is_beyond_the_horizon():
    tilted = CohortMisses(no_misses(), alike(np.array([0.4, 0.0, 0.0, 0.0]), 0.0), 28, 91)
    drawn = draw_tilts(tilted, 182, 1, 1)
    assert drawn[0][:14].tolist() == [1.0] * 14
    assert (np.diff(drawn[0][14:91]) > 0).all()
    assert drawn[0][59] == pytest.approx(np.exp(0.4))  # the middle of the far days
    assert drawn[0][91:] == pytest.approx(drawn[0][90], rel=0.01)
    assert drawn[1:].tolist() == [[1.0] * 182] * 3
    assert np.array_equal(draw_tilts(tilted, 40, 1, 1), drawn[:, :40])


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
        found = condition(seen, np.full(12, 0.02**2), np.zeros(12), origin, cohort, WEIGHT)
        which = random.choice(len(found.chances), 300, p=found.chances)
        drawn = found.level[which] + np.einsum("gij,gj->gi", found.root[which], random.standard_normal((300, 4)))
        low, high = np.quantile(drawn, (0.1, 0.9), axis=0)
        inside += ((low <= off[3]) & (off[3] <= high)).tolist()
    assert np.mean(inside) == pytest.approx(0.8, abs=0.06)


def alike(level: np.ndarray, spread: float) -> Misses:
    return Misses(np.ones(1), level[None], spread * np.eye(4)[None])


def of_level(level: Misses) -> CohortMisses:
    return CohortMisses(level, no_misses(), 28, 91)


def test_draws_are_on_average_the_level_and_alike_whenever_they_are_drawn():
    misses = alike(np.log([2.0, 1.0, 1.0, 1.0]), 0.2)
    drawn = np.array([draw_levels(of_level(misses), 3, replicate) for replicate in range(4_000)])
    assert drawn.mean(axis=0) == pytest.approx([2.0, 1.0, 1.0, 1.0], rel=0.02)
    assert np.log(drawn).std(axis=0) == pytest.approx(0.2, rel=0.05)
    assert np.array_equal(draw_levels(of_level(misses), 3, 9), drawn[9])
    wild = np.array([draw_levels(of_level(alike(np.zeros(4), 2.0)), 3, one) for one in range(100)])
    assert wild.min() == pytest.approx(1 / MOST_OFF)
    assert wild.max() == pytest.approx(MOST_OFF)


def test_cohorts_go_by_repeat_purchase_days():
    assert place_cohorts(pd.Series([0, 1, 4, 5, 19, 20, 900, np.nan])).tolist() == [0, 1, 1, 2, 2, 3, 3, 0]


def test_purchases_go_with_the_level_and_stray_with_the_spread(engine):
    make_base(engine, 400)
    everybody, horizon = gather(engine), make_horizon(FIRST_DAY, np.ones(56))
    world = World(engine, everybody, horizon, read_rhythm(engine), StageSettings(), 7)

    def follow(misses: CohortMisses) -> np.ndarray:
        return replace(world, misses=misses).simulate([], 40).without.counts["purchases"]

    def purchases(level: Misses) -> np.ndarray:
        return follow(of_level(level)).sum(axis=1)

    plain = follow(never_off()).sum(axis=1)
    level = np.where(np.arange(4) == 2, np.log(1.5), 0.0)  # all of them have bought on eleven days
    assert purchases(alike(level, 0.0)).mean() == pytest.approx(1.5 * plain.mean(), rel=0.03)
    strayed = purchases(alike(np.zeros(4), 0.3))
    assert strayed.std() > 2 * plain.std()
    assert strayed.mean() == pytest.approx(plain.mean(), rel=0.15)
    tilted = follow(CohortMisses(no_misses(), alike(np.full(4, 0.5), 0.0), 14, 56))
    untilted = follow(never_off())
    assert tilted[:, :7].sum() == pytest.approx(untilted[:, :7].sum())
    assert tilted[:, 28:42].sum() / untilted[:, 28:42].sum() == pytest.approx(np.exp(0.5), rel=0.1)


def test_a_tilt_is_on_average_its_level_on_every_day_and_strays_more_the_further_ahead():
    strays = CohortMisses(no_misses(), alike(np.full(4, 0.2), 0.3), 28, 91)
    drawn = np.array([draw_tilts(strays, 120, 5, replicate) for replicate in range(3_000)])
    told = np.log(drawn.mean(axis=0)[:, [0, 59, 119]])
    assert told == pytest.approx(np.tile([0.0, 0.2, 0.2 * 77 / 45.5], (4, 1)), abs=0.04)
    assert (np.diff(drawn.std(axis=0)[:, ::30]) > 0).all()


def test_plans_meet_the_same_tilt_so_that_their_difference_stays_sharp(engine):
    make_base(engine, 400)
    everybody, horizon = gather(engine), make_horizon(FIRST_DAY, np.ones(56))
    wild = CohortMisses(alike(np.zeros(4), 0.4), alike(np.zeros(4), 0.4), 14, 56)
    world = World(engine, everybody, horizon, read_rhythm(engine), StageSettings(), 7, misses=wild)
    leaflet = {"id": "leaflet", "response": {"lift": 0.4, "window": "14d"}, "cooldown": "1d"}
    plans = [make_plan(leaflet), make_plan(leaflet, caps=[{"scope": "global", "max": 1, "days": 28}])]
    plans = [
        one.model_copy(update={"plan": one.plan.model_copy(update={"id": f"p{i}"})}) for i, one in enumerate(plans)
    ]
    measured = measure_plans(world.simulate(make_scenarios(engine, plans), 30))
    busy, calm = (measured[name]["purchases"] for name in ("p0", "p1"))
    apart = busy - np.roll(calm, 1)  # as if each plan met its own luck
    assert (busy - calm).std() < 0.4 * apart.std()
    assert (busy > calm).all()


def judge_weeks(engine, drift: float, season: float, origins: int = 4, worlds: int = 25) -> np.ndarray:
    """How often purchases of near and far weeks lay inside 80 %, where a base drifts or has a season nobody knows."""
    random, near, expected, chance = np.random.default_rng(11), 4, 2_000.0, 0.03
    inside = []
    for _ in range(worlds):
        quarters = []
        turn = random.random()
        for origin in range(origins + 1):
            week = np.arange(13 * origin, 13 * (origin + 1))
            of_year = season * np.sin(2 * np.pi * (week / 52 + turn))
            of_year -= season * np.sin(2 * np.pi * ((week[0] - 6.5) / 52 + turn))  # beside the quarter before
            walk = np.cumsum(drift * random.standard_normal((4, 13)), axis=1)
            quarters.append(expected * np.exp(of_year + walk + chance * random.standard_normal((4, 13))))
        rows = [
            {
                "origin": date(2020, 1, 1) + timedelta(days=91 * origin), "cohort": NAMES[cohort], "horizon": 7 * weeks,
                "customers": 1_000, "expected": expected * weeks, "happened": came[cohort, :weeks].sum(),
                "chance": chance * expected * weeks**0.5,
            }
            for origin, came in enumerate(quarters[:-1])
            for cohort in range(4)
            for weeks in (near, 13)
        ]  # fmt: skip
        make_table(engine, "cohort_misses", rows)
        found = estimate_misses(engine, RHYTHM)
        drawn = [
            draw_levels(found, 3, one)[:, None] * draw_tilts(found, 91, 3, one)[:, 3::7] for one in range(150)
        ] * np.exp(chance * random.standard_normal((150, 4, 13)))
        low, high = np.quantile(expected * drawn, (0.1, 0.9), axis=0)
        inside.append((low <= quarters[-1]) & (quarters[-1] <= high))
    by_week = np.mean(inside, axis=(0, 1))
    return np.array([by_week[:near].mean(), by_week[near:].mean()])


@pytest.mark.parametrize(
    ("drift", "season"),
    [(0.0, 0.0), (0.03, 0.1), *(pytest.param(*one, marks=pytest.mark.full) for one in ((0.03, 0.0), (0.0, 0.15)))],
)
def test_weeks_near_and_far_lie_inside_as_often_as_said_whatever_a_base_does(engine, drift, season):
    assert judge_weeks(engine, drift, season) == pytest.approx(0.8, abs=0.08)
