"""Bases and plans at the edge: what comes out is defined, and nothing is contacted that must not be."""

from __future__ import annotations

import numpy as np
import pytest

from crmlib.campaign.comparison import tabulate_comparison, tabulate_forecast
from crmlib.campaign.planning import lay_out, price_plan
from crmlib.campaign.prices import tabulate_prices
from crmlib.campaign.proposal import propose, trace_front
from crmlib.campaign.sensitivity import vary_assumptions
from crmlib.campaign.whatif import list_caps, make_asker
from tests.campaign.made_base import make_base, name, permit
from tests.campaign.made_plans import make_plan
from tests.campaign.test_planning import make_world

LEAFLET = {"id": "leaflet", "calendar": {"rrule": "FREQ=DAILY"}, "response": {"lift": 0.4, "window": "7d"}}


def plan_of(**sections):
    horizon = sections.pop("horizon_days", 14)
    made = make_plan(LEAFLET, **sections)
    return made.model_copy(update={"plan": made.plan.model_copy(update={"horizon_days": horizon})})


def make_empty(engine):
    make_base(engine, 0, [])
    return plan_of()


def make_strangers(engine):
    """Nobody ever bought anything."""
    nothing = [{"customer_id": name(0), "p_alive": None, "expected_value": None}]
    make_base(engine, 2, [permit(0), permit(1)], purchase_summary=[], customer_value=nothing, lifecycle=[])
    return plan_of()


def make_idle(engine):
    """Bought once long ago, and is thought never to come again."""
    value = [{"customer_id": name(place), "p_alive": 0.0, "expected_value": 0.0} for place in range(3)]
    make_base(engine, 3, customer_value=value)
    return plan_of()


def make_one_day(engine):
    make_base(engine, 5)
    return plan_of(horizon_days=1)


def make_penniless(engine):
    make_base(engine, 5)
    return plan_of(budget={"total": 0})


def make_silent(engine):
    make_base(engine, 5)
    return plan_of().model_copy(update={"communications": []})


CASES = [make_empty, make_strangers, make_idle, make_one_day, make_penniless, make_silent]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_every_part_of_the_room_gives_a_defined_result(engine, case):
    world, (scenario,) = make_world(engine, case(engine))
    simulated = world.simulate([scenario], 3)
    comparison = tabulate_comparison(simulated)
    assert np.isfinite(comparison["value"]).all()
    forecast = tabulate_forecast(simulated).to_pandas()
    assert len(forecast) == 2 * 7 * len(world.horizon.season)
    assert np.isfinite(forecast["contacts"]).all()
    layout = lay_out(engine, scenario, world.everybody, world.horizon, simulated.plans[0])
    choice = price_plan(layout, 1)
    assert 0 <= choice.value <= choice.bound
    assert (tabulate_prices(layout, choice)["price"] >= 0).all()
    proposed = propose(trace_front(world, scenario, layout, 2), scenario)
    assert world.simulate([proposed], 2).plans[0].counts["cost"].sum() >= 0
    assert len(vary_assumptions(world, scenario, 2)) <= 1
    asked = make_asker(world, scenario)(list_caps(scenario.plan), scenario.plan.budget.total, "", 0)
    assert all(np.isfinite(value) for value in asked.values())


def contacts(engine, plan) -> int:
    world, scenarios = make_world(engine, plan)
    return int(world.simulate(scenarios, 2).plans[0].counts["contacts"][0].sum())


def test_what_is_defined_is_what_was_to_be_expected(engine):
    assert contacts(engine, make_empty(engine)) == 0
    assert contacts(engine, make_strangers(engine)) == 2 * 14
    assert contacts(engine, make_one_day(engine)) == 5
    assert contacts(engine, make_penniless(engine)) == 0
    assert contacts(engine, make_silent(engine)) == 0


def test_who_never_bought_never_buys(engine):
    world, scenarios = make_world(engine, make_strangers(engine))
    simulated = world.simulate(scenarios, 2)
    assert all(outcome.counts["purchases"].sum() == 0 for outcome in simulated.outcomes)
