"""Which plan to choose, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.campaign.comparison import DIFFERENCE, HIGH, LOW, bound_mean, measure_plans
from crmlib.campaign.outcomes import NO_CONTACT, Simulation


@dataclass(frozen=True)
class Verdict:
    """Which plan to choose, as a finding.

    Parameters
    ----------
    sentence, action : str
        Format strings that name `figures`.
    tone : str
        Whether it is good.
    figures : dict
    """

    sentence: str
    action: str
    tone: str
    figures: dict[str, Any]


def judge_plans(comparison: pd.DataFrame, plans: Sequence[str]) -> Verdict:
    """Say which plan to choose, the first being in force.

    Parameters
    ----------
    comparison : DataFrame
        Of `tabulate_comparison`.
    plans : sequence of str
    """
    best, in_force = choose_plan(comparison, plans), plans[0]
    if best == NO_CONTACT:
        return Verdict(
            "No plan is expected to bring more than it costs: {plan} ends {gain:money} below 0.",
            "Send nothing that costs until a campaign with a control group has shown a lift.",
            "bad",
            {"plan": in_force, "gain": -read_metric(comparison, in_force, "net_gain")["value"]},
        )
    gain, cost = read_metric(comparison, best, "net_gain"), read_metric(comparison, best, "cost")
    figures = {"plan": best, "cost": cost["value"], "gain": gain["value"], "low": gain["low"], "high": gain["high"]}
    brings = (
        "Plan {plan} costs {cost:money} and is expected to bring {gain:money} of margin "
        "beyond that (between {low:money} and {high:money})"
    )
    if best == in_force:
        sure = gain["low"] > 0
        action = "Keep it." if sure else "It may cost more than it brings: measure its assumed lifts first."
        return Verdict(brings + ".", action, "good" if sure else "attention", figures)
    more = read_metric(comparison, best, f"{DIFFERENCE}net_gain")
    figures |= {"more": more["value"], "more_low": more["low"], "more_high": more["high"], "in_force": in_force}
    compared = (
        ": {more:money} more than plan {in_force}, which is in force (between {more_low:money} and {more_high:money})."
    )
    sure = more["low"] > 0
    action = (
        "Put plan {plan} in force."
        if sure
        else "The two may be alike: let each half of the customers get one, and measure."
    )
    return Verdict(brings + compared, action, "good" if sure else "attention", figures)


def tell_doubt(gains: pd.DataFrame, plans: Sequence[str], doubt: float) -> str:
    """Say, as a title, what is left of the plans' gains if the lifts are so many times as large."""
    doubted = gains.iloc[1::2]["low"].to_numpy()
    surely = [plan for plan, low in zip(plans, doubted, strict=True) if low > 0]
    told = "no plan" if not surely else "every plan" if len(surely) == len(plans) else " and ".join(surely)
    return f"With lifts {doubt:g} times as large, {told} would surely bring more than it costs"


def tell_proposal(judged: pd.DataFrame, plan: str, proposed: str, currency: str) -> str:
    """Say, as a title, what a proposal leaves beyond its cost more than the plan it was made of.

    Parameters
    ----------
    judged : DataFrame
        Of `tabulate_comparison`, the plan first.
    plan, proposed, currency : str
    """
    more, cost = read_metric(judged, proposed, f"{DIFFERENCE}net_gain"), read_metric(judged, proposed, "cost")["value"]
    before = read_metric(judged, plan, "cost")["value"]
    left = f"for {cost:,.0f} {currency} instead of {before:,.0f}"
    between = f"{more['value']:,.0f} {currency} (between {more['low']:,.0f} and {more['high']:,.0f})"
    if more["high"] <= 0:
        return f"The proposal, {left}, is no better than plan {plan}: keep that"
    if more["low"] <= 0:
        return f"The proposal, {left}, may be no better than plan {plan}: it leaves {between} more after its cost"
    return f"The proposal, {left}, surely leaves more than plan {plan}: {between} after its cost"


def tell_equal_cost(simulation: Simulation, plan: str, proposed: str, currency: str) -> str:
    """Say what margin a proposal brings more than a plan with the money that the plan may spend.

    Parameters
    ----------
    simulation : Simulation
        Of both, in luck by which neither was chosen.
    plan, proposed, currency : str
    """
    measured = measure_plans(simulation)
    more = measured[proposed]["incremental_margin"] - measured[plan]["incremental_margin"]
    spent, allowed = (measured[name]["cost"].mean() for name in (proposed, plan))
    mean, low, high = bound_mean(more)
    worst, best = np.quantile(more, (LOW, HIGH))
    used = f"spends {spent:,.0f} of the {allowed:,.0f} {currency} that plan {plan} costs"
    if spent > allowed:
        used = f"spends {spent - allowed:,.0f} {currency} more than plan {plan}"
    sure = "surely more" if low > 0 else "surely less" if high < 0 else "neither surely more nor surely less"
    return (
        f"The proposal {used}, and brings {sure} margin on average, before costs: {mean:+,.0f} {currency} (95 % sure: "
        f"{low:+,.0f} to {high:+,.0f}). Any one time luck adds its own: {worst:+,.0f} to {best:+,.0f} in four of five."
    )


def compare_gains(comparisons: Mapping[str, pd.DataFrame], plans: Sequence[str]) -> pd.DataFrame:
    """Net gain of each plan under several suppositions: plan (with the supposition), value, low, high.

    Parameters
    ----------
    comparisons : mapping of str to DataFrame
        Supposition in words (empty for the plan as it is) -> what `tabulate_comparison` gives.
    plans : sequence of str
    """
    rows = [
        {"plan": f"{plan}, {words}" if words else plan, **read_metric(comparison, plan, "net_gain")}
        for plan in plans
        for words, comparison in comparisons.items()
    ]
    return pd.DataFrame(rows)


def read_metric(comparison: pd.DataFrame, plan: str, metric: str) -> dict[str, float]:
    """One metric of one plan: value, low, high; 0 where undefined."""
    rows = comparison[(comparison["plan"] == plan) & (comparison["metric"] == metric)]
    if rows.empty:
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    return dict(
        zip(("value", "low", "high"), rows.iloc[0][["value", "value_low", "value_high"]].astype(float), strict=True)
    )


def choose_plan(comparison: pd.DataFrame, plans: Sequence[str]) -> str:
    """The plan with the largest expected net gain; `NO_CONTACT` if none is above 0."""
    gains = {plan: read_metric(comparison, plan, "net_gain")["value"] for plan in plans}
    best = max(gains, key=lambda plan: gains[plan], default=NO_CONTACT)
    return best if gains.get(best, 0.0) > 0 else NO_CONTACT
