"""Plans priced, proposed and doubted: what the optimiser makes of a plan, scored by the simulator."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from crmlib.campaign.comparison import measure_plans
from crmlib.campaign.limits import LimitPrices
from crmlib.campaign.optimise import measure
from crmlib.campaign.planning import lay_out, price_plan
from crmlib.campaign.posterior import read_rhythm
from crmlib.campaign.prices import split_prices, summarise_prices, tabulate_prices, tell_prices
from crmlib.campaign.proposal import (
    cap_spending,
    meet_cost,
    price_scenario,
    propose,
    score_unseen,
    tabulate_front,
    trace_front,
    write_proposal,
)
from crmlib.campaign.reading import read_plan
from crmlib.campaign.scenario import Scenario, make_horizon, make_scenarios, plan_days
from crmlib.campaign.season import estimate_season
from crmlib.campaign.sensitivity import tell_assumptions, vary_assumptions
from crmlib.campaign.simulation import World
from crmlib.campaign.whatif import change_plan, list_caps, list_dated, make_asker
from crmlib.params import StageSettings
from tests.campaign.made_base import AS_OF, gather, make_base, name, permit
from tests.campaign.made_plans import make_plan, plan_data, write_plan

CHEAP = {"id": "leaflet", "response": {"lift": 0.3, "window": "7d"}}
DEAR = {
    "id": "coupon", "channels": ["sms"], "calendar": {"dates": ["2026-11-11", "2026-12-02"]}, "priority": 80,
    "offer": {"cost": 8.0, "redeem": 0.1}, "response": {"lift": 0.6, "window": "7d", "pull_forward": 0.5},
}  # fmt: skip
WASTE = {"id": "news", "priority": 90, "response": {"lift": 0.0, "window": "7d"}}


def make_world(engine, *plans, seed: int = 7) -> tuple[World, list[Scenario]]:
    first_day, days = plan_days(plans, AS_OF)
    everybody = gather(engine)
    horizon = make_horizon(first_day, estimate_season(engine, AS_OF, first_day, days))
    return World(engine, everybody, horizon, read_rhythm(engine), StageSettings(), seed), make_scenarios(engine, plans)


def make_people(engine, number: int) -> None:
    """Customers permitted by e-mail and SMS, a few of whom are worth much more than the others."""
    values = [
        {"customer_id": name(place), "p_alive": 0.95, "expected_value": 3.0 + 60.0 * (place % 10 == 0),
         "value_decile": 1 + place % 10}
        for place in range(number)
    ]  # fmt: skip
    permissions = [permit(place, channel) for place in range(number) for channel in ("email", "sms")]
    make_base(engine, number, permissions, customer_value=values)


@pytest.fixture
def priced(engine):
    make_people(engine, 400)
    plan = make_plan(
        CHEAP, DEAR, WASTE, budget={"total": 150.0}, caps=[{"scope": "global", "max": 2, "days": 7}],
        channels={"email": {"unit_cost": 0.01}, "sms": {"unit_cost": 0.05, "capacity": 20}},
    )  # fmt: skip
    world, (scenario,) = make_world(engine, plan)
    outcome = world.simulate([scenario], 4).plans[0]
    layout = lay_out(engine, scenario, world.everybody, world.horizon, outcome)
    return world, scenario, layout


def test_a_plan_is_laid_out_by_its_days_caps_and_limits(priced):
    _, _, layout = priced
    days = [one.day for one in layout.sendings]
    assert len(layout.sendings) == 8 + 2 + 8
    assert sorted(set(days)) == [0, 7, 9, 14, 21, 28, 30, 35, 42, 49]
    assert layout.problem.names == ["total", "capacity sms 9", "capacity sms 30"]
    assert {cap.name for cap in layout.problem.caps} == {"cap 1"}
    assert all(cap.most == 2 for cap in layout.problem.caps)
    assert layout.problem.value.shape == (400, 18)


def test_prices_are_told_in_words_the_dearest_first(priced):
    _, _, layout = priced
    choice = price_plan(layout, 7)
    table = tabulate_prices(layout, choice)
    assert list(table.columns) == ["plan", "limit", "price", "sentence"]
    assert table["price"].is_monotonic_decreasing
    told = table.set_index("limit")
    assert told.loc["capacity of sms", "price"] > 0
    assert "One more contact a day in the capacity of sms would bring" in told.loc["capacity of sms", "sentence"]
    assert any("cap 1: global, 2 in 7 d" in limit for limit in told.index)
    binding, idle = split_prices(table)
    assert len(binding) + len(idle) == len(table)
    assert binding["sentence"].str.contains("would bring [0-9]").all()
    assert not idle["sentence"].str.contains("would bring [0-9]").any()
    assert f"{len(binding)} of {len(table)} limits of plan small" in tell_prices(binding, idle, "small")
    assert (layout.problem.usage @ choice.chosen.sum(axis=0) <= layout.problem.limits + 1e-9).all()
    assert choice.value == pytest.approx(measure(layout.problem, choice.chosen))


def test_what_brings_nothing_is_not_sent_at_any_price(priced):
    world, scenario, layout = priced
    choice = price_plan(layout, 7)
    sent = {
        layout.plan.communications[layout.sendings[j].communication].id for j in np.flatnonzero(choice.chosen.any(0))
    }
    assert sent == {"leaflet", "coupon"}
    priced_plan = price_scenario(scenario, "priced", summarise_prices(layout, choice))
    outcome = world.simulate([priced_plan], 2).plans[0]
    assert outcome.mean_contacts()[:, 2].sum() == 0
    assert outcome.counts["skips"][..., 14].sum() > 0  # not worthwhile


def test_with_every_lift_zero_nothing_that_costs_is_sent(priced):
    world, scenario, _ = priced
    nothing = Scenario(scenario.plan, scenario.lifts.assign(lift=0.0))
    outcome = world.simulate([nothing], 2).plans[0]
    flat = lay_out(world.engine, nothing, world.everybody, world.horizon, outcome)
    choice = price_plan(flat, 7)
    assert choice.chosen.sum() == 0
    found = world.simulate([price_scenario(nothing, "flat", summarise_prices(flat, choice))], 2).plans[0]
    assert found.counts["cost"].sum() == 0
    assert found.counts["contacts"].sum() == 0


def test_a_service_message_has_no_price(engine):
    make_people(engine, 30)
    plan = make_plan({"id": "hours", "purpose": "service", "response": {"lift": 0.0, "window": "1d"}})
    world, (scenario,) = make_world(engine, plan)
    dear = price_scenario(scenario, "dear", LimitPrices(contact=100.0))
    assert world.simulate([dear], 2).plans[0].counts["contacts"].sum() > 0


def test_the_plan_by_prices_beats_the_calendar_and_the_greedy_one_at_equal_cost_in_unseen_luck(priced):
    world, scenario, layout = priced
    money = 40.0
    met = meet_cost(world, scenario, layout, money)
    plans = [
        cap_spending(scenario, "calendar", money),
        cap_spending(scenario, "greedy", money, "margin"),
        cap_spending(met, "priced", money),
    ]
    measured = measure_plans(score_unseen(world, plans, 20))
    for name_ in ("calendar", "greedy", "priced"):
        assert measured[name_]["cost"].mean() <= money * 1.05
    for other in ("calendar", "greedy"):
        more = measured["priced"]["incremental_margin"] - measured[other]["incremental_margin"]
        low = more.mean() - 2.6 * more.std(ddof=1) / np.sqrt(len(more))
        assert low > 0, (other, more.mean())


def test_the_best_of_the_front_is_proposed_and_its_yaml_is_a_plan(priced, tmp_path):
    world, scenario, layout = priced
    front = trace_front(world, scenario, layout, 3)
    table = tabulate_front(front, world.simulate([scenario], 3))
    assert table["cost"].is_monotonic_increasing
    assert table["on_front"].sum() == len(front.scenarios)
    gains = table[table["on_front"]].set_index("plan")["net_gain"]
    assert gains[front.best.plan.id] == pytest.approx(gains.max())  # of plans that are alike, either
    proposed = propose(front, scenario)
    data = plan_data(
        CHEAP, DEAR, WASTE, budget={"total": 150.0}, caps=[{"scope": "global", "max": 2, "days": 7}],
        channels={"email": {"unit_cost": 0.01}, "sms": {"unit_cost": 0.05, "capacity": 20}},
    )  # fmt: skip
    written = write_proposal(tmp_path, read_plan(write_plan(tmp_path, data)), proposed)
    again = read_plan(written)
    assert again.plan == proposed.plan
    assert (again.plan.id, again.plan.plan.version, again.plan.arbitration.mode) == ("small-proposed", 2, "optimiser")


def test_of_assumed_lifts_the_one_that_matters_most_comes_first(priced):
    world, scenario, _ = priced
    varied = vary_assumptions(world, scenario, 3)
    assert set(varied["communication"]) == {"leaflet", "coupon"}
    first, other = varied.iloc[0], varied.iloc[1]
    assert first["communication"] == "leaflet"
    assert first["low"] < first["base"] < first["high"]
    assert other["low"] == other["base"] == other["high"]  # the caps let no coupon pass
    assert "leaflet" in tell_assumptions(varied, "small")
    measured = replace(scenario, lifts=scenario.lifts.assign(source="measured"))
    assert "was measured" in tell_assumptions(vary_assumptions(world, measured, 2), "small")


def test_the_panels_question_is_answered_by_a_sample(priced):
    world, scenario, _ = priced
    ask = make_asker(world, scenario, sample=200, replicates=2)
    caps = list_caps(scenario.plan)
    assert caps == {"1: global, in 7 d": 2}
    assert list_dated(scenario.plan) == ["coupon"]
    now = ask(caps, 150.0, "", 0)
    assert set(now) == {"contacts", "cost", "incremental_margin", "net_gain", "unsubscribes"}
    assert ask({"1: global, in 7 d": 0}, 150.0, "", 0)["contacts"] == 0
    assert ask(caps, 0.0, "", 0)["cost"] == 0
    assert ask(caps, None, "", 0)["contacts"] >= now["contacts"]
    assert ask(caps, 150.0, "", 0) == now


def test_moved_dates_stay_within_the_horizon():
    plan = make_plan(CHEAP, DEAR)
    moved = change_plan(plan, {}, None, "coupon", 28).communications[1].calendar
    assert moved.dates == [date(2026, 12, 9), date(2026, 12, 27)]
    assert change_plan(plan, {}, 5.0, "leaflet", 3).communications[0] == plan.communications[0]
