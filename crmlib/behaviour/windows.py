"""The window of the next purchase, set so that it held on an earlier date.

Where each next purchase fell in its forecast distribution is uniform on 0–1 if the distribution is right. Where it was
not, on an earlier origin, a beta distribution is fitted to the places, and the forecast's levels are bent by it.

References
----------
Gneiting, Ranjan (2013), Combining Predictive Distributions, Electronic Journal of Statistics 7: the beta transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betainc, betaincinv

from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats

_MIN_CASES = 100  # who came back, under which nothing is learnt
_TINY = 1e-12
_LOG_BOUND = 2.0
_START = np.array([[0.0, 0.0], [-0.3, 0.0], [0.0, -0.3]])


@dataclass(frozen=True)
class WindowCalibration:
    """How a model's distribution of the next purchase is bent: chances of a purchase by then -> chances that held.

    Parameters
    ----------
    a, b : float
        Of the beta distribution of places; 1 and 1 bend nothing, below 1 widens that end.
    """

    a: float = 1.0
    b: float = 1.0

    def bend(self, p: Floats) -> Floats:
        """The chance that held, where the model says `p`."""
        held: Floats = betainc(self.a, self.b, p)
        return held

    def find_level(self, q: float, p_alive: Floats) -> Floats:
        """The share of the model's own distribution, if still a customer, at which the bent one has reached q."""
        reached = betaincinv(self.a, self.b, q * self.bend(p_alive))
        level: Floats = np.clip(reached / np.maximum(p_alive, _TINY), 0.0, 1.0)
        return level


#: The model's own distribution.
AS_TOLD = WindowCalibration()


def bracket_next_purchases(model: PurchaseModel, frame: pd.DataFrame, horizon_days: int) -> tuple[Floats, Floats]:
    """Chances of a purchase before the day of the next one, and by its end; of who did not return, from the horizon on.

    Parameters
    ----------
    model : PurchaseModel
        As trained at the frame's date.
    frame : DataFrame
        What `summarise_calibration_and_holdout` gives for it.
    horizon_days : int
    """
    came = frame["next_purchase_days"].to_numpy(float)
    gone = ~(came <= horizon_days)
    before = model.p_buy(frame, np.where(gone, horizon_days, came - 1))
    until = np.where(gone, 1.0, model.p_buy(frame, np.where(gone, horizon_days, came)))
    return before, until


def train_window(model: PurchaseModel, frame: pd.DataFrame, horizon_days: int) -> WindowCalibration:
    """Fit the beta distribution of places at an origin whose future is known, by maximum likelihood.

    Returns
    -------
    WindowCalibration
        One that bends nothing, where too few came back to learn from.
    """
    before, until = bracket_next_purchases(model, frame, horizon_days)
    if int((frame["next_purchase_days"] <= horizon_days).sum()) < _MIN_CASES:
        return AS_TOLD

    def mean_nll(at: Floats) -> float:
        a, b = np.exp(at)
        return -float(np.log(np.maximum(betainc(a, b, until) - betainc(a, b, before), _TINY)).mean())

    # by a simplex: differences of chances so near each other are too rough for a numeric gradient
    found = minimize(
        mean_nll,
        np.zeros(2),
        method="Nelder-Mead",
        bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 2,
        options={"initial_simplex": _START, "xatol": 1e-3, "fatol": 1e-7},
    )
    a, b = np.exp(found.x)
    return WindowCalibration(float(a), float(b))
