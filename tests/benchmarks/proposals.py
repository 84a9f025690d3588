"""Whether the plan by prices beats the calendar and the greedy one at equal cost, on a made retailer.

Run as ``python -m tests.benchmarks.proposals --people 20000``; ``--run FOLDER`` takes a run that is there. Prices are
found and the cost is met under one seed, and all three plans are judged in luck that nobody has seen.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from crmlib.campaign.comparison import HIGH, LOW, bound_mean, measure_plans
from crmlib.campaign.planning import lay_out, price_plan
from crmlib.campaign.prices import summarise_prices
from crmlib.campaign.proposal import cap_spending, meet_cost, price_scenario, score_unseen
from crmlib.campaign.scenario import Scenario, scale_responses
from crmlib.campaign.simulation import World
from tests.benchmarks.plan_world import open_world, run_rooms

#: Parts of what the calendar plan costs.
COSTS = (1.0, 0.5, 0.2)


def compare(world: World, scenario: Scenario, replicates: int) -> None:
    """Print margin and cost of the three plans, and the paired differences."""
    first = world.simulate([scenario], 4)
    whole = float(measure_plans(first)[scenario.plan.id]["cost"].mean())
    layout = lay_out(world.engine, scenario, world.everybody, world.horizon, first.plans[0])
    print(
        f"{'cost at most':>14}{'plan':>12}{'cost':>10}{'margin':>11}   "
        "the plan by prices brings more by: mean [95 %], single replicates [80 %]"
    )
    for share in COSTS:
        money = whole * share
        plans = [
            cap_spending(scenario, "calendar", money),
            cap_spending(scenario, "greedy", money, "margin"),
            cap_spending(meet_cost(world, scenario, layout, money), "priced", money),
        ]
        measured = measure_plans(score_unseen(world, plans, replicates))
        for name in ("calendar", "greedy", "priced"):
            margin, cost = (measured[name][metric].mean() for metric in ("incremental_margin", "cost"))
            told = ""
            if name != "priced":
                more = measured["priced"]["incremental_margin"] - measured[name]["incremental_margin"]
                low, high = np.quantile(more, (LOW, HIGH))
                mean, least, most = bound_mean(more)
                told = f"{mean:>11,.0f} [{least:,.0f}, {most:,.0f}], [{low:,.0f}, {high:,.0f}]"
            print(f"{money:>14,.0f}{name:>12}{cost:>10,.0f}{margin:>11,.0f}{told}", flush=True)


def send_without_lift(world: World, scenario: Scenario) -> None:
    """Print what the plan by prices sends if nothing has any effect; service messages bring nothing and are due."""
    nothing = scale_responses(scenario, 0.0)
    layout = lay_out(world.engine, nothing, world.everybody, world.horizon, world.simulate([nothing], 2).plans[0])
    priced = price_scenario(nothing, "priced", summarise_prices(layout, price_plan(layout, world.seed)))
    contacts = world.simulate([priced], 2).plans[0].mean_contacts().sum(axis=(0, 2))
    service = np.array([one.purpose == "service" for one in priced.plan.communications])
    print(f"with every lift 0: {contacts[~service].sum():,.0f} contacts, and {contacts[service].sum():,.0f} of service")


def main() -> None:
    """Read the command line, run the comparison."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.proposals")
    reader.add_argument("--people", type=int, default=20_000, help="people in the retailer")
    reader.add_argument("--run", type=Path, help="a run's folder, rooms 01 to 08 done")
    reader.add_argument("--replicates", type=int, default=40)
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.run or run_rooms(Path(name), given.people)
        world, scenarios = open_world(folder)
        begun = time.perf_counter()
        print(f"{world.everybody.number:,} customers, {len(world.horizon.season)} days, {given.replicates} replicates")
        compare(world, scenarios[0], given.replicates)
        send_without_lift(world, scenarios[0])
        print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
