"""Past dates, what was known at each, and what came after: what forecasts are trained on and judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from crmlib.behaviour.features import describe_customers
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.purchases import RHYTHM_STEPS, summarise_calibration_and_holdout
from crmlib.behaviour.season import CUSTOMER_STORES, Season, learn_season
from crmlib.engine import Engine

MIN_CUSTOMERS = 100
#: Customers of a sample; of a larger base every so many-th is judged and learnt from.
MOST_CUSTOMERS = 50_000
#: Full samples before an origin that trees learn from: half a horizon apart, the latest ones.
TRAINING_SAMPLES = 3


@dataclass(frozen=True)
class Sample:
    """A past date, what was known of each customer then, and what came within the horizon.

    Parameters
    ----------
    origin : date
        Last day that is known.
    horizon_days : int
        Days after it that are known to us, but were not then.
    frame : DataFrame
        What `summarise_calibration_and_holdout` and `describe_customers` give for it; purchases_<days>d and the
        customer's usual store_id besides.
    season : Season, optional
        As it was known then; None: every day is like every other.
    """

    origin: date
    horizon_days: int
    frame: pd.DataFrame = field(repr=False)
    season: Season | None = field(default=None, repr=False)

    def days(self, horizon_days: int) -> int:
        """The horizon, cut where this sample ends."""
        return min(horizon_days, self.horizon_days)

    def operational_days(self, horizon_days: int) -> Floats:
        """Average days of each customer's store that the days of a horizon, cut where this sample ends, are worth."""
        if self.season is None:
            return np.full(len(self.frame), float(self.days(horizon_days)))
        return self.season.operational_days(self.frame["store_id"], self.days(horizon_days))

    @property
    def end(self) -> date:
        """Last day of what came."""
        return self.origin + timedelta(days=self.horizon_days)


def find_origins(first_date: date, as_of_date: date, horizon_days: int, count: int) -> list[date]:
    """The last `count` origins, a horizon apart, that have at least half a horizon's history; oldest first."""
    origins = [as_of_date - timedelta(days=horizon_days * back) for back in range(count, 0, -1)]
    return [origin for origin in origins if (origin - first_date).days >= horizon_days / 2]


def list_judged(first_date: date, as_of_date: date, horizons_days: Sequence[int]) -> list[int]:
    """The horizons for which there is an origin to judge them at: of a short history the shorter ones; all if none."""
    judged = [days for days in horizons_days if find_origins(first_date, as_of_date, days, 1)]
    return judged or list(horizons_days)


def plan_samples(first_date: date, as_of_date: date, horizon_days: int, count: int) -> list[tuple[date, int]]:
    """Origins and horizons that a backtest and today's forecast need, oldest first.

    Full samples lie half a horizon apart, back to those that the earliest judged origin learns from. Where an origin
    has no full one before it, its history is halved: the first half tells of the second. The first half of the last one
    is halved anew, so that at its end there is something to learn from, too.
    """
    judged = find_origins(first_date, as_of_date, horizon_days, count)
    half = max(horizon_days // 2, 1)
    planned = set()
    for back in range(2 * len(judged) + TRAINING_SAMPLES - 1):
        origin = as_of_date - timedelta(days=horizon_days * (1 + back // 2) + half * (back % 2))
        if (origin - first_date).days >= half:
            planned.add((origin, horizon_days))
    for origin in judged or [as_of_date]:
        if any(earlier + timedelta(days=horizon_days) <= origin for earlier, _ in planned):
            continue
        for _ in range(2 if judged and origin == judged[-1] else 1):
            days = (origin - first_date).days // 2
            origin -= timedelta(days=days)
            if days > 0:
                planned.add((origin, days))
    return sorted(planned)


def collect_samples(
    engine: Engine, first_date: date, as_of_date: date, horizons_days: Sequence[int], count: int
) -> list[Sample]:
    """Summarise every origin of `plan_samples` that has enough customers.

    Parameters
    ----------
    engine : Engine
        With tables tickets, identities and, if any, sends.
    first_date : date
        Of the first purchase.
    as_of_date : date
        Nothing later is read.
    horizons_days : sequence of int
        Ascending; the longest is that of full samples.
    count : int
        Origins that are to be judged, a longest horizon apart.

    Returns
    -------
    list of Sample
        Oldest first.
    """
    planned = plan_samples(first_date, as_of_date, max(horizons_days), count)
    samples = [_summarise(engine, origin, days, horizons_days) for origin, days in planned]
    return [sample for sample in samples if len(sample.frame) >= MIN_CUSTOMERS]


def describe_now(engine: Engine, as_of_date: date, horizon_days: int, summary: pd.DataFrame) -> Sample:
    """Today as a sample without an outcome: the histories of `purchase_summary`, in its order, and their features."""
    for step in RHYTHM_STEPS:
        engine.run(step, as_of_date=as_of_date)
    known = summary[["customer_id", "frequency", "recency", "T", "sum_log_itt"]]
    return _describe(engine, as_of_date, horizon_days, known)


def find_earlier(samples: Sequence[Sample], sample_origin: date, horizon_days: int) -> list[Sample]:
    """The latest samples whose outcome was known at an origin: full ones, or else the latest short one."""
    known = sorted((s for s in samples if s.end <= sample_origin), key=lambda s: (s.origin, s.horizon_days))
    full = [sample for sample in known if sample.horizon_days == horizon_days]
    return full[-TRAINING_SAMPLES:] or known[-1:]


def _summarise(engine: Engine, origin: date, horizon_days: int, horizons_days: Sequence[int]) -> Sample:
    marks = sorted({min(days, horizon_days) for days in horizons_days})
    known = summarise_calibration_and_holdout(engine, origin, origin + timedelta(days=horizon_days), marks)
    return _describe(engine, origin, horizon_days, known.iloc[:: max(math.ceil(len(known) / MOST_CUSTOMERS), 1)])


def _describe(engine: Engine, origin: date, horizon_days: int, known: pd.DataFrame) -> Sample:
    """A sample of the histories that the engine holds as of its origin."""
    described = describe_customers(engine, origin)
    stores = engine.frame(f"FROM {engine.run(CUSTOMER_STORES)}")
    for part in (described, stores):
        known = known.merge(part, on="customer_id", how="left", validate="one_to_one")
    return Sample(origin, horizon_days, known, learn_season(engine, origin, horizon_days))
