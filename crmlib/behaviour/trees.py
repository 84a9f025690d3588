"""Gradient-boosted trees on past origins, beside or on top of the rhythm model.

Trees learn from the customers of earlier origins what such customers bought next: whether, within each
horizon, and how often, within the longest. The rhythm model's own forecast is among their features, so that they
learn where it is off. Where no earlier origin is as long as the horizon, the count is learnt as a ratio to the
rhythm model's, which can be carried to a longer horizon.

References
----------
Ke et al. (2017), LightGBM, NeurIPS: the histograms that scikit-learn's trees are grown on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import logit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from crmlib.behaviour.features import FEATURES
from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.origins import Sample
from crmlib.errors import NothingToDo

_COUNTS = {
    "max_iter": 120,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_bins": 63,
}
_CHANCES = {
    "max_iter": 70,
    "learning_rate": 0.06,
    "max_leaf_nodes": 6,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "max_bins": 63,
}
_LEAST = 1e-3  # expected purchases of the rhythm model, as an offset
_TINY = 1e-4
_MIN_CASES = 25  # of buyers and of others, under which nothing is learnt
_FIT_ROWS = 300_000
_THREADED_ROWS = 100_000


class CountTrees(Protocol):
    """Of scikit-learn, which tells no types."""

    def predict(self, told: pd.DataFrame) -> Floats:
        """Mean of what comes, a number a row."""


class ChanceTrees(Protocol):
    """Of scikit-learn, which tells no types."""

    def predict_proba(self, told: pd.DataFrame) -> Floats:
        """Chances of no and yes: rows × 2."""


@dataclass(frozen=True)
class Trees:
    """Fitted trees.

    Parameters
    ----------
    counts : HistGradientBoostingRegressor
        Of purchase days within the longest horizon, or of their ratio to the rhythm model's.
    chances : mapping of int to HistGradientBoostingClassifier
        Horizon in days -> of a purchase within it.
    columns : list of str
        Features, in order.
    with_offset : bool
        Whether `counts` gives a ratio.
    """

    counts: CountTrees
    chances: Mapping[int, ChanceTrees]
    columns: Sequence[str]
    with_offset: bool

    def p_buy(self, frame: pd.DataFrame, model: PurchaseModel, horizon_days: int, seen_days: int) -> Floats:
        """Probability of a purchase within a horizon, of customers with histories and features as of the model's date.

        Parameters
        ----------
        frame : DataFrame
            As a sample's.
        model : PurchaseModel
            The rhythm model, trained as of the frame's date.
        horizon_days : int
            A key of `chances`.
        seen_days : int
            Days ahead that are asked for.
        """
        told = describe(frame, model, seen_days)[list(self.columns)]
        with _few_threads(len(told)):
            probability: Floats = self.chances[horizon_days].predict_proba(told)[:, 1]
        return probability

    def expected_purchases(self, frame: pd.DataFrame, model: PurchaseModel, days: int) -> Floats:
        """Expected purchase days within the longest horizon."""
        told = describe(frame, model, days)
        offset = np.exp(told["log_expected"].to_numpy()) if self.with_offset else 1.0
        with _few_threads(len(told)):
            expected: Floats = offset * self.counts.predict(told[list(self.columns)])
        return expected


def train_trees(samples: Sequence[tuple[Sample, PurchaseModel]], horizons_days: Sequence[int], seed: int) -> Trees:
    """Grow trees on earlier origins.

    Parameters
    ----------
    samples : sequence of (Sample, PurchaseModel)
        Each with the rhythm model as trained at its origin.
    horizons_days : sequence of int
        Ascending.
    seed : int

    Returns
    -------
    Trees

    Raises
    ------
    NothingToDo
        If hardly anybody, or nearly everybody, bought in a horizon, or there is no earlier origin.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not samples:
        raise NothingToDo("The history holds no earlier date from which trees could learn.")
    longest = max(horizons_days)
    with_offset = all(sample.horizon_days < longest for sample, _ in samples)
    told = {days: _stack([describe(s.frame, model, s.days(days)) for s, model in samples]) for days in horizons_days}
    came = {days: np.concatenate([count_purchases(s, days) for s, _ in samples]) for days in horizons_days}
    for days, purchases in came.items():
        buyers = int((purchases > 0).sum())
        if min(buyers, len(purchases) - buyers) < _MIN_CASES:
            raise NothingToDo(f"{buyers} of {len(purchases)} customers bought within {days} days: nothing to learn.")
    chosen = slice(None, None, max(len(came[longest]) // _FIT_ROWS, 1))
    columns = [str(name) for name in told[longest] if told[longest][name].nunique() > 1]
    ratio, weight = came[longest][chosen], None
    if with_offset:
        weight = np.exp(told[longest]["log_expected"].to_numpy())[chosen]
        ratio = ratio / weight
    with _few_threads(len(came[longest])):
        counts = HistGradientBoostingRegressor(loss="poisson", random_state=seed, **_COUNTS).fit(
            told[longest][columns][chosen], ratio, sample_weight=weight
        )
        chances = {
            days: HistGradientBoostingClassifier(random_state=seed, **_CHANCES).fit(
                told[days][columns][chosen], came[days][chosen] > 0
            )
            for days in horizons_days
        }
    return Trees(counts, chances, columns, with_offset)


def describe(frame: pd.DataFrame, model: PurchaseModel, days: int) -> pd.DataFrame:
    """The features trees see: a sample's own, and what the rhythm model makes of the history for so many days."""
    since = (frame["T"] - frame["recency"]).astype("float64")
    told = frame.assign(days_since=since).reindex(columns=list(FEATURES)).astype("float64")
    told["rate"] = told["frequency"] / np.maximum(told["T"], 1.0)
    told["gaps_since"] = since / np.maximum(told["mean_gap"], 1.0)
    outlook = model.outlook(frame)
    told["log_expected"] = np.log(np.maximum(outlook.expected_purchases(days), _LEAST))
    told["logit_p_buy"] = logit(np.clip(outlook.p_buy(days), _TINY, 1 - _TINY))
    told["p_alive"] = outlook.p_alive
    return told


def count_purchases(sample: Sample, horizon_days: int) -> Floats:
    """Purchase days within a horizon, cut where the sample ends."""
    return sample.frame[f"purchases_{sample.days(horizon_days)}d"].to_numpy(float)


def _few_threads(rows: int) -> AbstractContextManager[None]:
    """One thread for small data: threads that wait for each other cost more there than they bring."""
    limits: AbstractContextManager[None] = threadpool_limits(
        limits=1 if rows < _THREADED_ROWS else None, user_api="openmp"
    )
    return limits


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)
