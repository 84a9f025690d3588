"""Gates that a correct simulator passes: closed forms, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crmlib.campaign.chance import derive_keys, draw_gap, draw_uniforms, replicate_key
from crmlib.campaign.shapes import AT_RISK, DUE, ENTER_STATE, LATE, LOST, PURCHASE, REACTIVATED, SERVICE
from tests.campaign.made_plans import World

PEOPLE = 20_000


def close(found: float, expected: float, error: float, wide: float = 4.0) -> bool:
    return abs(found - expected) < wide * error


@pytest.mark.parametrize(
    ("rate", "hazard", "days"), [(0.1, 0.02, 100), (0.03, 0.001, 182), (0.5, 0.3, 20), (0.2, 0.0, 50)]
)
def test_without_contacts_the_mean_is_the_closed_form(rate, hazard, days):
    world = World(PEOPLE, days, rate=rate, hazard=hazard)
    expected = rate / hazard * (1 - np.exp(-hazard * days)) if hazard else rate * days
    # The variance of a Poisson process stopped after an exponential time.
    lived = (1 - np.exp(-hazard * days)) / hazard if hazard else days
    squared = 2 / hazard**2 * (1 - np.exp(-hazard * days) * (1 + hazard * days)) if hazard else days**2
    variance = rate * lived + rate**2 * (squared - lived**2)
    mean = world.simulate().purchases / PEOPLE
    assert close(mean, expected, np.sqrt(variance / PEOPLE))


@pytest.mark.parametrize("k", [0.6, 1.0, 2.0, 7.5])
def test_gaps_are_gamma_with_mean_one(k):
    keys = derive_keys(replicate_key(3, 0), np.arange(4_000, dtype=np.uint64))
    gaps = [draw_gap(np.uint64(key), 1, k) for key in keys]
    assert stats.kstest(gaps, stats.gamma(k, scale=1 / k).cdf).pvalue > 1e-3


def test_uniform_draws_are_uniform_and_independent_between_streams():
    keys = derive_keys(replicate_key(5, 7), np.arange(20_000, dtype=np.uint64))
    one, two = draw_uniforms(keys, 1), draw_uniforms(keys, 2)
    for drawn in (one, two):
        assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(len(keys))
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 4 / np.sqrt(len(keys))


def test_a_steady_rhythm_has_the_rate_of_renewal_theory():
    days, rate, k = 200, 0.2, 4.0
    world = World(PEOPLE, days, rate=rate, k=k)
    expected = rate * days - 0.5 + 0.5 / k  # asymptotic renewal function of gamma gaps
    mean = world.simulate().purchases / PEOPLE
    assert close(mean, expected, np.sqrt(rate * days / k / PEOPLE))


def test_the_season_moves_purchases_and_keeps_their_number():
    world = World(PEOPLE, 40, rate=0.2)
    world.day["season"] = np.tile([2.0, 0.0], 20)
    by_day = world.simulate().counts["purchases"]
    assert by_day[1::2].sum() == 0
    assert close(by_day.sum() / PEOPLE, 8, np.sqrt(8 / PEOPLE))


def boosted(lift: float, pull_forward: float, days: int = 120, **settings) -> World:
    """One contact on day 10 to everybody, at work for a fortnight."""
    world = World(PEOPLE, days, communications=1, rate=0.1, **settings).call(0, 10)
    world.communication["lift"], world.communication["pull_forward"] = lift, pull_forward
    world.communication["window"] = 14
    return world


def gain(world: World, seed: int = 1) -> tuple[float, float]:
    """Purchases won by the plan in equal luck, and their standard error."""
    with_plan, without = world.simulate(seed), world.simulate(seed, silent=True)
    return with_plan.purchases - without.purchases, np.sqrt(abs(with_plan.credited) + 1)


@pytest.mark.parametrize("pull_forward", [0.0, 0.4])
def test_incremental_purchases_equal_the_net_clock_injected(pull_forward):
    world = boosted(0.5, pull_forward)
    injected = PEOPLE * 0.1 * 14 * 0.5 * (1 - pull_forward)
    assert world.simulate().credited == pytest.approx(injected)
    won, error = gain(world)
    assert close(won, injected, error)


def test_what_is_only_pulled_forward_wins_nothing_once_it_is_paid_back():
    world = boosted(0.5, 1.0)
    happened = world.simulate()
    won, _ = gain(world)
    moved = PEOPLE * 0.1 * 14 * 0.5
    assert abs(won) < 4 * np.sqrt(moved)
    assert happened.totals["owed"][0] == pytest.approx(0, abs=1e-6)
    assert (
        happened.counts["purchases"][10:24].sum()
        > world.simulate(silent=True).counts["purchases"][10:24].sum() + moved / 2
    )


def test_what_is_still_owed_at_the_end_is_told():
    world = boosted(0.5, 1.0, days=20)
    assert world.simulate().totals["owed"][0] == pytest.approx(PEOPLE * 0.1 * 10 * 0.5)


def test_a_lift_that_repels_costs_purchases():
    won, error = gain(boosted(-0.5, 0.0))
    assert close(won, -PEOPLE * 0.1 * 14 * 0.5, error)
    silenced = boosted(-1.0, 0.0).simulate().counts["purchases"]
    assert silenced[10:24].sum() == 0
    assert silenced[24:].sum() > 0


def test_without_any_lift_nothing_changes_at_all():
    world = boosted(0.0, 0.5, hazard=0.01)
    world.rules["response_decay"], world.rules["unsub_slope"] = 0.15, 2.0
    assert np.array_equal(world.simulate().counts["purchases"], world.simulate(silent=True).counts["purchases"])


def test_without_any_lift_the_interval_of_the_gain_holds_zero_at_its_nominal_rate():
    """In unequal luck: the interval of 39 differences between futures that are alike holds a fortieth in 80 %."""
    trials, replicates, covered = 60, 39, 0
    for trial in range(trials):
        world = boosted(0.0, 0.0, days=40)
        world.person, world.member, world.people = world.person[:60], world.member[:60], 60
        gains = [
            world.simulate(2 * (trial * 50 + one)).purchases
            - world.simulate(2 * (trial * 50 + one) + 1, silent=True).purchases
            for one in range(replicates + 1)
        ]
        low, high = np.sort(gains[:-1])[[3, 35]]  # the 4th and the 36th of 39: 80 % of what comes
        covered += low <= gains[-1] <= high
    assert stats.binomtest(covered, trials, 0.8).pvalue > 1e-3


def test_one_communication_more_shifts_no_other_draw():
    def plan(number: int) -> World:
        world = World(2_000, 90, communications=number, rate=0.1, hazard=0.005).call(0, 5, 40).call(1, 20)
        world.communication["lift"][:2] = 0.3, 0.6
        return world.call(2, 6, 21, 50) if number > 2 else world

    two, three = plan(2).simulate(trace=10_000), plan(3).simulate(trace=20_000)
    assert np.array_equal(two.counts["purchases"], three.counts["purchases"])
    assert np.array_equal(two.counts["contacts"][:, :2], three.counts["contacts"][:, :2])
    assert three.contacts - two.contacts == 3 * 2_000


def test_paired_differences_vary_less_than_unpaired_ones():
    paired, unpaired = [], []
    for seed in range(12):
        world = boosted(0.3, 0.0, days=60)
        world.person, world.member, world.people = world.person[:500], world.member[:500], 500
        paired.append(gain(world, seed)[0])
        unpaired.append(world.simulate(seed).purchases - world.simulate(seed + 100, silent=True).purchases)
    assert np.var(unpaired) > 5 * np.var(paired)


def test_fatigue_weakens_a_contact_that_follows_others():
    world = World(PEOPLE, 60, communications=2, rate=0.1).call(0, 10).call(1, 11)
    world.communication["lift"], world.communication["window"] = 0.5, 1
    world.rules["response_decay"], world.rules["decay"] = 0.3, 0.9
    by_day = world.simulate().counts["credited_purchases"].sum(axis=1)
    assert by_day[11] / by_day[10] == pytest.approx(np.exp(-0.3 * 0.9))


def test_pressure_remembers_what_was_sent_before():
    world = World(1, 60, communications=1, rate=0.1).call(0, 0)
    world.communication["lift"], world.communication["window"] = 0.5, 1
    world.rules["response_decay"], world.rules["decay"] = 0.3, 0.5
    fresh = world.simulate().credited
    tired = world.remember([(0, -2, 0, 0, -1)]).simulate().credited
    assert tired / fresh == pytest.approx(np.exp(-0.3 * 0.25))


def test_unsubscriptions_follow_their_hazard_and_end_the_contacts():
    world = World(PEOPLE, 60, communications=1, rate=0.1).call(0, *range(0, 60, 10))
    world.rules["unsub_base"], world.rules["decay"] = 0.1, 0.0
    happened = world.simulate()
    gone = happened.counts["unsubscribes"].sum(axis=1)[::10]
    expected = PEOPLE * (np.exp(-0.1 * np.arange(6)) - np.exp(-0.1 * np.arange(1, 7)))
    assert (np.abs(gone - expected) < 4 * np.sqrt(expected)).all()
    assert happened.counts["contacts"].sum(axis=(1, 2))[50] == PEOPLE - gone[:5].sum()
    assert happened.skipped() == {"no_permission": int(sum(gone[:5] * np.arange(5, 0, -1)))}


def test_pressure_drives_more_people_away():
    world = World(PEOPLE, 20, communications=2, rate=0.1).call(0, 5).call(1, 5)
    world.communication["channels"][1, 0] = 1
    world.rules["unsub_base"], world.rules["unsub_slope"], world.rules["decay"] = 0.02, 3.0, 0.9
    calm, pressed = world.simulate().counts["unsubscribes"].sum(axis=0)[:2]
    assert close(calm, PEOPLE * (1 - np.exp(-0.02)), np.sqrt(PEOPLE * 0.02))
    assert close(pressed, PEOPLE * (1 - np.exp(-0.08)), np.sqrt(PEOPLE * 0.08))


def test_a_service_message_neither_presses_nor_lifts():
    world = boosted(0.5, 0.0, hazard=0.0)
    world.communication["purpose"] = SERVICE
    world.rules["unsub_base"] = 0.5
    happened = world.simulate()
    assert happened.contacts == PEOPLE
    assert happened.credited == 0
    assert happened.counts["unsubscribes"].sum() == 0


def test_some_of_those_who_left_come_back():
    world = World(PEOPLE, 100, communications=1, rate=0.1, hazard=1e9).call(0, 5)
    world.communication["reactivate"] = 0.2
    happened = world.simulate()
    assert happened.purchases == 0  # they leave again at once
    world.hazard = 0.0
    gone = world.draw
    world.draw = lambda seed=1: _all_gone(gone(seed))
    back = world.simulate()
    expected = PEOPLE * 0.2 * 0.1 * 95
    assert close(back.purchases, expected, np.sqrt(expected * 10.5))
    assert close(back.credited, expected, np.sqrt(expected * 10.5))


def _all_gone(draws: np.ndarray) -> np.ndarray:
    draws["alive"] = False
    return draws


def staged(event: int, detail: int, **changes) -> World:
    world = World(1, 40, communications=1, rate=0.0)
    world.communication["event"], world.communication["detail"] = event, detail
    for name, value in changes.items():
        world.communication[name] = value
    world.person["last_purchase"], world.person["enter_after"] = -5, [10, 20, 30, 32, 34]
    return world


@pytest.mark.parametrize(("stage", "day"), [(DUE, 6), (LATE, 16), (AT_RISK, 26), (LOST, 30)])
def test_a_stage_is_entered_when_its_days_have_passed_and_answered_the_day_after(stage, day):
    """Last bought on day -5: on the evening of day 5 ten days have passed, so what calls at due is due on day 6."""
    (contact,) = staged(ENTER_STATE, stage).simulate(trace=5).sent()
    assert contact["day"] == day


def test_a_stage_that_was_entered_before_is_not_entered_again():
    world = staged(ENTER_STATE, DUE)
    world.person["last_purchase"], world.person["stage"] = -12, DUE
    assert world.simulate().contacts == 0


def test_a_real_event_opens_a_candidate_that_closes_after_its_days():
    world = staged(ENTER_STATE, LATE, open_days=3)
    world.member["due"][0, 0] = -1
    world.day["quiet"][:1] = 1
    (contact,) = world.simulate(trace=5).sent()[:1]
    assert contact["day"] == 1
    world.day["quiet"][:2] = 1
    happened = world.simulate(trace=5)
    assert happened.skipped() == {"quiet_day": 1}
    assert [int(day) for day in happened.sent()["day"]] == [16]


def test_a_purchase_calls_for_what_follows_it_unless_another_comes_first():
    world = World(4_000, 60, communications=1, rate=0.2)
    world.communication["event"], world.communication["delay"] = PURCHASE, 10
    called = world.simulate()
    world.communication["unless_purchase"] = True
    unless = world.simulate()
    assert called.contacts > 2 * unless.contacts > 0
    # Of all purchases up to day 50, those that no other follows within the 9 to 10 days between.
    early = unless.counts["purchases"][:50].sum()
    assert unless.contacts / early == pytest.approx(np.exp(-0.2 * 9.5), abs=0.02)


def test_the_nth_purchase_calls_once():
    world = World(500, 100, communications=1, rate=0.3)
    world.communication["event"], world.communication["detail"] = PURCHASE, 3
    world.person["bought"] = 1
    sent = world.simulate(trace=2_000).sent()
    assert len(sent) == len(set(sent["person"])) > 450


def test_who_comes_back_from_afar_is_reactivated():
    world = World(2_000, 60, communications=1, rate=0.1)
    world.communication["event"], world.communication["detail"] = ENTER_STATE, REACTIVATED
    world.person["last_purchase"], world.person["enter_after"] = -40, [10, 20, 30, 32, 34]
    world.person["stage"] = LOST
    happened = world.simulate(trace=5_000)
    first = np.unique(happened.sent()["person"])
    assert len(first) == pytest.approx(2_000 * (1 - np.exp(-0.1 * 59)), rel=0.02)


def test_rationing_lets_its_share_pass():
    world = World(PEOPLE, 10, communications=1, rate=0.1).call(0, 5)
    world.ration(0.5, 0.5)
    happened = world.simulate()
    assert close(happened.contacts, PEOPLE / 4, np.sqrt(PEOPLE * 3 / 16))
    skipped = happened.skipped()
    assert close(skipped["capacity"], PEOPLE / 2, np.sqrt(PEOPLE / 4))
    assert happened.contacts + sum(skipped.values()) == PEOPLE


def test_a_history_too_long_to_remember_keeps_its_newest_part():
    world = World(1, 5, communications=1, rate=0.0, caps=[(0, 0, 3, 1)]).call(0, 0)
    world.remember([(0, -60, 0, 0, -1)] * 2_000)
    assert world.simulate().contacts == 1


def test_nobody_and_no_communication_are_fine():
    assert World(0, 30, communications=1).call(0, 3).simulate().contacts == 0
    assert World(10, 1).simulate().totals["histogram"][0][0] == 10
