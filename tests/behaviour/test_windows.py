"""A window that is too narrow on one date holds on the next once it has learnt from the first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.histories import PurchaseModel, simulate_histories
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.rhythm import RhythmFitter
from crmlib.behaviour.scoring import place_next_purchases
from crmlib.behaviour.windows import AS_TOLD, WindowCalibration, bracket_next_purchases, train_window

TRUE = {"k": 1.0, "r": 1.5, "alpha": 12.0, "a": 0.4, "b": 4.0}


def model_of(**changed: float) -> PurchaseModel:
    fitter = RhythmFitter()
    fitter.params_ = pd.Series(TRUE | changed)
    return PurchaseModel("rhythm", fitter, 1)


def draw(seed: int, customers: int = 6_000) -> pd.DataFrame:
    ages = np.random.default_rng(seed).uniform(60, 200, customers)
    drawn = simulate_histories(pd.Series(TRUE), ages, 91, seed)
    return drawn.assign(next_purchase_days=np.ceil(drawn["next_purchase"]))


def inside(places: Floats) -> float:
    return float(((places >= 0.1) & (places <= 0.9)).mean())


def test_a_window_too_narrow_is_widened_by_what_an_earlier_date_taught() -> None:
    narrow = model_of(k=3.0, alpha=TRUE["alpha"] / 3)
    earlier, later = draw(1), draw(2)
    learnt = train_window(narrow, earlier, 91)
    told = inside(place_next_purchases(narrow, later, 91, seed=3))
    assert told < 0.75
    assert inside(place_next_purchases(narrow, later, 91, seed=3, window=learnt)) == pytest.approx(0.8, abs=0.03)


def test_what_is_learnt_is_the_likeliest() -> None:
    narrow, earlier = model_of(k=3.0, alpha=TRUE["alpha"] / 3), draw(1)
    learnt = train_window(narrow, earlier, 91)
    before, until = bracket_next_purchases(narrow, earlier, 91)

    def log_likelihood(a: float, b: float) -> float:
        window = WindowCalibration(a, b)
        return float(np.log(np.maximum(window.bend(until) - window.bend(before), 1e-12)).sum())

    best = log_likelihood(learnt.a, learnt.b)
    for a, b in ((1.03, 1), (0.97, 1), (1, 1.03), (1, 0.97)):
        assert log_likelihood(learnt.a * a, learnt.b * b) < best


def test_a_window_that_holds_is_left_as_it_is() -> None:
    learnt = train_window(model_of(), draw(1), 91)
    assert (learnt.a, learnt.b) == pytest.approx((1, 1), abs=0.06)
    assert train_window(model_of(), draw(1, customers=80), 91) == AS_TOLD


@pytest.mark.parametrize("window", [AS_TOLD, WindowCalibration(0.6, 0.7), WindowCalibration(2.0, 0.5)])
def test_a_level_is_where_the_bent_chance_is(window: WindowCalibration) -> None:
    alive = np.array([0.05, 0.5, 0.999, 1.0])
    for q in (0.1, 0.5, 0.9):
        level = window.find_level(q, alive)
        assert window.bend(level * alive) == pytest.approx(q * window.bend(alive), rel=1e-9)
    assert (window.find_level(0.1, alive) < window.find_level(0.9, alive)).all()
    assert (window.find_level(0.5, np.array([0.0])) >= 0).all()
