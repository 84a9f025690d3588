"""What campaigns brought: treatment against control, as assigned at eligibility, whatever was then delivered."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from crmlib.campaign.lifts import (
    SUSPICIOUS,
    Arm,
    Sample,
    adjust_for_before,
    check_balance,
    check_sample_ratio,
    detectable_effect,
    estimate_mean_lift,
    estimate_rate_lift,
)
from crmlib.engine import Engine
from crmlib.tables import CONTRACTS

#: Outcome -> what is measured, per person assigned.
OUTCOMES = {
    "bought": "share who bought",
    "purchases": "purchases per person",
    "sales": "sales per person",
}
#: Fewer people in a group than this are no comparison.
SMALLEST_GROUP = 20
#: p-value below which the groups were not alike before; share of people in both groups that is worth a word.
UNBALANCED, MIXED = 0.001, 0.02

NO_CONTROL = "no control group"
TOO_SMALL = "groups too small"
TOO_EARLY = "too early"
UNFAIR = "withheld"
METHODS = {
    "bought": "intention to treat, Newcombe",
    "purchases": "intention to treat, CUPED, Welch",
    "sales": "intention to treat, CUPED, Welch",
}


def measure_campaigns(engine: Engine, margin_share: float | None, confidence: float = 0.95) -> pd.DataFrame:
    """Measure every campaign.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_funnel`` and ``campaign_groups`` (made by `summarise_campaigns`).
    margin_share : float or None
        Part of sales that is margin; None: no incremental margin.
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Table `campaign_results`: a row per campaign and outcome (bought, purchases, sales). Rates are as counted; lifts
        of purchases and sales are freed of what the groups bought before (CUPED). The lift is empty where
        there is no control, the groups are small, nobody's window is over, or people were not split as planned:
        `method` says which, `checks` says it in words. Cost per incremental purchase and incremental margin are empty
        where the interval holds 0.
    """
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in engine.rows("SELECT * FROM campaign_groups"):
        groups.setdefault(row["campaign_id"], {})[row["arm"]] = row
    results = []
    for campaign in engine.rows("SELECT * FROM campaign_funnel ORDER BY campaign_id"):
        found = groups.get(campaign["campaign_id"], {})
        results += _measure(campaign, found, margin_share, confidence)
    contract = CONTRACTS["campaign_results"]
    numbers = [column.name for column in contract.columns if column.kind in ("float", "money")]
    return pd.DataFrame(results, columns=[column.name for column in contract.columns]).astype(
        dict.fromkeys(numbers, "float64")
    )


def _measure(
    campaign: dict[str, Any], groups: dict[str, dict[str, Any]], margin_share: float | None, confidence: float
) -> list[dict[str, Any]]:
    treated, control = groups.get("treatment"), groups.get("control")
    obstacle = _find_obstacle(campaign, treated, control)
    common = {
        "campaign_id": campaign["campaign_id"],
        "assigned": treated["n"] if treated else 0,
        "delivered": campaign["delivered"],
        "control": control["n"] if control else 0,
        "cost": round(campaign["cost"], 2),
        "cost_per_impact": _ratio(campaign["cost"], campaign["delivered"]),
        "checks": " ".join(_tell_checks(campaign, treated, control, obstacle)),
    }
    rows = []
    for outcome in OUTCOMES:
        those, others = _sample(treated, outcome), _sample(control, outcome)
        row = common | {
            "outcome": outcome,
            "rate_treatment": those.mean,
            "rate_control": others.mean,
            "method": obstacle or METHODS[outcome],
        }
        if treated and control and not obstacle:
            if outcome != "bought":
                those, others = adjust_for_before(_arm(treated, outcome), _arm(control, outcome))
            row |= _tell_lift(outcome, those, others, campaign, margin_share, confidence)
        rows.append(row)
    return rows


def _find_obstacle(
    campaign: dict[str, Any], treated: dict[str, Any] | None, control: dict[str, Any] | None
) -> str | None:
    """What stands against a comparison."""
    if not campaign["control"]:
        return NO_CONTROL
    if not treated and not control and campaign["too_early"]:
        return TOO_EARLY
    if not treated or not control or min(treated["n"], control["n"]) < SMALLEST_GROUP:
        return TOO_SMALL
    return UNFAIR if _sample_ratio(campaign, treated, control) < SUSPICIOUS else None


def _sample_ratio(campaign: dict[str, Any], treated: dict[str, Any], control: dict[str, Any]) -> float:
    share = campaign["control_share"]
    return check_sample_ratio(treated["n"], control["n"], share) if share and 0 < share < 1 else 1.0


def _tell_checks(
    campaign: dict[str, Any], treated: dict[str, Any] | None, control: dict[str, Any] | None, obstacle: str | None
) -> list[str]:
    told = {
        NO_CONTROL: "No control group: what came after it is not what came of it.",
        TOO_EARLY: "Nobody's window is over yet.",
        TOO_SMALL: f"A group of fewer than {SMALLEST_GROUP} people is no comparison.",
        UNFAIR: "People were not split as planned, so no lift is given.",
    }
    said = [told[obstacle]] if obstacle else []
    if campaign["unnamed"]:
        said.append("The sends name no campaign: they are put together by communication.")
    if (share := campaign["both_arms"] / campaign["eligible"]) > MIXED:
        said.append(
            f"{share:.1%} of the people were drawn into both groups under two records; chance puts them in one."
        )
    if campaign["too_early"] and obstacle != TOO_EARLY:
        share = campaign["too_early"] / campaign["eligible"]
        said.append(f"{share:.1%} of the people became eligible too late to be judged yet.")
    if treated and control and not obstacle:
        if campaign["control_share"] is None:
            said.append("No planned share of control is known, so the split is not checked.")
        balance = check_balance(_arm(treated, "purchases").before, _arm(control, "purchases").before)
        if balance < UNBALANCED:
            said.append("The groups bought differently before the campaign: take the lift with care.")
    return said


def _tell_lift(
    outcome: str,
    treated: Sample,
    control: Sample,
    campaign: dict[str, Any],
    margin_share: float | None,
    confidence: float,
) -> dict[str, float | None]:
    estimate = estimate_rate_lift if outcome == "bought" else estimate_mean_lift
    lift = estimate(treated, control, confidence)
    surely = lift.low > 0 or lift.high < 0
    spread = math.sqrt(control.mean * (1 - control.mean)) if outcome == "bought" else math.sqrt(control.variance)
    told: dict[str, float | None] = {
        "lift": lift.lift,
        "lift_low": lift.low,
        "lift_high": lift.high,
        "minimum_detectable_effect": detectable_effect(spread, treated.n, control.n, confidence),
    }
    if outcome == "purchases" and lift.low > 0:
        told["cost_per_incremental_purchase"] = campaign["cost"] / (lift.lift * campaign["assigned"])
    if outcome == "sales" and surely and margin_share is not None:
        told["incremental_margin"] = lift.lift * campaign["assigned"] * margin_share
    return told


def _sample(group: dict[str, Any] | None, outcome: str) -> Sample:
    if group is None:
        return Sample(0, math.nan, math.nan)
    if outcome == "bought":
        return Sample(group["n"], group["bought"], group["bought"])
    return Sample(group["n"], group[outcome], group[f"{outcome}_squares"])


def _arm(group: dict[str, Any], outcome: str) -> Arm:
    before = Sample(group["n"], group[f"{outcome}_before"], group[f"{outcome}_before_squares"])
    return Arm(_sample(group, outcome), before, group[f"{outcome}_products"])


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
