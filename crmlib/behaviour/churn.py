"""Churn as a calibrated probability, and the plain rule that it has to beat.

A model's raw probabilities are off wherever customers differ from its assumptions; they are calibrated on
earlier origins, where what came is known, by a logistic regression on the raw logit, the days since the
last purchase and the number of purchases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.windows import AS_TOLD, WindowCalibration

HIATUS_RULE = "hiatus_rule"
_MIN_CASES = 25  # of buyers and of others, under which nothing is calibrated
_RIDGE = 1.0
_TINY = 1e-4


@dataclass(frozen=True)
class Calibration:
    """A logistic map from raw probabilities to calibrated ones.

    Parameters
    ----------
    coefficients : tuple of float
        Of 1, raw logit, log(1 + days since the last purchase), log(1 + frequency); (0, 1, 0, 0) changes nothing.
    stretch : float
        Days of the horizon it was learnt for over those it is used for: a silence counts by its share of the horizon.
    """

    coefficients: tuple[float, ...] = (0.0, 1.0, 0.0, 0.0)
    stretch: float = 1.0

    def apply(self, p: Floats, histories: pd.DataFrame) -> Floats:
        """Calibrate raw probabilities of customers with these histories (frequency, recency, T in days)."""
        if self.coefficients == (0.0, 1.0, 0.0, 0.0):
            return p
        calibrated: Floats = expit(_regressors(p, histories, self.stretch) @ np.array(self.coefficients))
        return calibrated


def train_calibration(p: Floats, histories: pd.DataFrame, bought: ArrayLike, stretch: float = 1.0) -> Calibration:
    """Fit a calibration to what came.

    Parameters
    ----------
    p : ndarray
        Raw probabilities of a purchase.
    histories : DataFrame
        Columns frequency, recency, T (days), as they were known then.
    bought : array_like of bool
        Whether a purchase came.
    stretch : float
        Days of the horizon within which it came, over those of the horizon that will be asked for.

    Returns
    -------
    Calibration
        One that changes nothing, where there are too few cases to learn from.
    """
    outcome = np.asarray(bought, float)
    if min(outcome.sum(), (1 - outcome).sum()) < _MIN_CASES:
        return Calibration()
    return Calibration(tuple(_logistic(_regressors(p, histories), outcome)), stretch)


@dataclass(frozen=True)
class HiatusRule:
    """The managers' rule: who bought lately enough is active, and goes on at the past rate.

    Parameters
    ----------
    cutoff_days : float
        Longest time since the last purchase of an active customer.
    coefficients : tuple of float
        Of 1 and log(1 + days since the last purchase), in the logit of a purchase.

    References
    ----------
    Wübben, von Wangenheim (2008), Instant Customer Base Analysis, Journal of Marketing 72(3).
    """

    cutoff_days: float
    coefficients: tuple[float, ...]

    def p_buy(self, histories: pd.DataFrame) -> Floats:
        """Probability of a purchase within the horizon the rule was trained for."""
        probability: Floats = expit(_hiatus(histories) @ np.array(self.coefficients))
        return probability

    def expected_purchases(self, histories: pd.DataFrame, days: float) -> Floats:
        """Purchases at the past rate if active, none otherwise."""
        age = np.maximum(histories["T"].to_numpy(float), 1.0)
        active = _days_since(histories) <= self.cutoff_days
        return np.where(active, histories["frequency"].to_numpy(float) / age * days, 0.0)


def train_hiatus_rule(histories: pd.DataFrame, bought: ArrayLike) -> HiatusRule:
    """Find the cut-off that told buyers from others best, and the chance of a purchase by the days since the last."""
    outcome = np.asarray(bought, float)
    days, counts = np.unique(_days_since(histories), return_counts=True)
    buyers = np.bincount(np.searchsorted(days, _days_since(histories)), weights=outcome)
    right = np.cumsum(buyers) + (counts - buyers).sum() - np.cumsum(counts - buyers)
    return HiatusRule(float(days[np.argmax(right)]), tuple(_logistic(_hiatus(histories), outcome)))


@dataclass(frozen=True)
class CalibratedModel:
    """A purchase model with calibrated probabilities and a calibrated next purchase.

    Parameters
    ----------
    model : PurchaseModel
        Trained on everything known.
    calibrations : mapping of int to Calibration
        Horizon in days -> its calibration, learnt on earlier origins.
    window : WindowCalibration
        Of the distribution of the next purchase, learnt there, too.
    """

    model: PurchaseModel
    calibrations: Mapping[int, Calibration]
    window: WindowCalibration = AS_TOLD

    def p_buy(self, histories: pd.DataFrame) -> dict[int, Floats]:
        """Calibrated probability of a purchase within each horizon; a longer horizon is never less likely."""
        found: dict[int, Floats] = {}
        least = np.zeros(len(histories))
        for days in sorted(self.calibrations):
            least = np.maximum(least, self.calibrations[days].apply(self.model.p_buy(histories, days), histories))
            found[days] = least
        return found


def calibrate(model: PurchaseModel, frame: pd.DataFrame, days: int, asked_days: int | None = None) -> Calibration:
    """Learn the calibration of a model's chances within so many days at an origin whose future is known.

    Parameters
    ----------
    model : PurchaseModel
        As trained at the origin.
    frame : DataFrame
        What `summarise_calibration_and_holdout` gives for it.
    days : int
    asked_days : int, optional
        Of the horizon that will be asked for; the same when absent.
    """
    bought = frame["next_purchase_days"].le(days)
    return train_calibration(model.p_buy(frame, days), frame, bought, days / (asked_days or days))


def _days_since(histories: pd.DataFrame) -> Floats:
    days: Floats = histories["T"].to_numpy(float) - histories["recency"].to_numpy(float)
    return days


def _regressors(p: Floats, histories: pd.DataFrame, stretch: float = 1.0) -> Floats:
    raw = logit(np.clip(p, _TINY, 1 - _TINY))
    bought = np.log1p(histories["frequency"].to_numpy(float))
    return np.column_stack([np.ones_like(raw), raw, np.log(stretch * (1 + _days_since(histories))), bought])


def _hiatus(histories: pd.DataFrame) -> Floats:
    since = np.log1p(_days_since(histories))
    return np.column_stack([np.ones_like(since), since])


def _logistic(regressors: Floats, outcome: Floats) -> Floats:
    """Logistic regression with a slight ridge, by Newton's method."""
    coefficients = np.zeros(regressors.shape[1])
    penalty = _RIDGE * np.diag([0.0] + [1.0] * (regressors.shape[1] - 1)) + 1e-9 * np.eye(regressors.shape[1])
    for _ in range(100):
        fitted = expit(regressors @ coefficients)
        hessian = (regressors * (fitted * (1 - fitted))[:, None]).T @ regressors + penalty
        step = np.linalg.solve(hessian, regressors.T @ (outcome - fitted) - penalty @ coefficients)
        coefficients = coefficients + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    return coefficients
