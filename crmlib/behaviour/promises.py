"""The ledger of room 06: how many customers were said to buy, and, once the time is past, how many did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.stats import norm

from crmlib.behaviour.purchases import summarise_calibration_and_holdout
from crmlib.engine import Engine

ROOM = "06"
#: Groups of customers that can be told again later, from their tickets alone.
EVERYBODY, ONCE, REPEATED = "all", "one purchase day", "repeat buyers"
BUYERS, PURCHASES = "buyers", "purchase days"
COLUMNS = [
    *("forecast_id", "room", "made_on", "due_on", "segment", "metric"),
    *("promised", "promised_low", "promised_high", "happened"),
]
_EIGHTY = float(norm.ppf(0.9))


def promise_purchases(
    summary: pd.DataFrame,
    values: pd.DataFrame,
    made_on: date,
    horizons_days: Sequence[int],
    relative_error: float,
) -> pd.DataFrame:
    """What is promised today: buyers and purchase days of the customers known, by horizon.

    Parameters
    ----------
    summary : DataFrame
        Table `purchase_summary`.
    values : DataFrame
        Table `customer_value`.
    made_on : datetime.date
    horizons_days : sequence of int
    relative_error : float
        How far off the last such promise was: beside chance, it widens the interval of 80 %.

    Returns
    -------
    DataFrame
        Rows of `forecast_ledger`.
    """
    joined = summary[["customer_id", "frequency"]].merge(values, on="customer_id")
    repeated = joined["frequency"] > 0
    rows = []
    for segment, chosen in ((EVERYBODY, repeated | ~repeated), (ONCE, ~repeated), (REPEATED, repeated)):
        for days in horizons_days:
            p = joined.loc[chosen, f"p_buy_{days}d"].to_numpy(float)
            expected = joined.loc[chosen, f"expected_purchases_{days}d"].to_numpy(float)
            for metric, promised, variance in (
                (BUYERS, p.sum(), (p * (1 - p)).sum()),
                (PURCHASES, expected.sum(), expected.sum()),
            ):
                margin = _EIGHTY * np.sqrt(variance + (promised * relative_error) ** 2)
                due_on = made_on + timedelta(days=days)
                name = f"{ROOM} {made_on} {segment} {metric} {due_on}"
                low, high = max(promised - margin, 0.0), promised + margin
                rows.append((name, ROOM, made_on, due_on, segment, metric, promised, low, high, np.nan))
    return pd.DataFrame(rows, columns=COLUMNS)


def find_relative_error(judged: pd.DataFrame, horizon_days: int) -> float:
    """How far off the number of buyers was at the last origin of a backtest, relative to those who came."""
    if judged.empty:
        return 0.0
    came = float(judged["next_purchase_days"].le(horizon_days).sum())
    return abs(float(judged[f"p_buy_{horizon_days}d"].sum()) - came) / max(came, 1.0)


def score_purchases(engine: Engine, base: str | None, as_of_date: date) -> pd.DataFrame:
    """Lay what came beside what the base's ledger promises, where its day is past.

    Parameters
    ----------
    engine : Engine
        Holds `tickets` and `identities`.
    base : str or None
        The base run's `forecast_ledger`.
    as_of_date : datetime.date

    Returns
    -------
    DataFrame
        This room's rows of `forecast_ledger`, oldest first.
    """
    if base is None:
        return pd.DataFrame(columns=COLUMNS)
    ledger = engine.frame(f"SELECT {', '.join(COLUMNS)} FROM {base} WHERE room = '{ROOM}' ORDER BY forecast_id")
    for name in ("made_on", "due_on"):
        ledger[name] = pd.to_datetime(ledger[name]).dt.date
    due = ledger["happened"].isna() & (ledger["due_on"] <= as_of_date)
    for made_on, due_on in dict.fromkeys(ledger.loc[due, ["made_on", "due_on"]].itertuples(index=False, name=None)):
        rows = ledger[due & (ledger["made_on"] == made_on) & (ledger["due_on"] == due_on)]
        came = summarise_calibration_and_holdout(engine, made_on, due_on)
        repeated = came["frequency"] > 0
        of = {EVERYBODY: repeated | ~repeated, ONCE: ~repeated, REPEATED: repeated}
        for row in rows.itertuples():
            purchases = came.loc[of[str(row.segment)], "holdout_purchases"]
            happened = purchases.gt(0).sum() if row.metric == BUYERS else purchases.sum()
            ledger.loc[ledger["forecast_id"] == row.forecast_id, "happened"] = float(happened)
    return ledger


def carry_on(scored: pd.DataFrame, promised: pd.DataFrame) -> pd.DataFrame:
    """The ledger carried on: what stood in it, with what came, and the new promises."""
    older = scored[~scored["forecast_id"].isin(promised["forecast_id"])]
    return pd.concat([older, promised], ignore_index=True) if len(older) else promised


def list_kept(scored: pd.DataFrame, most: int = 24) -> pd.DataFrame:
    """Promises whose day is past, the latest first.

    Returns
    -------
    DataFrame
        made_on, due_on, segment, metric, promised, low, high, happened, kept (yes, too few came, more came).
    """
    past = scored[scored["happened"].notna()].rename(columns={"promised_low": "low", "promised_high": "high"})
    kept = np.select(
        [past["happened"] < past["low"], past["happened"] > past["high"]], ["fewer came", "more came"], "yes"
    )
    listed = past.assign(kept=kept).sort_values(["due_on", "forecast_id"], ascending=[False, True]).head(most)
    columns = ["made_on", "due_on", "segment", "metric", "promised", "low", "high", "happened", "kept"]
    return listed[columns].reset_index(drop=True)
