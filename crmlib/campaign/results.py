"""Results of several campaigns: side by side, and added up."""

from __future__ import annotations

from datetime import date

import pandas as pd
from scipy import stats

from crmlib.engine import Engine


def summarise_results(
    engine: Engine, results: pd.DataFrame, outcome: str = "purchases", since: date | None = None
) -> pd.DataFrame:
    """Put the results of one outcome beside what the campaigns were, with a verdict.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_funnel``.
    results : DataFrame
        Table `campaign_results`.
    outcome : str
    since : datetime.date, optional
        Only campaigns that began on this day or later.

    Returns
    -------
    DataFrame
        name, communication and category (in words), channel, starts_on, the columns of `results`, and verdict: brings
        more, brings less, no effect seen, or why there is no lift; the newest campaign first.
    """
    funnel = engine.frame("SELECT campaign_id, name, communication, category, channel, starts_on FROM campaign_funnel")
    frame = funnel.merge(results[results["outcome"] == outcome], on="campaign_id")
    verdict = frame["method"].where(frame["lift"].isna(), "no effect seen")
    verdict = verdict.mask(frame["lift_low"] > 0, "brings more").mask(frame["lift_high"] < 0, "brings less")
    words = {name: frame[name].str.replace("_", " ") for name in ("communication", "category")}
    frame = frame.assign(**words, verdict=verdict, starts_on=pd.to_datetime(frame["starts_on"]).dt.date)
    if since is not None:
        frame = frame[frame["starts_on"] >= since]
    return frame.sort_values(["starts_on", "campaign_id"], ascending=[False, True], ignore_index=True)


def sum_results(frame: pd.DataFrame, confidence: float = 0.95) -> dict[str, float]:
    """Add up what several campaigns brought.

    Parameters
    ----------
    frame : DataFrame
        Of `summarise_results`, for one outcome.
    confidence : float
        Of the intervals in `frame` and of the result.

    Returns
    -------
    dict
        campaigns, measured (with a lift), better and worse (intervals beside 0), after (what the people addressed in
        measured campaigns had of the outcome afterwards), incremental (what they would not have had) with low and high
        (campaigns taken as independent), lift with lift_low and lift_high (the same per person addressed; NaN if none
        is measured), cost (of the measured ones), incremental_share (incremental / after).
    """
    measured = frame[frame["lift"].notna()]
    quantile = stats.norm.ppf((1 + confidence) / 2)
    incremental = (measured["lift"] * measured["assigned"]).sum()
    errors = (measured["lift_high"] - measured["lift_low"]) / 2 / quantile * measured["assigned"]
    reach = quantile * float((errors**2).sum() ** 0.5)
    people = float(measured["assigned"].sum()) or float("nan")
    after = float((measured["rate_treatment"] * measured["assigned"]).sum())
    return {
        "campaigns": len(frame),
        "measured": len(measured),
        "better": int((measured["lift_low"] > 0).sum()),
        "worse": int((measured["lift_high"] < 0).sum()),
        "after": after,
        "incremental": float(incremental),
        "low": float(incremental - reach),
        "high": float(incremental + reach),
        "lift": float(incremental) / people,
        "lift_low": float(incremental - reach) / people,
        "lift_high": float(incremental + reach) / people,
        "cost": float(measured["cost"].sum()),
        "incremental_share": float(incremental) / after if after else 0.0,
    }


def sum_by(frame: pd.DataFrame, column: str, confidence: float = 0.95) -> pd.DataFrame:
    """Add up what campaigns brought by category, communication or channel.

    Parameters
    ----------
    frame : DataFrame
        Of `summarise_results`, for one outcome.
    column : str
        One of its columns; campaigns without a value there stand together.
    confidence : float

    Returns
    -------
    DataFrame
        The column's values and the figures of `sum_results`, the greatest lift per person first.
    """
    named = frame[column].fillna(f"without a {column}")
    rows = [{column: str(name), **sum_results(part, confidence)} for name, part in frame.groupby(named)]
    summed = pd.DataFrame(rows, columns=[column, *sum_results(frame, confidence)])
    return summed.sort_values("lift", ascending=False, ignore_index=True)


def join_costs(purchases: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    """Put what a campaign cost beside the purchases, sales and margin it brought.

    Parameters
    ----------
    purchases, sales : DataFrame
        Of `summarise_results`, for these outcomes.

    Returns
    -------
    DataFrame
        name, cost, cost_per_impact, cost_per_incremental_purchase, incremental_sales (per person addressed) and
        incremental_margin, in the order of `purchases`.
    """
    brought = sales[["campaign_id", "lift", "incremental_margin"]].rename(columns={"lift": "incremental_sales"})
    costs = purchases[["campaign_id", "name", "cost", "cost_per_impact", "cost_per_incremental_purchase"]]
    return costs.merge(brought, on="campaign_id", how="left").drop(columns="campaign_id")
