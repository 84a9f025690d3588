"""A better plan from the prices of the limits: several hardships of price are tried, and the simulator decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from crmlib.campaign.comparison import HIGH, LOW, measure_plans
from crmlib.campaign.limits import Arbitration, LimitPrices
from crmlib.campaign.optimise import Choice
from crmlib.campaign.outcomes import Simulation
from crmlib.campaign.planning import Layout, find_spending, limit_spending, price_plan
from crmlib.campaign.prices import summarise_prices
from crmlib.campaign.reading import ReadPlan
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.simulation import World
from crmlib.documents import read_document

#: Shares of what is worth spending, for the front of cost against margin.
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
#: Shares of the contacts that a price of attention takes away; the linear problem does not know of fatigue.
ATTENTION = (0.25, 0.5)
#: Steps by which the price of money is fitted to a cost, and the price at which money counts for nothing.
STEPS, FREE = 7, -1.0
PROPOSED = "proposed"
#: How far away the seeds are by which a proposal is judged.
UNSEEN = 7919


@dataclass(frozen=True)
class Front:
    """Plans between sending nothing and sending all that is worth it, as the simulator scores them.

    Parameters
    ----------
    scenarios : list of Scenario
    simulation : Simulation
        Of the scenarios, in their order.
    """

    scenarios: list[Scenario]
    simulation: Simulation

    @property
    def best(self) -> Scenario:
        """The one whose simulated margin less cost is largest."""
        measured = measure_plans(self.simulation)
        return max(self.scenarios, key=lambda one: float(measured[one.plan.id]["net_gain"].mean()))


def price_scenario(scenario: Scenario, name: str, prices: LimitPrices) -> Scenario:
    """The same plan, arbitrated by the optimiser's prices, under another id."""
    plan = scenario.plan
    arbitration = Arbitration.model_validate(
        plan.arbitration.model_dump() | {"mode": "optimiser", "prices": prices.model_dump()}
    )
    header = plan.plan.model_copy(update={"id": name, "version": plan.plan.version + 1})
    return Scenario(plan.model_copy(update={"plan": header, "arbitration": arbitration}), scenario.lifts)


def trace_front(world: World, scenario: Scenario, layout: Layout, replicates: int) -> Front:
    """Make plans at several spendings and prices of attention, and score them by the simulator.

    Parameters
    ----------
    world : World
    scenario : Scenario
        The plan they are made of.
    layout : Layout
        Of that plan.
    replicates : int
    """
    whole = price_plan(layout, world.seed)
    spending = find_spending(layout, whole)
    variants: list[LimitPrices] = []
    for share in SHARES:
        tighter = limit_spending(layout, share * spending)
        variants.append(summarise_prices(tighter, price_plan(tighter, world.seed)))
    variants += [summarise_prices(layout, whole, price) for price in _price_attention(layout, whole)]
    scenarios = [
        price_scenario(scenario, f"{scenario.plan.id}-{number}", prices)
        for number, prices in enumerate(variants, start=1)
    ]
    return Front(scenarios, world.simulate(scenarios, replicates))


def propose(front: Front, scenario: Scenario) -> Scenario:
    """The best plan of the front, as the proposal in place of a plan."""
    return price_scenario(scenario, f"{scenario.plan.id}-{PROPOSED}", front.best.plan.arbitration.prices)


def _price_attention(layout: Layout, choice: Choice) -> list[float]:
    """Prices of attention that take away `ATTENTION` of the contacts that a choice holds."""
    worth = (layout.problem.value - layout.problem.cost - choice.prices @ layout.problem.usage)[choice.chosen]
    times = np.broadcast_to([one.times for one in layout.sendings], choice.chosen.shape)[choice.chosen]
    return [max(float(np.quantile(worth / times, share)), 0.0) for share in ATTENTION if len(worth)]


