"""How much hangs on what is only assumed: each assumed lift smaller and larger, the rest as it is, in equal luck."""

from __future__ import annotations

import pandas as pd

from crmlib.campaign.comparison import measure_plans
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.simulation import World

#: Communications that are tried at most: those that are sent most.
MOST_TRIED = 5


def vary_assumptions(
    world: World, scenario: Scenario, replicates: int, *, smaller: float = 0.5, larger: float = 1.5
) -> pd.DataFrame:
    """Simulate a plan with each assumed lift smaller and larger.

    Parameters
    ----------
    world : World
    scenario : Scenario
    replicates : int
    smaller, larger : float
        How large the lift, or the share of those who come back, is then, relative to what the plan thinks.

    Returns
    -------
    DataFrame
        communication, base (margin less cost of the plan as it is), low, high (with the lift smaller and larger), the
        one on which most hangs first; no rows where every lift was measured.
    """
    assumed = [
        place
        for place, one in enumerate(scenario.plan.communications)
        if scenario.lifts["source"].iloc[place] != "measured" and (one.response.lift or one.response.reactivate)
    ]
    base = world.simulate([scenario], replicates).plans[0]
    sent = base.mean_contacts().sum(axis=(0, 2))
    tried = sorted(assumed, key=lambda place: -sent[place])[:MOST_TRIED]
    scenarios = [scenario] + [
        _scale_one(scenario, place, factor, f"{scenario.plan.id}-{place}-{side}")
        for place in tried
        for side, factor in (("low", smaller), ("high", larger))
    ]
    simulated = measure_plans(world.simulate(scenarios, replicates))
    gains = {one.plan.id: float(simulated[one.plan.id]["net_gain"].mean()) for one in scenarios}
    rows = [
        (
            scenario.plan.communications[place].id,
            gains[scenario.plan.id],
            gains[f"{scenario.plan.id}-{place}-low"],
            gains[f"{scenario.plan.id}-{place}-high"],
        )
        for place in tried
    ]
    frame = pd.DataFrame(rows, columns=["communication", "base", "low", "high"])
    order = (frame["high"] - frame["low"]).abs().sort_values(ascending=False).index
    return frame.loc[order].reset_index(drop=True)


def tell_assumptions(frame: pd.DataFrame, plan: str) -> str:
    """Say, as a title, on which assumption most hangs."""
    if frame.empty:
        return f"Every lift of plan {plan} was measured"
    return f"Of what is assumed, most of plan {plan}'s gain hangs on {frame['communication'].iloc[0].replace('_', ' ')}"


def _scale_one(scenario: Scenario, place: int, factor: float, name: str) -> Scenario:
    plan, lifts = scenario.plan, scenario.lifts.copy()
    lifts.loc[lifts.index[place], "lift"] *= factor
    communications = list(plan.communications)
    response = communications[place].response
    scaled = response.model_copy(update={"reactivate": min(response.reactivate * factor, 1.0)})
    communications[place] = communications[place].model_copy(update={"response": scaled})
    header = plan.plan.model_copy(update={"id": name})
    return Scenario(plan.model_copy(update={"plan": header, "communications": communications}), lifts)
