"""More of a randomised comparison: the effect on those it reached, on a ratio, and which lifts outlive chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # ships none

from crmlib.campaign.lifts import Lift, Sample


@dataclass(frozen=True)
class Pair:
    """Two values of the same people of one group, and the sum of their products.

    Parameters
    ----------
    first, second : Sample
    products : float
    """

    first: Sample
    second: Sample
    products: float

    @property
    def covariance(self) -> float:
        """Covariance of the two, unbiased."""
        n = self.first.n
        return (self.products - n * self.first.mean * self.second.mean) / (n - 1) if n > 1 else math.nan


def estimate_delivered_lift(treated: Pair, control: Pair, confidence: float = 0.95) -> Lift | None:
    """Estimate what the message did to those who received it because they were assigned to.

    Parameters
    ----------
    treated, control : Pair
        The outcome, and whether the message was delivered (0 or 1).
    confidence : float

    Returns
    -------
    Lift or None
        The instrumental-variable estimate, assignment being the instrument: the lift of all assigned, divided by the
        share that assignment got a delivery to. None where it got none to anybody.

    References
    ----------
    Angrist, Imbens, Rubin (1996), Identification of causal effects using instrumental variables, eq. 9; the error by
    the delta method (Imbens, Rubin 2015, Causal inference, section 23.8).
    """
    reached = treated.second.mean - control.second.mean
    if not reached > 0:
        return None
    lift = (treated.first.mean - control.first.mean) / reached
    spread = sum(
        (group.first.variance - 2 * lift * group.covariance + lift**2 * group.second.variance) / group.first.n
        for group in (treated, control)
    )
    return _normal(lift, math.sqrt(max(spread, 0.0)) / reached, confidence)


def estimate_ratio_lift(treated: Pair, control: Pair, confidence: float = 0.95) -> Lift | None:
    """Estimate the difference of two ratios of sums, such as sales per purchase.

    Parameters
    ----------
    treated, control : Pair
        What is divided, and by what, per person: people are what was drawn, not purchases.
    confidence : float

    Returns
    -------
    Lift or None
        By the delta method; None where a group has nothing to divide by.

    References
    ----------
    Deng, A., Knoblich, U., Lu, J. (2018). Applying the delta method in metric analytics, KDD '18, eq. 4.
    """
    if not (treated.second.mean > 0 and control.second.mean > 0):
        return None
    ratios, spread = [], 0.0
    for group in (treated, control):
        ratio = group.first.mean / group.second.mean
        variance = group.first.variance - 2 * ratio * group.covariance + ratio**2 * group.second.variance
        spread += max(variance, 0.0) / (group.first.n * group.second.mean**2)
        ratios.append(ratio)
    return _normal(ratios[0] - ratios[1], math.sqrt(spread), confidence)


def find_p_value(lift: Lift) -> float:
    """Chance of a lift at least as far from 0 where there is none (two-sided, normal)."""
    if lift.standard_error == 0:
        return 1.0 if lift.lift == 0 else 0.0
    return float(2 * stats.norm.sf(abs(lift.lift) / lift.standard_error))


def adjust_p_values(p_values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Adjust p-values for how many campaigns were looked at.

    Parameters
    ----------
    p_values : sequence of float
        NaN where there is none.

    Returns
    -------
    ndarray of float
        Those below 0.05 hold, in the long run, one false finding in twenty, however many campaigns there are.

    References
    ----------
    Benjamini, Hochberg (1995), Controlling the false discovery rate.
    """
    given = np.asarray(p_values, float)
    adjusted = np.full(len(given), np.nan)
    known = ~np.isnan(given)
    if known.any():
        adjusted[known] = multipletests(given[known], method="fdr_bh")[1]
    return adjusted


def _normal(lift: float, error: float, confidence: float) -> Lift:
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return Lift(lift, lift - reach, lift + reach, error)
