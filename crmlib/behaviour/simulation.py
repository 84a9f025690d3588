"""Draws from the purchase models: purchases to come, and parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.rhythm import RhythmFitter, as_rhythm


def simulate_purchases(
    histories: pd.DataFrame, model: PurchaseModel, days: float, draws: int, random: np.random.Generator
) -> Floats:
    """Draw numbers of purchases from the model's predictive distribution.

    Parameters
    ----------
    histories : DataFrame
        Columns frequency, recency, T (days).
    model : PurchaseModel
        MBG/NBD or MBG/CNBD-k; for a real k, draws alternate between its neighbours.
    days : float
        How far ahead.
    draws : int
        Draws for each customer.
    random : Generator

    Returns
    -------
    ndarray
        Customers × draws.
    """
    fitter: RhythmFitter = as_rhythm(model).fitter
    unit = model.days_per_unit
    x, t_x, age = (histories[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    t_x, age, ahead = t_x / unit, age / unit, days / unit
    k, r, alpha, a, b = fitter.params_[["k", "r", "alpha", "a", "b"]]
    alive = random.random((len(x), draws)) < fitter.conditional_probability_alive(x, t_x, age)[:, None]
    below = max(int(k), 1)
    of_above = int(np.rint(np.clip((1 / below - 1 / k) * below * (below + 1), 0, 1) * draws))
    stages = np.empty((len(x), draws))
    for neighbour, columns in ((below, slice(of_above, draws)), (below + 1, slice(0, of_above))):
        size = (len(x), columns.stop - columns.start)
        now = alpha * k / neighbour + age
        passed = _draw_passed_stages(neighbour, r + neighbour * x, (age - t_x) / now, random.random(size))
        rate = random.standard_gamma((r + neighbour * x)[:, None] + passed) / now[:, None]
        stages[:, columns] = (passed + random.poisson(rate * ahead)) // neighbour
    leaving = np.maximum(random.beta(a, (b + x + 1)[:, None], (len(x), draws)), 1e-12)
    until_left = random.geometric(leaving)
    return np.where(alive, np.minimum(stages, until_left), 0.0)


def _draw_passed_stages(k: int, n: Floats, u: Floats, uniform: Floats) -> Floats:
    """Draw how many of a gap's k stages have passed since the last purchase, of customers alive."""
    weights = np.ones((len(n), k))
    for i in range(1, k):
        weights[:, i] = weights[:, i - 1] * (n + i - 1) * u / i
    below = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    passed: Floats = (uniform[:, :, None] > below[:, None, :-1]).sum(axis=2).astype(float)
    return passed


def draw_parameters(model: PurchaseModel, random: np.random.Generator) -> PurchaseModel:
    """The model under other parameters, drawn from the covariance of its fit (normal in their logarithms)."""
    values = model.fitter.params_
    covariance = model.fitter.variance_matrix_.to_numpy(float) / np.outer(values, values)
    step = np.clip(random.multivariate_normal(np.zeros(len(values)), covariance, check_valid="ignore"), -1, 1)
    fitter: Any = type(model.fitter)()
    fitter.params_ = values * np.exp(step)
    return PurchaseModel(model.name, fitter, model.days_per_unit)
