"""Customer after customer or day after day: the same happens, to the last contact; and shared limits are met."""

from __future__ import annotations

import numpy as np
import pytest

from crmlib.campaign.shapes import (
    AT_RISK,
    BY_ALL,
    BY_CATEGORY,
    BY_CHANNEL,
    CART_ABANDONED,
    CONTACT,
    DAY_COUNT,
    ENTER_STATE,
    LOST,
    PURCHASE,
    STATE,
    TOTAL,
)
from tests.campaign.day_outer import simulate_by_day
from tests.campaign.made_plans import STORES, Happened, World


def eventful(people: int = 400, days: int = 120) -> World:
    """Customers of all kinds, a plan of everything: calendar, events, caps, fatigue, unsubscriptions, returns."""
    caps = [(BY_ALL, 0, 3, 7), (BY_ALL, 0, 1, 1), (BY_CHANNEL, 1, 1, 14), (BY_CATEGORY, 1, 2, 30)]
    world = World(people, days, communications=6, k=1.7, rate=0.08, hazard=0.004, caps=caps)
    one, draw = world.communication, np.random.default_rng(5)
    one["event"][2:6] = PURCHASE, ENTER_STATE, CART_ABANDONED, ENTER_STATE
    one["detail"][2:6], one["delay"][2:6] = (0, AT_RISK, 0, LOST), (8, 1, 1, 1)
    one["unless_purchase"][2] = True
    one["category"], one["open_days"] = (0, 1, 0, 0, 2, 0), (1, 2, 4, 3, 2, 7)
    one["channels"][:, 0], one["channels"][1, 1] = (0, 1, 0, 1, 2, 0), 0
    one["lift"], one["pull_forward"] = (0.2, 0.4, 0.3, 0.5, 0.6, 0.0), 0.4
    one["cooldown"], one["reactivate"][5], one["cost"] = (0, 0, 30, 60, 3, 90), 0.2, 0.01
    world.call(0, *range(3, days, 7)).call(1, *range(5, days, 14))
    world.rules["unsub_base"], world.rules["unsub_slope"], world.rules["response_decay"] = 0.01, 2.0, 0.15
    world.rules["reserve"] = True
    world.person["permitted"] = draw.integers(0, 8, (people, 3))
    world.person["cart_rate"] = draw.choice([0.0, 0.05], people)
    world.person["last_purchase"] = -draw.integers(1, 90, people)
    world.person["enter_after"] = np.array([15, 25, 40, 60, 80])
    world.person["value"] = draw.lognormal(0, 1, people)
    world.person["store"], world.person["store_share"] = draw.integers(-1, STORES, people), draw.random(people)
    world.member["audience"] = draw.integers(1, 64, people)
    world.member["control"] = np.where(draw.random(people) < 0.1, 1, 0)
    world.member["held_out"] = draw.random(people) < 0.05
    world.day["quiet"][::7] = 2
    return world.remember([(row, -int(draw.integers(1, 60)), 0, 0, -1) for row in range(0, people, 3)])


def day_by_day(world: World, trace: int = 0, budget: float = np.inf) -> tuple[Happened, np.ndarray]:
    happened = Happened(np.zeros(world.days, DAY_COUNT), np.zeros(1, TOTAL), np.zeros(STORES), np.zeros(trace, CONTACT))
    spent = np.zeros(world.days)
    world.lay_terms()
    simulate_by_day(
        world.day, world.chance, world.communication, world.cap, world.rules[0], world.person, world.member,
        world.draw(), world.history, happened.counts, happened.totals[0], happened.visits, happened.trace,
        np.zeros(world.people, STATE), spent, budget,
    )  # fmt: skip
    return happened, spent


def test_both_orders_agree_to_the_last_contact():
    world = eventful()
    by_customer, (by_day, _) = world.simulate(trace=50_000), day_by_day(world, trace=50_000)
    assert by_customer.contacts > 2_000
    assert len(by_customer.skipped()) >= 8
    for name in ("contacts", "skips", "unsubscribes", "purchases"):
        assert np.array_equal(by_customer.counts[name], by_day.counts[name]), name
    for name in ("cost", "credit", "credited_purchases", "margin"):
        assert by_customer.counts[name] == pytest.approx(by_day.counts[name], rel=1e-12), name
    assert np.array_equal(by_customer.totals["histogram"], by_day.totals["histogram"])
    assert by_customer.visits == pytest.approx(by_day.visits, rel=1e-12)
    assert 0 < by_customer.visits.sum() < by_customer.purchases
    assert by_customer.totals["owed"] == pytest.approx(by_day.totals["owed"], rel=1e-12)
    order = ["person", "day", "communication"]
    one, other = (np.sort(happened.sent(), order=order) for happened in (by_customer, by_day))
    assert np.array_equal(one, other)


def test_rations_spend_what_first_come_first_served_would_spend_over_the_same_days():
    """Chances meet a shared limit on average; day after day it can be met exactly, and both come to the same sum."""
    world = World(20_000, 20, communications=1, rate=0.1).call(0, *range(20))
    world.communication["cost"] = 1.0
    budget = 100_000.0
    exact, spent = day_by_day(world, budget=budget)
    assert spent[-1] == budget
    assert exact.contacts == budget
    world.ration(budget=np.where(np.arange(20) < 5, 1.0, 0.0))
    assert world.simulate().contacts == exact.contacts
    world.ration(budget=budget / (20_000 * 20))
    assert world.simulate().contacts == pytest.approx(budget, abs=4 * np.sqrt(budget))
