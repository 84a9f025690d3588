"""Lifts where stores or postcodes were drawn, not people: a store's customers share its luck."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from crmlib.campaign.lifts import POWER, Lift

#: Fewer clusters than this in a group are no comparison.
FEWEST_CLUSTERS = 5
#: Times the draw is repeated to see what chance alone does.
PERMUTATIONS = 4_999


def estimate_cluster_lift(clusters: pd.DataFrame, confidence: float = 0.95) -> Lift:
    """Estimate a lift per person from groups of clusters.

    Parameters
    ----------
    clusters : DataFrame
        A row per cluster: treated (bool), n (people), total (of the outcome), before (total of the same people's
        outcome before; what it explains is taken off).
    confidence : float

    Returns
    -------
    Lift
        Difference of the ratios of sums; the error from the spread between clusters, with a t quantile of the number
        of clusters less two. Below `FEWEST_CLUSTERS` a group it is too narrow.

    References
    ----------
    Donner, Klar (2000), Design and analysis of cluster randomization trials, section 6.3: ratio estimator.
    Deng, Knoblich, Lu (2018), Applying the delta method in metric analytics, eq. 4.
    """
    residuals = _residuals(clusters)
    ratios, spread = {}, 0.0
    for treated in (True, False):
        group = clusters["treated"].to_numpy() == treated
        n, total = clusters["n"].to_numpy(float)[group], residuals[group]
        ratio, count = total.sum() / n.sum(), len(n)
        linear = (total - ratio * n) / n.mean()
        spread += float((linear**2).sum()) / (count - 1) / count if count > 1 else math.nan
        ratios[treated] = ratio
    error = math.sqrt(spread)
    reach = float(stats.t.ppf((1 + confidence) / 2, len(clusters) - 2)) * error
    lift = float(ratios[True] - ratios[False])
    return Lift(lift, lift - reach, lift + reach, error)


def permute_clusters(clusters: pd.DataFrame, seed: int, permutations: int = PERMUTATIONS) -> float:
    """Chance of a lift at least as large where there is none: the draw of the clusters is repeated.

    Parameters
    ----------
    clusters : DataFrame
        As for `estimate_cluster_lift`.
    seed : int
    permutations : int

    Returns
    -------
    float
        p-value, exact for any number of clusters.

    References
    ----------
    Gail, Mark, Carroll, Green, Pee (1996), On design considerations and randomization-based inference for community
    intervention trials.
    """
    n, residuals = clusters["n"].to_numpy(float), _residuals(clusters)
    treated = clusters["treated"].to_numpy(bool)
    rng = np.random.default_rng(seed)
    draws = np.concatenate([treated[None], rng.permuted(np.tile(treated, (permutations, 1)), axis=1)])
    lifts = (draws @ residuals) / (draws @ n) - (~draws @ residuals) / (~draws @ n)
    return float((np.abs(lifts) >= abs(lifts[0]) - 1e-12).mean())


def detectable_cluster_effect(clusters: pd.DataFrame, confidence: float = 0.95) -> float:
    """Smallest lift per person that so many clusters show four times out of five."""
    freedom = len(clusters) - 2
    quantiles = stats.t.ppf((1 + confidence) / 2, freedom) + stats.t.ppf(POWER, freedom)
    return float(quantiles) * estimate_cluster_lift(clusters, confidence).standard_error


def _residuals(clusters: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Totals, less what the people's outcome before explains of them, per person and within the groups."""
    n, total, before = (clusters[name].to_numpy(float) for name in ("n", "total", "before"))
    treated = clusters["treated"].to_numpy(bool)
    centred = np.zeros((2, len(n)))
    for group in (treated, ~treated):
        for place, values in enumerate((total, before)):
            centred[place, group] = values[group] - values[group].sum() / n[group].sum() * n[group]
    spread = float(centred[1] @ centred[1])
    theta = float(centred[0] @ centred[1]) / spread if spread > 0 and len(n) > 3 else 0.0
    residuals: np.ndarray[tuple[int], np.dtype[np.float64]] = total - theta * (before - before.sum() / n.sum() * n)
    return residuals
