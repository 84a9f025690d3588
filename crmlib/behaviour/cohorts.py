"""How far off the forecasts of whole cohorts were at earlier dates: what the error of no fit knows.

A model's parameters are sure when customers are many; that the model is off for some kind of customers is not in their
error. Forecasts made at dates a horizon back, with what was known then, show it, cohort by cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.errors import NothingToDo

if TYPE_CHECKING:
    from crmlib.behaviour.backtest import Backtest
    from crmlib.behaviour.origins import Sample

#: Repeat purchase days from which on a customer belongs to the next cohort, and the cohorts' names.
COHORTS = {0: "1 purchase day", 1: "2 to 5 purchase days", 5: "6 to 20 purchase days", 20: "more than 20 purchase days"}
COLUMNS = ["origin", "cohort", "horizon", "customers", "expected", "happened", "chance"]


def place_cohorts(frequency: pd.Series) -> NDArray[np.int64]:
    """Place among `COHORTS` of each customer, by repeat purchase days; that of the first where there are none."""
    bounds = np.array(list(COHORTS))
    return np.maximum(np.searchsorted(bounds, frequency.fillna(0).to_numpy(float), side="right") - 1, 0)


def measure_misses(tested: Backtest, samples: Sequence[Sample], horizon_days: int) -> pd.DataFrame:
    """Lay beside what was expected of each cohort at earlier origins what then came.

    Parameters
    ----------
    tested : Backtest
        Its model for counts is asked.
    samples : sequence of Sample
        Oldest first; those of the judged origins are looked at, which do not overlap; without any the last one, which
        may be shorter.
    horizon_days : int
        The longest.

    Returns
    -------
    DataFrame
        Table `cohort_misses`: origin, cohort, horizon (days), customers, expected and happened (purchase days), chance
        (standard deviation that single customers' chance gives what happened).
    """
    origins = set(tested.scores["origin"])
    judged = [sample for sample in samples if sample.origin in origins and sample.horizon_days == horizon_days]
    rows = [row for sample in judged or samples[-1:] for row in _compare(tested, sample, horizon_days)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(tested: Backtest, sample: Sample, horizon_days: int) -> list[tuple[object, ...]]:
    try:
        counts, _ = tested.ask(tested.counts_model, sample)
    except NothingToDo:  # too few had bought again by then: nothing was expected of anybody
        return []
    expected = counts[f"expected_purchases_{horizon_days}d"].to_numpy(float)
    happened = sample.frame["holdout_purchases"].to_numpy(float)
    cohorts = place_cohorts(sample.frame["frequency"])
    rows: list[tuple[object, ...]] = []
    for place, name in enumerate(COHORTS.values()):
        own = cohorts == place
        if not own.any():
            continue
        sure = np.square(happened[own] - expected[own]).sum()
        sums = float(expected[own].sum()), float(happened[own].sum())
        rows.append((sample.origin, name, sample.horizon_days, int(own.sum()), *sums, float(np.sqrt(sure))))
    return rows
