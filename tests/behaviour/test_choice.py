"""The blend is used unless a single model was better by more than chance, at dates that may tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.choice import choose_models, find_rehearsals
from crmlib.behaviour.forecasts import Forecaster
from crmlib.behaviour.origins import Sample, plan_samples

DRAWN = np.random.default_rng(3)
MEANS = DRAWN.gamma(1.0, 2.0, 2_000)
CAME = DRAWN.poisson(MEANS)


def make_sample(came: np.ndarray = CAME) -> Sample:
    return Sample(date(2024, 1, 1), 91, pd.DataFrame({"purchases_91d": came}))


def tell(counts: np.ndarray, chances: np.ndarray | None = None) -> pd.DataFrame:
    said = 1 - np.exp(-counts) if chances is None else chances
    return pd.DataFrame({"p_buy_91d": said, "expected_purchases_91d": counts})


def blur(by: float) -> np.ndarray:
    """The true means, each off by a factor."""
    return MEANS * np.exp(by * np.random.default_rng(7).standard_normal(len(MEANS)))


RIGHT, OFF = tell(MEANS), tell(blur(0.5))


@pytest.mark.parametrize(
    ("made", "chosen"),
    [
        ({"trees": RIGHT, "blend": OFF}, ("trees", "trees")),
        ({"trees": OFF, "blend": RIGHT}, ("blend", "blend")),
        ({"trees": RIGHT, "bg_nbd": tell(blur(0.4)), "blend": OFF}, ("trees", "trees")),
        ({"trees": RIGHT, "blend": tell(MEANS, OFF["p_buy_91d"].to_numpy())}, ("blend", "trees")),
    ],
)
def test_a_single_model_has_to_prove_its_worth(made: Mapping[str, pd.DataFrame], chosen: tuple[str, str]) -> None:
    assert choose_models([(make_sample(), made)], 91) == chosen


def test_what_may_be_chance_proves_nothing() -> None:
    few = slice(0, 40)
    made = {"trees": tell(blur(0.1)[few]), "blend": tell(blur(0.2)[few])}
    assert choose_models([(make_sample(CAME[few]), made)], 91) == ("blend", "blend")
    made = {"trees": tell(blur(0.1)), "blend": tell(blur(0.5))}
    assert choose_models([(make_sample(), made)], 91) == ("trees", "trees")


def test_counts_must_not_buy_one_figure_with_another() -> None:
    """Who forecasts too little has the lower absolute error, and the higher squared one."""
    low = tell(np.where(MEANS < 1, 0.0, 0.7 * MEANS), RIGHT["p_buy_91d"].to_numpy())
    high = tell(1.35 * MEANS, RIGHT["p_buy_91d"].to_numpy())
    assert np.abs(low["expected_purchases_91d"] - CAME).mean() < np.abs(high["expected_purchases_91d"] - CAME).mean()
    assert choose_models([(make_sample(), {"hiatus_rule": low, "blend": high})], 91)[0] == "blend"


def test_worth_is_proven_over_both_dates_by_models_judged_at_both() -> None:
    good, bad = {"trees": RIGHT, "blend": OFF}, {"trees": OFF, "blend": RIGHT}
    assert choose_models([(make_sample(), good), (make_sample(), bad)], 91) == ("blend", "blend")
    only_later = {"trees": OFF, "bg_nbd": RIGHT, "blend": OFF}
    assert choose_models([(make_sample(), {"trees": OFF, "blend": OFF}), (make_sample(), only_later)], 91)[0] == "blend"


def test_without_evidence_the_blend_is_used() -> None:
    assert choose_models([], 91) == ("blend", "blend")
    assert choose_models([(make_sample(), {"trees": RIGHT})], 91) == ("blend", "blend")


def test_a_base_to_which_nobody_came_back_has_a_choice_too() -> None:
    """A forecast of nothing that is right to the last purchase is chosen, not one that divides by nothing."""
    nothing = np.zeros(500)
    made = {"hiatus_rule": tell(nothing), "blend": tell(np.linspace(0.1, 0.3, 500))}
    assert choose_models([(make_sample(nothing), made)], 91) == ("hiatus_rule", "hiatus_rule")


def rehearse(days: int) -> list[tuple[int, int]]:
    """Days before today, and length, of the rehearsals of a history of so many days and a horizon of 91."""
    first, today = date(2024, 1, 1), date.fromordinal(date(2024, 1, 1).toordinal() + days)
    samples = [Sample(origin, length, pd.DataFrame()) for origin, length in plan_samples(first, today, 91, 4)]
    whole = [sample for sample in samples if sample.horizon_days == 91]
    judged = [sample for sample in whole if (today - sample.origin).days % 91 == 0]
    told = find_rehearsals(Forecaster(samples, [91], 7, seed=1), judged)
    return [((today - sample.origin).days, sample.horizon_days) for sample in told]


def test_what_may_tell_ended_before_the_last_and_learnt_as_it_did() -> None:
    assert rehearse(740) == [(273, 91), (182, 91)]
    assert rehearse(374) == [(182, 91)]  # the origin before it had no whole quarter to learn from
    assert rehearse(182) == [(136, 45)]  # a history as long as the horizon is halved


def test_the_first_half_of_a_short_history_has_something_to_learn_from() -> None:
    first, today = date(2024, 1, 1), date(2024, 7, 1)
    planned = plan_samples(first, today, 91, 4)
    shorter = [(origin, days) for origin, days in planned if days < 91]
    (early, few), (later, more) = shorter
    assert (early - first).days + few <= (later - first).days
    assert more >= few > 0
