"""What campaigns brought: treatment against control, as assigned at eligibility, whatever was then delivered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from crmlib.campaign.clusters import estimate_cluster_lift
from crmlib.campaign.effects import (
    Pair,
    adjust_p_values,
    estimate_delivered_lift,
    estimate_ratio_lift,
    find_p_value,
)
from crmlib.campaign.exposure import OUTCOMES
from crmlib.campaign.fairness import find_obstacle, tell_checks
from crmlib.campaign.lifts import (
    Arm,
    Lift,
    Sample,
    adjust_for_before,
    estimate_mean_lift,
    estimate_rate_lift,
    find_theta,
    free_of_before,
    power_reach,
)
from crmlib.campaign.overlap import regress_jointly
from crmlib.engine import Engine
from crmlib.tables import CONTRACTS

METHODS = {
    "bought": "intention to treat, Newcombe",
    "purchases": "intention to treat, CUPED, Welch",
    "sales": "intention to treat, CUPED, Welch",
    "basket": "ratio of sums, delta method",
    "purchases_net": "intention to treat, CUPED, Welch",
    "margin": "intention to treat, CUPED, Welch",
}
BY_CLUSTER = "intention to treat, by {unit}"

Group = dict[str, Any]


def measure_campaigns(
    engine: Engine, margin_share: float | None, window_days: int, confidence: float = 0.95
) -> pd.DataFrame:
    """Measure every campaign.

    Parameters
    ----------
    engine : Engine
        Holds what `summarise_campaigns` made.
    margin_share : float or None
        Part of sales that is margin; None: no incremental margin.
    window_days : int
        Days from eligibility in which purchases count.
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Table `campaign_results`: a row per campaign and outcome (of `OUTCOMES`). Rates are as counted; lifts of sums
        are freed of what the groups bought before (CUPED). The lift is empty where there is no control, the groups are
        small, nobody's window is over, people were not split as planned, or the groups were unlike already: `method`
        says which, `checks` says it in words. `purchases_net` and `margin` are of the longer time after which what was
        only pulled forward has been missing again; margin is net of discounts. Cost per incremental purchase is
        empty where the interval of the net purchases holds 0, for a ratio to what may be nothing is nothing.
    """
    groups: dict[tuple[str, str], dict[str, Group]] = {}
    for row in engine.rows("SELECT * FROM campaign_groups"):
        groups.setdefault((row["campaign_id"], row["outcome"]), {})[row["arm"]] = row
    clusters = dict(list(engine.frame(_CLUSTERS).groupby(["campaign_id", "outcome"], sort=False)))
    joint = regress_jointly(engine, window_days, confidence)
    results = []
    for campaign in engine.rows("SELECT * FROM campaign_funnel ORDER BY campaign_id"):
        name = campaign["campaign_id"]
        found = {outcome: groups.get((name, outcome), {}) for outcome in OUTCOMES}
        own = {outcome: clusters[name, outcome] for outcome in OUTCOMES if (name, outcome) in clusters}
        results += _measure(campaign, found, own, joint.get(name), margin_share, confidence)
    contract = CONTRACTS["campaign_results"]
    numbers = [column.name for column in contract.columns if column.kind in ("float", "money")]
    frame = pd.DataFrame(results, columns=[column.name for column in contract.columns]).astype(
        dict.fromkeys(numbers, "float64")
    )
    for _, places in frame.groupby("outcome").groups.items():
        frame.loc[places, "p_adjusted"] = adjust_p_values(frame.loc[places, "p_value"].to_numpy(float))
    return frame


_CLUSTERS = "SELECT * FROM campaign_clusters ORDER BY campaign_id, outcome, unit_id, treated"


def _measure(
    campaign: Group,
    groups: Mapping[str, dict[str, Group]],
    clusters: Mapping[str, pd.DataFrame],
    joint: tuple[Lift, float] | None,
    margin_share: float | None,
    confidence: float,
) -> list[dict[str, Any]]:
    judged = groups["purchases"]
    units = clusters.get("purchases")
    fair = find_obstacle(campaign, judged.get("treatment"), judged.get("control"), units)
    common = {
        "campaign_id": campaign["campaign_id"],
        "delivered": campaign["delivered"],
        "cost": round(campaign["cost"], 2),
        "cost_per_impact": _ratio(campaign["cost"], campaign["delivered"]),
        "checks": " ".join(tell_checks(campaign, judged.get("treatment"), judged.get("control"), fair)),
    }
    rows = []
    for outcome in OUTCOMES:
        if outcome == "margin" and margin_share is None:
            continue
        treated, control = groups[outcome].get("treatment"), groups[outcome].get("control")
        obstacle = fair or find_obstacle(campaign, treated, control, clusters.get(outcome), split=False)
        row = common | {
            "outcome": outcome,
            "assigned": treated["n"] if treated else 0,
            "control": control["n"] if control else 0,
            "rate_treatment": _rate(treated, outcome),
            "rate_control": _rate(control, outcome),
            "attributed": treated["after_delivered"] if treated and outcome != "basket" else None,
            "method": obstacle or METHODS[outcome],
        }
        if treated and control and not obstacle:
            if outcome in clusters:
                row["method"] = BY_CLUSTER.format(unit=campaign["unit"])
            row |= _tell_lift(outcome, treated, control, campaign, clusters.get(outcome), confidence)
            if outcome == "purchases" and joint is not None and outcome not in clusters:
                lift, row["overlapping"] = joint
                row |= _interval("joint_lift", lift)
        rows.append(row)
    return rows


def _tell_lift(
    outcome: str,
    treated: Group,
    control: Group,
    campaign: Group,
    clusters: pd.DataFrame | None,
    confidence: float,
) -> dict[str, float | None]:
    delivered = None
    if clusters is not None:
        lift = estimate_cluster_lift(clusters, confidence)
    elif outcome == "basket":
        ratio = estimate_ratio_lift(_pair(treated), _pair(control), confidence)
        if ratio is None:
            return {}
        lift = ratio
    elif outcome == "bought":
        lift = estimate_rate_lift(_after(treated), _after(control), confidence)
        delivered = estimate_delivered_lift(_by_delivery(treated), _by_delivery(control), confidence)
    else:
        lift = estimate_mean_lift(*adjust_for_before(_arm(treated), _arm(control)), confidence)
        delivered = estimate_delivered_lift(*_freed_by_delivery(treated, control), confidence)
    told: dict[str, float | None] = _interval("lift", lift) | {
        "p_value": find_p_value(lift),
        "minimum_detectable_effect": lift.standard_error * power_reach(confidence),
    }
    if delivered is not None:
        told |= _interval("delivered_lift", delivered)
    if outcome in ("purchases", "purchases_net") and lift.low > 0:
        told["cost_per_incremental_purchase"] = campaign["cost"] / (lift.lift * campaign["assigned"])
    if outcome == "margin":
        people = campaign["assigned"]
        told |= _interval("incremental_margin", Lift(*(value * people for value in lift)))
    return told


def _interval(name: str, lift: Lift) -> dict[str, float | None]:
    return {name: lift.lift, f"{name}_low": lift.low, f"{name}_high": lift.high}


def _rate(group: Group | None, outcome: str) -> float:
    if group is None:
        return math.nan
    if outcome == "basket":
        return group["after"] / group["before"] if group["before"] else math.nan
    return _after(group).mean


def _after(group: Group) -> Sample:
    return Sample(group["n"], group["after"], group["after_squares"])


def _before(group: Group) -> Sample:
    return Sample(group["n"], group["before"], group["before_squares"])


def _pair(group: Group) -> Pair:
    return Pair(_after(group), _before(group), group["products"])


def _arm(group: Group) -> Arm:
    return Arm(_after(group), _before(group), group["products"])


def _by_delivery(group: Group) -> Pair:
    delivered = Sample(group["n"], group["delivered"], group["delivered"])
    return Pair(_after(group), delivered, group["after_delivered"])


def _freed_by_delivery(treated: Group, control: Group) -> tuple[Pair, Pair]:
    """Outcome freed of what was before, and delivery, for both groups."""
    theta, common = find_theta(_arm(treated), _arm(control))
    pairs = []
    for group in (treated, control):
        sample = free_of_before(_arm(group), theta, common)
        products = group["after_delivered"] - theta * (group["before_delivered"] - common * group["delivered"])
        pairs.append(Pair(sample, Sample(group["n"], group["delivered"], group["delivered"]), products))
    return pairs[0], pairs[1]


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
