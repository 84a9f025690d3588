"""How far off the forecasts of whole cohorts were at earlier dates: what the error of no fit knows.

A model's parameters are sure when customers are many; that the model is off for some kind of customers is not in their
error. Forecasts made at dates a horizon back, with what was known then, show it, cohort by cohort, and near days apart
from far ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
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


def measure_misses(tested: Backtest, samples: Sequence[Sample], horizons_days: Sequence[int]) -> pd.DataFrame:
    """Lay beside what was expected of each cohort at earlier origins what then came.

    Parameters
    ----------
    tested : Backtest
        Its model for counts is asked how much is expected by the longest horizon, and the rhythm model, by whose time
        plans are simulated, how much of it falls due by a shorter one.
    samples : sequence of Sample
        Oldest first; those of the judged origins are looked at, which do not overlap; without any the last one, which
        may be shorter.
    horizons_days : sequence of int

    Returns
    -------
    DataFrame
        Table `cohort_misses`: origin, cohort, horizon (days), customers, expected and happened (purchase days), chance
        (standard deviation that single customers' chance gives what happened).
    """
    origins = set(tested.scores["origin"])
    longest = max(horizons_days)
    judged = [sample for sample in samples if sample.origin in origins and sample.horizon_days == longest]
    rows = [row for sample in judged or samples[-1:] for row in _compare(tested, sample, horizons_days)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(tested: Backtest, sample: Sample, horizons_days: Sequence[int]) -> list[tuple[object, ...]]:
    from crmlib.behaviour.forecasts import RHYTHM  # with the models of lifetimes, which who reads cohorts does without

    try:
        counts, _ = tested.ask(tested.counts_model, sample)
        rhythm, _ = tested.ask(RHYTHM, sample)
    except NothingToDo:  # too few had bought again by then: nothing was expected of anybody
        return []
    whole = counts[f"expected_purchases_{max(horizons_days)}d"].to_numpy(float)
    by_rhythm = {
        sample.days(days): rhythm[f"expected_purchases_{days}d"].to_numpy(float) for days in sorted(horizons_days)
    }
    cohorts = place_cohorts(sample.frame["frequency"])
    rows: list[tuple[object, ...]] = []
    for days in by_rhythm:
        expected = whole * _share_due(by_rhythm, sample, days)
        happened = sample.frame[f"purchases_{days}d"].to_numpy(float)
        for place, name in enumerate(COHORTS.values()):
            own = cohorts == place
            if not own.any():
                continue
            sure = np.square(happened[own] - expected[own]).sum()
            sums = float(expected[own].sum()), float(happened[own].sum())
            rows.append((sample.origin, name, days, int(own.sum()), *sums, float(np.sqrt(sure))))
    return rows


def _share_due(by_rhythm: dict[int, Floats], sample: Sample, days: int) -> Floats:
    """Of each customer's purchases within a sample's horizon, the share due within some days: by rhythm and season."""
    end = sample.horizon_days
    if days == end:
        return np.ones(len(sample.frame))
    busy = np.ones(end) if sample.season is None else sample.season.all_stores().to_numpy(float)[:end]
    soon = by_rhythm[days] * busy[:days].mean()
    later = (by_rhythm[end] - by_rhythm[days]) * busy[days:].mean()
    due: Floats = soon / np.maximum(soon + later, 1e-12)
    return due
