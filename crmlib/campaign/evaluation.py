"""How right the measured lifts are, where the truth is known. Only this function reads it."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from crmlib.engine import Engine

#: What the measures are called.
METRIC_NAMES = {
    "effects_coverage": "Share of the 95 % intervals that hold the true lift",
    "effects_bias": "Mean error of the lifts, in standard errors (0: unbiased)",
    "effects_sign": "Share of the lifts with the sign of the truth",
}
#: Outcomes that are of the longer time, and what the truth calls them.
NET = {"purchases_net": "purchases"}


def evaluate_effects(
    engine: Engine, results: pd.DataFrame, truth: str | None, window_days: int, net_days: int | None = None
) -> pd.DataFrame:
    """Judge the lifts by the truth.

    Parameters
    ----------
    engine : Engine
    results : DataFrame
        Table `campaign_results`.
    truth : str or None
        Table with campaign_id, outcome (one of the results', or purchased for bought), days, lift (true mean
        difference per person assigned to treatment, over so many days from the sending on).
    window_days : int
        Days of which the results are.
    net_days : int, optional
        Days of which the results net of pull-forward are; absent: they are not judged.

    Returns
    -------
    DataFrame
        metric, value, n: effects_coverage (share of intervals that hold the true lift), effects_bias (mean of
        estimate − truth in standard errors, 0 if unbiased), and of campaigns with a true lift other than 0
        effects_sign (share whose estimate has its sign); n is the number of lifts. No rows where the truth is not
        known.
    """
    if truth is None:
        return pd.DataFrame({"metric": [], "value": [], "n": []}).astype({"metric": "str", "n": "int64"})
    known = engine.frame(
        f"""
        SELECT campaign_id, CASE outcome WHEN 'purchased' THEN 'bought' ELSE outcome END AS truly,
               CAST(days AS INTEGER) AS days, CAST(lift AS DOUBLE) AS true_lift
        FROM {truth}
        """
    )
    net = results["outcome"].isin(list(NET))
    named = results.assign(
        truly=results["outcome"].replace(NET), days=pd.Series(window_days, index=results.index).mask(net, net_days or 0)
    )
    judged = named[named["lift"].notna()].merge(known, on=["campaign_id", "truly", "days"])
    covered = (judged["lift_low"] <= judged["true_lift"]) & (judged["true_lift"] <= judged["lift_high"])
    errors = (judged["lift_high"] - judged["lift_low"]) / (2 * stats.norm.ppf(0.975))
    bias = ((judged["lift"] - judged["true_lift"]) / errors.where(errors > 0)).dropna()
    real = judged[judged["true_lift"] != 0]
    agrees = (real["lift"] > 0) == (real["true_lift"] > 0)
    rows = [("effects_coverage", covered), ("effects_bias", bias), ("effects_sign", agrees)]
    return pd.DataFrame(
        {
            "metric": [metric for metric, _ in rows],
            "value": [float(values.mean()) if len(values) else 0.0 for _, values in rows],
            "n": [len(values) for _, values in rows],
        }
    )
