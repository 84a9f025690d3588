"""Tests of something in a few stores: these stores' sales beside all others', before and after."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from crmlib.campaign.lifts import POWER
from crmlib.engine import Engine, Step
from crmlib.params import CampaignSettings

#: Times the choice of the stores is repeated to see what chance alone does.
PERMUTATIONS = 4_999

# Every ticket counts, whether or not its buyer is known: a store's sales are the store's.
STORE_SALES = Step(
    "store_sales",
    """
    SELECT store_id,
           CAST(coalesce(sum(amount) FILTER (WHERE bought_on < $starts_on), 0) AS DOUBLE) AS before,
           CAST(coalesce(sum(amount) FILTER (WHERE bought_on >= $starts_on), 0) AS DOUBLE) AS after
    FROM tickets
    WHERE store_id IS NOT NULL AND bought_on >= $before AND bought_on <= $ends_on
    GROUP BY store_id
    HAVING sum(amount) FILTER (WHERE bought_on < $starts_on) > 0
    """,
)


@dataclass(frozen=True)
class StoreResult:
    """What came of a test in stores.

    Parameters
    ----------
    stores, others : int
    lift : float
        Of a store's daily sales, relative to what the other stores' development let expect.
    low, high : float
        Interval of the lift.
    p_value : float
        Chance of a change at least as large in as many stores chosen by lot.
    detectable : float
        Smallest lift that so many stores show four times out of five.
    """

    stores: int
    others: int
    lift: float
    low: float
    high: float
    p_value: float
    detectable: float


def measure_stores(
    engine: Engine,
    stores: Collection[str],
    starts_on: date,
    ends_on: date,
    seed: int,
    before_days: int = 91,
    confidence: float = 0.95,
) -> StoreResult | None:
    """Measure what was done in some stores between two days.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`.
    stores : collection of str
        Where it was done.
    starts_on, ends_on : datetime.date
        First and last day.
    seed : int
        Of the permutations.
    before_days : int
        Days before the first one that tell what a store sells anyway.
    confidence : float

    Returns
    -------
    StoreResult or None
        None where fewer than two stores on either side sold anything before.
    """
    before = (pd.Timestamp(starts_on) - pd.Timedelta(days=before_days)).date()
    engine.run(STORE_SALES, starts_on=starts_on, ends_on=ends_on, before=before)
    sales = engine.frame("SELECT * FROM store_sales ORDER BY store_id")
    days = (ends_on - starts_on).days + 1
    return compare_stores(sales, stores, before_days, days, seed, confidence)


def measure_store_tests(
    engine: Engine, settings: CampaignSettings | None, as_of_date: date, seed: int, confidence: float = 0.95
) -> pd.DataFrame:
    """Measure every test in stores that the params name and that is over.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`.
    settings : CampaignSettings or None
    as_of_date : datetime.date
    seed : int
    confidence : float

    Returns
    -------
    DataFrame
        name, starts_on, ends_on, and the figures of `StoreResult`; verdict.
    """
    rows = []
    for test in settings.store_tests if settings else []:
        row: dict[str, object] = {"name": test.name, "starts_on": test.starts_on, "ends_on": test.ends_on}
        if test.ends_on > as_of_date:
            rows.append(row | {"verdict": "not over yet"})
            continue
        found = measure_stores(engine, test.stores, test.starts_on, test.ends_on, seed, confidence=confidence)
        if found is None:
            rows.append(row | {"verdict": "fewer than two stores on a side sold anything before"})
            continue
        sure = found.p_value <= 1 - confidence
        verdict = ("sells more" if found.lift > 0 else "sells less") if sure else "no effect seen"
        rows.append(row | asdict(found) | {"verdict": verdict})
    names = [field.name for field in fields(StoreResult)]
    return pd.DataFrame(rows, columns=["name", "starts_on", "ends_on", *names, "verdict"])


def compare_stores(
    sales: pd.DataFrame, stores: Collection[str], before_days: int, days: int, seed: int, confidence: float = 0.95
) -> StoreResult | None:
    """Compare stores' logarithm of daily sales after with that before, a store counting once.

    Parameters
    ----------
    sales : DataFrame
        store_id, before, after (sums of sales); stores that sold nothing before or after are left out.
    stores : collection of str
    before_days, days : int
        How many days each sum is of.
    seed : int
    confidence : float

    References
    ----------
    Bertrand, Duflo, Mullainathan (2004), How much should we trust differences-in-differences estimates?: one change per
    unit, so that days of one store are not taken for independent; p-value by randomisation (section V.C).
    """
    known = sales[(sales["before"] > 0) & (sales["after"] > 0)]
    tested = known["store_id"].isin(set(stores)).to_numpy()
    if tested.sum() < 2 or (~tested).sum() < 2:
        return None
    change = np.log(known["after"].to_numpy(float) / days) - np.log(known["before"].to_numpy(float) / before_days)
    lift = change[tested].mean() - change[~tested].mean()
    freedom = len(change) - 2
    pooled = sum(((change[group] - change[group].mean()) ** 2).sum() for group in (tested, ~tested)) / freedom
    error = math.sqrt(pooled * (1 / tested.sum() + 1 / (~tested).sum()))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    power = float(stats.t.ppf((1 + confidence) / 2, freedom) + stats.t.ppf(POWER, freedom)) * error
    draws = np.random.default_rng(seed).permuted(np.tile(tested, (PERMUTATIONS, 1)), axis=1)
    chance = (draws @ change) / tested.sum() - (~draws @ change) / (~tested).sum()
    extreme = int((np.abs(chance) >= abs(lift) - 1e-12).sum())
    low, middle, high, least = (float(math.expm1(value)) for value in (lift - reach, lift, lift + reach, power))
    return StoreResult(
        int(tested.sum()), int((~tested).sum()), middle, low, high, (extreme + 1) / (PERMUTATIONS + 1), least
    )
