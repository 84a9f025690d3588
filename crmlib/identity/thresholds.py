"""From which probability two records are joined: where a mistake either way is expected to cost the same.

A wrong merge and a missed one cost what the params say. How probable they are is what the model says, set right by
what people ruled about pairs, where they ruled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from crmlib.engine import Engine
from crmlib.identity.summaries import weight_of
from crmlib.params import IdentityCosts, IdentitySettings

#: How far the model is believed to be off at most times: bits of weight, and the factor of each bit.
SHIFT_SPREAD, SLOPE_SPREAD = 2.0, 0.5
LOWEST, HIGHEST = -10.0, 30.0


class Calibration(NamedTuple):
    """Log2-odds that a pair is one person: shift + slope × match_weight."""

    shift: float = 0.0
    slope: float = 1.0
    labels: int = 0

    def weight_at(self, odds: float) -> float:
        """The match weight at which the odds of one person are these (log2)."""
        return (odds - self.shift) / self.slope


def calibrate_weights(engine: Engine) -> Calibration:
    """Set the model's weights right by what people ruled.

    Parameters
    ----------
    engine : Engine
        Holds ``model_pairs``; rulings about pairs that an id decided, or contradicted, tell nothing of the weights.

    Returns
    -------
    Calibration
        The likeliest, where a shift is normal around 0 and the logarithm of the slope around 0; without rulings the
        model as it is.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. The prior takes the place of his targets.
    """
    told = engine.frame(
        "SELECT match_weight, (decision = 'same')::INT AS same FROM model_pairs "
        "WHERE decided_by = 'model' AND NOT contradicted ORDER BY ALL"
    )
    if told.empty:
        return Calibration()
    weights, same = told["match_weight"].to_numpy(), told["same"].to_numpy()

    def improbability(guess: np.ndarray) -> float:
        odds = math.log(2) * (guess[0] + math.exp(guess[1]) * weights)
        likelihood = same * odds - np.logaddexp(0.0, odds)
        prior = (guess[0] / SHIFT_SPREAD) ** 2 / 2 + (guess[1] / SLOPE_SPREAD) ** 2 / 2
        return float(prior - likelihood.sum())

    shift, log_slope = minimize(improbability, np.zeros(2), method="BFGS").x
    return Calibration(round(float(shift), 6), round(math.exp(float(log_slope)), 6), len(told))


def choose_threshold(
    settings: IdentitySettings, calibration: Calibration, match_threshold: float | None = None
) -> float:
    """Choose the probability, as the model has it, from which a pair is joined.

    Parameters
    ----------
    settings : IdentitySettings
        Its costs: a pair is joined where a wrong merge is expected to cost less than a missed one; absent, its
        match_threshold.
    calibration : Calibration
        What a probability of the model's is really worth.
    match_threshold : float, optional
        In place of all these.
    """
    costs = settings.costs or weigh_mistakes(settings.match_threshold)
    wanted = match_threshold or costs.wrong_merge / (costs.wrong_merge + costs.missed_merge)
    weight = calibration.weight_at(weight_of(wanted))
    return wanted if calibration.labels == 0 else 1 / (1 + 2.0**-weight)


def weigh_mistakes(match_threshold: float) -> IdentityCosts:
    """The costs, in missed merges, at which a threshold is the best; a look is a twentieth of a missed merge."""
    return IdentityCosts(wrong_merge=match_threshold / (1 - match_threshold), missed_merge=1.0, review=0.05)


def price_thresholds(engine: Engine, costs: IdentityCosts, calibration: Calibration) -> pd.DataFrame:
    """Estimate what the mistakes at each threshold would cost.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs``; those that an id or a reviewer decided, or that contradict, are no mistake at any.
    costs : IdentityCosts
    calibration : Calibration

    Returns
    -------
    pandas.DataFrame
        match_weight (log2, in halves, from `LOWEST` to `HIGHEST`), wrong_merges and missed_merges (expected pairs
        among those compared), precision, recall, cost_wrong, cost_missed, cost.
    """
    bins = engine.frame(
        """
        WITH judged AS (
            SELECT least(greatest(floor(2 * match_weight) / 2, $lowest), $highest) AS weight,
                   1 / (1 + 2.0 ** -($shift + $slope * match_weight)) AS probability
            FROM decided_pairs
            WHERE decided_by = 'model' AND NOT contradicted
        )
        SELECT weight, count(*) AS pairs, sum(probability::DECIMAL(20, 12))::DOUBLE AS matches
        FROM judged GROUP BY weight ORDER BY weight
        """,
        lowest=LOWEST,
        highest=HIGHEST,
        shift=calibration.shift,
        slope=calibration.slope,
    )
    frame = pd.DataFrame({"match_weight": np.arange(LOWEST, HIGHEST + 0.5, 0.5)})
    linked = frame["match_weight"].to_numpy()[:, None] <= bins["weight"].to_numpy()[None, :]
    pairs, matches = bins["pairs"].to_numpy(dtype=float), bins["matches"].to_numpy()
    right = linked @ matches
    frame["wrong_merges"] = linked @ (pairs - matches)
    frame["missed_merges"] = matches.sum() - right
    frame["precision"] = right / np.maximum(linked @ pairs, 1e-12)
    frame["recall"] = right / max(matches.sum(), 1e-12)
    frame["cost_wrong"] = costs.wrong_merge * frame["wrong_merges"]
    frame["cost_missed"] = costs.missed_merge * frame["missed_merges"]
    frame["cost"] = frame["cost_wrong"] + frame["cost_missed"]
    return frame
