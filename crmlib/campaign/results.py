"""Results of several campaigns: side by side, and added up."""

from __future__ import annotations

from datetime import date

import pandas as pd
from scipy import stats

from crmlib.campaign.lifts import power_reach
from crmlib.engine import Engine

#: Share of false findings among those called sure.
FALSE_FINDINGS = 0.05


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
        more or less (where it outlives how many campaigns were looked at), perhaps more or less (where its own interval
        does not hold 0, as one in twenty without any effect), no effect seen, or why there is no lift; the newest
        campaign first.
    """
    funnel = engine.frame("SELECT campaign_id, name, communication, category, channel, starts_on FROM campaign_funnel")
    frame = funnel.merge(results[results["outcome"] == outcome], on="campaign_id")
    verdict = frame["method"].where(frame["lift"].isna(), "no effect seen")
    verdict = verdict.mask(frame["lift_low"] > 0, "perhaps more").mask(frame["lift_high"] < 0, "perhaps less")
    surely = frame["p_adjusted"] <= FALSE_FINDINGS
    verdict = verdict.mask(surely & (frame["lift_low"] > 0), "brings more")
    verdict = verdict.mask(surely & (frame["lift_high"] < 0), "brings less")
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
        campaigns, measured (with a lift), better and worse (surely, whatever number of campaigns was looked at), after
        (what the people addressed in measured campaigns had of the outcome afterwards), incremental (what they would
        not have had) with low and high (campaigns taken as independent), lift with lift_low and lift_high (the same
        per person addressed; NaN if none is measured), detectable (smallest lift they could show together), cost (of
        the measured ones), incremental_share (incremental / after).
    """
    measured = frame[frame["lift"].notna()]
    sure = measured["p_adjusted"] <= FALSE_FINDINGS
    quantile = stats.norm.ppf((1 + confidence) / 2)
    incremental = (measured["lift"] * measured["assigned"]).sum()
    errors = (measured["lift_high"] - measured["lift_low"]) / 2 / quantile * measured["assigned"]
    reach = quantile * float((errors**2).sum() ** 0.5)
    people = float(measured["assigned"].sum()) or float("nan")
    after = float((measured["rate_treatment"] * measured["assigned"]).sum())
    return {
        "campaigns": len(frame),
        "measured": len(measured),
        "better": int((sure & (measured["lift"] > 0)).sum()),
        "worse": int((sure & (measured["lift"] < 0)).sum()),
        "after": after,
        "incremental": float(incremental),
        "low": float(incremental - reach),
        "high": float(incremental + reach),
        "lift": float(incremental) / people,
        "lift_low": float(incremental - reach) / people,
        "lift_high": float(incremental + reach) / people,
        "detectable": power_reach(confidence) * reach / quantile / people,
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


def sum_tree(frame: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Add up what campaigns brought by category, and by communication within each.

    Returns
    -------
    DataFrame
        category, communication (``all`` for the category's own row, which comes first) and the figures of
        `sum_results`, empty where nothing was measured; the category with the greatest lift per person first.
    """
    parts = []
    for category in sum_by(frame, "category", confidence).to_dict("records"):
        within = frame[frame["category"].fillna("without a category") == category["category"]]
        inner = sum_by(within, "communication", confidence).assign(category="")
        parts += [pd.DataFrame([category | {"communication": "all"}]), inner]
    if not parts:
        return sum_by(frame, "category").assign(communication="")
    tree = pd.concat(parts, ignore_index=True)
    unknown = ["incremental", "low", "high", "cost"]
    return tree.assign(**{name: tree[name].where(tree["measured"] > 0) for name in unknown})


def join_costs(purchases: pd.DataFrame, net: pd.DataFrame, margin: pd.DataFrame) -> pd.DataFrame:
    """Put what a campaign cost beside the purchases and the margin it brought.

    Parameters
    ----------
    purchases, net, margin : DataFrame
        Of `summarise_results`, for purchases, purchases_net and margin.

    Returns
    -------
    DataFrame
        name, cost, cost_per_impact, incremental (purchases in the window), incremental_net (those still there once what
        was only pulled forward has been missing), cost_per_incremental_purchase (of the net ones), incremental_margin
        with its interval (net of discounts and pull-forward), in the order of `purchases`.
    """
    costs = purchases[["campaign_id", "name", "cost", "cost_per_impact"]].assign(
        incremental=purchases["lift"] * purchases["assigned"]
    )
    held = net[["campaign_id", "cost_per_incremental_purchase"]].assign(incremental_net=net["lift"] * net["assigned"])
    columns = ["incremental_margin", "incremental_margin_low", "incremental_margin_high"]
    joined = costs.merge(held, on="campaign_id", how="left").merge(
        margin[["campaign_id", *columns]], on="campaign_id", how="left"
    )
    order = ["name", "cost", "cost_per_impact", "incremental", "incremental_net", "cost_per_incremental_purchase"]
    return joined[[*order, *columns]]


def sum_margin(margin: pd.DataFrame, confidence: float = 0.95) -> dict[str, float]:
    """Add up the margin that campaigns brought, and what these cost.

    Parameters
    ----------
    margin : DataFrame
        Of `summarise_results`, for margin.
    confidence : float

    Returns
    -------
    dict
        margin with margin_low and margin_high (campaigns taken as independent), margin_cost, settled (campaigns).
    """
    known = margin[margin["incremental_margin"].notna()]
    summed = float(known["incremental_margin"].sum())
    half = (known["incremental_margin_high"] - known["incremental_margin_low"]) / 2
    reach = float((half**2).sum() ** 0.5)
    return {
        "margin": summed,
        "margin_low": summed - reach,
        "margin_high": summed + reach,
        "margin_cost": float(known["cost"].sum()),
        "settled": len(known),
    }
