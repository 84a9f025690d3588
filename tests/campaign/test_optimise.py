"""The choice of offers: always feasible, as good as HiGHS finds, at prices that mean what they say."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.campaign.choosing import OfferCap, are_laminar, find_laminar
from crmlib.campaign.exact import _silent, solve_exactly
from crmlib.campaign.optimise import Choice, Problem, bound_at, measure, optimise


def make(people: int, offers: int, seed: int, *, caps: list[OfferCap] | None = None, tight: float = 0.3) -> Problem:
    """Customers of very different worth, a third of the offers closed to each, a budget and a capacity."""
    draw = np.random.default_rng(seed)
    value = draw.lognormal(0, 1, (people, 1)) * draw.uniform(0.2, 1.5, offers)
    value *= draw.uniform(0.7, 1.3, (people, offers))
    value[draw.random(value.shape) < 1 / 3] = np.nan
    cost = draw.choice([0.01, 0.05, 0.4, 0.9], offers)
    usage = np.vstack([cost, np.arange(offers) % 3 == 0]).astype(float)
    wanted = usage @ (np.nan_to_num(value) > cost).sum(axis=0)
    return Problem(value, cost, caps or [], usage, np.floor(wanted * tight), ["budget", "slots"])


def nested(offers: int) -> list[OfferCap]:
    return [OfferCap(tuple(range(offers)), 3), OfferCap(tuple(range(offers // 2)), 1), OfferCap((offers - 1,), 0)]


def crossing(offers: int) -> list[OfferCap]:
    return [OfferCap(tuple(range(offers - 2)), 2), OfferCap(tuple(range(2, offers)), 2), OfferCap((0, offers - 1), 1)]


def assert_feasible(problem: Problem, choice: Choice) -> None:
    assert not np.isnan(problem.value[choice.chosen]).any()
    assert (problem.usage @ choice.chosen.sum(axis=0) <= problem.limits * (1 + 1e-9) + 1e-9).all()
    for cap in problem.caps:
        assert choice.chosen[:, list(cap.offers)].sum(axis=1).max(initial=0) <= cap.most
    assert choice.value == pytest.approx(measure(problem, choice.chosen))
    assert choice.value <= choice.bound * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("caps", [nested, crossing])
@pytest.mark.parametrize("tight", [0.05, 0.3, 0.8])
def test_prices_find_what_highs_finds(caps, tight):
    problem = make(1500, 8, seed=3, caps=caps(8), tight=tight)
    choice = optimise(problem, exact=False)
    assert_feasible(problem, choice)
    exact, bound = solve_exactly(problem)
    best = measure(problem, exact)
    assert choice.value >= best * (1 - 1e-3)
    assert choice.bound >= best * (1 - 1e-6)
    assert choice.gap < 2e-3
    assert best <= bound * (1 + 1e-6)


def test_a_small_problem_is_solved_exactly():
    problem = make(3, 4, seed=1, caps=[OfferCap((0, 1, 2, 3), 2)])
    choice = optimise(problem)
    found = []
    for given_ in product([False, True], repeat=12):
        chosen = np.array(given_).reshape(3, 4) & ~np.isnan(problem.value)
        within = (problem.usage @ chosen.sum(axis=0) <= problem.limits).all() and (chosen.sum(axis=1) <= 2).all()
        if within:
            found.append(measure(problem, chosen))
    assert choice.value == pytest.approx(max(found))


@st.composite
def problems(draw) -> Problem:
    people, offers = draw(st.integers(0, 12)), draw(st.integers(1, 6))
    made = make(people, offers, draw(st.integers(0, 10_000)), tight=draw(st.sampled_from([0.0, 0.2, 0.5, 2.0])))
    sets = st.lists(st.integers(0, offers - 1), min_size=1, unique=True).map(tuple)
    caps = [OfferCap(own, most) for own, most in draw(st.lists(st.tuples(sets, st.integers(0, 3)), max_size=4))]
    return replace(made, caps=caps)


@settings(max_examples=60, deadline=None)
@given(problems(), st.booleans())
def test_no_choice_is_ever_infeasible_or_above_its_bound(problem, exact):
    assert_feasible(problem, optimise(problem, exact=exact))


@settings(max_examples=40, deadline=None)
@given(problems())
def test_what_small_crossing_caps_allow_is_chosen_exactly(problem):
    free = replace(problem, usage=np.zeros((0, problem.value.shape[1])), limits=np.zeros(0), names=[])
    choice = optimise(free, exact=False)
    solved = solve_exactly(free)
    assert solved is not None
    assert choice.value == pytest.approx(measure(free, solved[0]), rel=1e-5, abs=1e-9)
    assert choice.gap == pytest.approx(0, abs=1e-9)


def test_where_caps_cross_too_much_the_bound_still_holds(monkeypatch):
    problem = make(60, 8, seed=5, caps=crossing(8))
    exact = measure(problem, solve_exactly(problem)[0])
    monkeypatch.setattr("crmlib.campaign.choosing.MOST_STATES", 2)
    choice = optimise(problem, exact=False)
    assert_feasible(problem, choice)
    assert choice.value <= exact * (1 + 1e-6) <= choice.bound * (1 + 2e-6)


def test_laminar_caps_are_told_from_crossing_ones():
    assert are_laminar(nested(6))
    assert not are_laminar(crossing(6))
    assert are_laminar(find_laminar(crossing(6)))


def test_a_price_is_what_one_more_unit_brings():
    problem = make(4000, 8, seed=9, caps=nested(8))
    choice = optimise(problem, exact=False)
    more = replace(problem, limits=problem.limits + np.array([40.0, 0.0]))
    gained = (optimise(more, exact=False).bound - choice.bound) / 40
    assert gained == pytest.approx(choice.prices[0], rel=0.05)
    assert bound_at(problem, choice.prices) == pytest.approx(choice.bound, rel=1e-6)


@pytest.mark.parametrize(
    "problem",
    [
        Problem(np.zeros((0, 4)), np.ones(4)),
        Problem(np.full((5, 3), np.nan), np.zeros(3)),
        Problem(np.zeros((5, 3)), np.full(3, 0.01), [], np.ones((1, 3)), np.zeros(1), ["budget"]),
        Problem(np.ones((5, 3)), np.full(3, 0.01), [], np.full((1, 3), 0.01), np.zeros(1), ["budget"]),
    ],
)
def test_with_nobody_nothing_open_no_lift_or_no_budget_nothing_is_chosen(problem):
    choice = optimise(problem)
    assert choice.chosen.sum() == 0
    assert choice.value == 0


def test_what_the_solver_prints_reaches_no_terminal(capfd):
    said = ctypes.CDLL(None)
    with _silent():
        said.printf(b"from compiled code\n")
    said.printf(b"afterwards\n")
    said.fflush(None)
    assert capfd.readouterr().out == "afterwards\n"
