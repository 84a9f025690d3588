"""Seeded campaigns of made people, a row each: skewed rates, a tenth in control, some not reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from crmlib.campaign.effects import Pair, estimate_delivered_lift, estimate_ratio_lift
from crmlib.campaign.lifts import Arm, Lift, Sample, adjust_for_before, estimate_mean_lift, estimate_rate_lift

Values = np.ndarray[tuple[int], np.dtype[np.float64]]


def sample(values: Values) -> Sample:
    return Sample(len(values), float(values.sum()), float((values**2).sum()))


def arm(after: Values, before: Values) -> Arm:
    return Arm(sample(after), sample(before), float(np.dot(after, before)))


def pair(first: Values, second: Values) -> Pair:
    return Pair(sample(first), sample(second), float(np.dot(first, second)))


@dataclass(frozen=True)
class Experiment:
    """One campaign's people.

    Parameters
    ----------
    treatment, delivered : array of bool
    before, after : array of float
        Purchases.
    sales : array of float
    """

    treatment: np.ndarray
    delivered: np.ndarray
    before: Values
    after: Values
    sales: Values

    def arms(self, values: Values) -> tuple[Values, Values]:
        """Of the treated, and of the controls."""
        return values[self.treatment], values[~self.treatment]


def draw_experiment(rng: np.random.Generator, effect: float, people: int = 2_000, reached: float = 0.8) -> Experiment:
    """A campaign whose message brings so many purchases to whoever it reaches; who buys more is reached more often."""
    rate = rng.gamma(0.5, 0.8, people)
    treatment = rng.random(people) < 0.9
    delivered = treatment & (rng.random(people) < reached + (1 - reached) * (rate > 0.4))
    before = rng.poisson(4 * rate).astype(float)
    after = (rng.poisson(rate) + delivered * rng.poisson(effect, people)).astype(float)
    sales = np.round(after * rng.gamma(2.0, 10.0, people), 2)
    return Experiment(treatment, delivered, before, after, sales)


def share_of_frequent() -> float:
    """Share of those who buy so often that every message reaches them."""
    return float(stats.gamma.sf(0.4, 0.5, scale=0.8))


def estimate_all(made: Experiment) -> dict[str, Lift | None]:
    """Every estimator's lift of one campaign."""
    after, before, sales = made.arms(made.after), made.arms(made.before), made.arms(made.sales)
    got, bought = made.arms(made.delivered.astype(float)), made.arms((made.after > 0).astype(float))
    return {
        "bought": estimate_rate_lift(*(sample(values) for values in bought)),
        "purchases": estimate_mean_lift(*adjust_for_before(arm(after[0], before[0]), arm(after[1], before[1]))),
        "delivered": estimate_delivered_lift(pair(after[0], got[0]), pair(after[1], got[1])),
        "basket": estimate_ratio_lift(pair(sales[0], after[0]), pair(sales[1], after[1])),
    }