def meet_cost(world: World, scenario: Scenario, layout: Layout, cost: float, replicates: int = 4) -> Scenario:
    """The plan by prices with the most margin in the simulator that costs about so much at most.

    Where the cost leaves room for it, money may be spent that does not all come back: its price is below 0 then.

    Parameters
    ----------
    world, scenario, layout : see `trace_front`
    cost : float
        In the plan's currency.
    replicates : int
        Of each trial.
    """
    limited = limit_spending(layout, cost)
    choice = price_plan(limited, world.seed)
    prices, name = summarise_prices(limited, choice), f"{scenario.plan.id}-met"

    def at(number: int, money: float, attention: float = 0.0) -> Scenario:
        changed = {"money": money, "contact": attention}
        return price_scenario(scenario, f"{name}-{number}", prices.model_copy(update=changed))

    low, high = FREE, max(prices.money * 4, 1.0)
    for _ in range(STEPS):
        money = (low + high) / 2
        spent = measure_plans(world.simulate([at(0, money)], replicates))[f"{name}-0"]["cost"].mean()
        low, high = (money, high) if spent > cost else (low, money)
    grid = product(
        np.linspace(high, max(high, 0.0), STEPS if high < 0 else 1), [0.0, *_price_attention(limited, choice)]
    )
    tried = [at(number, money, attention) for number, (money, attention) in enumerate(grid)]
    measured = measure_plans(world.simulate(tried, replicates))
    best = max(tried, key=lambda one: float(measured[one.plan.id]["incremental_margin"].mean()))
    return price_scenario(scenario, name, best.plan.arbitration.prices)


def cap_spending(scenario: Scenario, name: str, cost: float, mode: str | None = None) -> Scenario:
    """The same plan under a budget, and perhaps another mode of arbitration, under another id."""
    plan = scenario.plan
    arbitration = plan.arbitration.model_copy(update={"mode": mode or plan.arbitration.mode})
    changed = {
        "plan": plan.plan.model_copy(update={"id": name}),
        "budget": plan.budget.model_copy(update={"total": cost}),
        "arbitration": arbitration,
    }
    return replace(scenario, plan=plan.model_copy(update=changed))


def tabulate_front(front: Front, others: Simulation) -> pd.DataFrame:
    """Cost against margin of the plans of a front, and of others, the cheapest first.

    Returns
    -------
    DataFrame
        plan, cost, margin (that would not have been), low, high, net_gain, on_front.
    """
    rows = []
    for simulation, on_front in ((front.simulation, True), (others, False)):
        for plan, metrics in measure_plans(simulation).items():
            if "cost" not in metrics:
                continue
            margin = metrics["incremental_margin"]
            low, high = np.quantile(margin, (LOW, HIGH))
            rows.append((plan, metrics["cost"].mean(), margin.mean(), low, high, metrics["net_gain"].mean(), on_front))
    columns = ["plan", "cost", "margin", "low", "high", "net_gain", "on_front"]
    return pd.DataFrame(rows, columns=columns).sort_values("cost", ignore_index=True)


def write_proposal(folder: Path, read: ReadPlan, proposed: Scenario) -> Path:
    """Write a proposed plan as YAML that a params file may name.

    Parameters
    ----------
    folder : Path
    read : ReadPlan
        The plan it was made of, whose text is kept but for what the proposal changes.
    proposed : Scenario

    Returns
    -------
    Path
        Of the file, named for the plan.
    """
    data = read_document(read.path, "contact plan", "plan:").data
    header, arbitration = proposed.plan.plan, proposed.plan.arbitration
    prices = arbitration.prices.model_dump(exclude_defaults=True)
    data["plan"] = {**data["plan"], "id": header.id, "version": header.version}
    data["arbitration"] = {**data.get("arbitration", {}), "mode": arbitration.mode, "prices": prices}
    path = folder / f"{header.id}.yaml"
    first = f"# Proposed in place of plan {read.plan.id}: what is sent must be worth its cost and the prices below.\n"
    path.write_text(first + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    return path


def score_unseen(world: World, scenarios: Sequence[Scenario], replicates: int) -> Simulation:
    """Simulate plans in luck by which none of them was chosen."""
    return replace(world, seed=world.seed + UNSEEN).simulate(scenarios, replicates)


def tell_front(frame: pd.DataFrame, currency: str) -> str:
    """Say, as a title, up to where more spending brings more than itself."""
    own = frame[frame["on_front"]]
    if own.empty or own["net_gain"].max() <= 0:
        return "No spending brings more than itself"
    best = float(own.sort_values("net_gain")["cost"].iloc[-1])
    return f"Beyond {best:,.0f} {currency} of cost, more spending brings less than itself"
