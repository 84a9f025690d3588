"""What the pages of campaigns say in their titles."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.campaign.comparison import bound_mean
from crmlib.campaign.outcomes import NO_CONTACT, Outcome, Simulation
from crmlib.campaign.scenario import make_horizon
from crmlib.campaign.shapes import DAY_COUNT, TOTAL
from crmlib.campaign.verdicts import tell_equal_cost, tell_proposal
from crmlib.campaign.views import tell_busiest, tell_skips
from tests.campaign.made_plans import make_plan


def judge(low: float, value: float, high: float) -> pd.DataFrame:
    rows = [
        ("now", "cost", 900.0, 890.0, 910.0),
        ("new", "cost", 300.0, 290.0, 310.0),
        ("new", "difference_net_gain", value, low, high),
    ]
    return pd.DataFrame(rows, columns=["plan", "metric", "value", "value_low", "value_high"])


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((200.0, 531.0, 800.0), "surely leaves more than plan now: 531 EUR (between 200 and 800)"),
        ((-50.0, 100.0, 250.0), "may be no better than plan now: it leaves 100 EUR (between -50 and 250) more"),
        ((-90.0, -40.0, 0.0), "is no better than plan now: keep that"),
    ],
)
def test_a_proposal_is_told_by_what_it_leaves_more(interval, said):
    told = tell_proposal(judge(*interval), "now", "new", "EUR")
    assert told.startswith("The proposal, for 300 EUR instead of 900, ")
    assert said in told


def outcome(name: str, margin: np.ndarray, cost: float) -> Outcome:
    counts = np.zeros((len(margin), 7), DAY_COUNT)
    counts["margin"][:, 0] = margin
    counts["cost"][:, 0, 0] = cost
    plan = None if name == NO_CONTACT else make_plan({"id": "leaflet"})
    return Outcome(name, plan, counts, np.zeros(len(margin), TOTAL), np.zeros((len(margin), 0)))


@pytest.mark.parametrize(
    ("more", "cost", "said"),
    [
        (100.0, 300.0, "spends 300 of the 900 EUR that plan now costs, and brings surely more margin on average"),
        (0.0, 300.0, "and brings neither surely more nor surely less margin on average"),
        (-100.0, 1_000.0, "spends 100 EUR more than plan now, and brings surely less margin on average"),
    ],
)
def test_what_is_brought_at_equal_cost_is_told_by_the_mean_and_by_any_one_time(more, cost, said):
    luck = np.tile([-200.0, -100.0, 0.0, 100.0, 200.0], 8)
    common = np.linspace(0, 50_000, len(luck))  # what both plans meet, and no difference
    now, new = outcome("now", common, 900.0), outcome("new", common + more + luck, cost)
    horizon = make_horizon(date(2026, 11, 2), np.ones(7))
    simulation = Simulation(horizon, 10, [], [outcome(NO_CONTACT, np.zeros(len(luck)), 0.0), now, new])
    told = tell_equal_cost(simulation, "now", "new", "EUR")
    assert said in told
    assert f"{more:+,.0f} EUR (95 % sure: {more - 46:+,.0f} to {more + 46:+,.0f})" in told
    assert told.endswith(f"{more - 200:+,.0f} to {more + 200:+,.0f} in four of five.")


def test_of_a_single_replicate_the_mean_is_not_bounded():
    assert bound_mean(np.array([3.0])) == (3.0, float("-inf"), float("inf"))


def test_the_busiest_week_is_told_with_what_fills_it():
    counted = pd.DataFrame(
        [("2026-11-02", "cycle", 10.0), ("2026-11-02", "online", 10.0), ("2026-11-09", "cycle", 5.0),
         ("2026-11-09", "campaigns", 75.0)],
        columns=["week", "category", "contacts"],
    )  # fmt: skip
    assert tell_busiest(counted, "p") == (
        "The busiest week of plan p begins on 2026-11-09: 80% of all its contacts, most of them campaigns"
    )
    assert tell_busiest(counted.assign(contacts=0.0), "p") == "Plan p contacts nobody"


def test_the_commonest_reason_is_told():
    skipped = pd.DataFrame({"reason": ["no permission", "control"], "p": [30.0, 10.0], "q": [0.0, 0.0]})
    assert tell_skips(skipped, "p") == "75% of plan p's candidates that come to nothing: no permission"
    assert tell_skips(skipped, "q") == "Every candidate of plan q is contacted"
