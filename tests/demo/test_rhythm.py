from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from crmlib.demo.rhythm import (
    DROPOUT_MEAN,
    RATE_MEAN,
    REGULARITIES,
    SECONDS_PER_DAY,
    SHARE_KNOWN_BEFORE,
    Rhythm,
    Season,
    draw_rhythm,
    dropout_dates,
    place_in_day,
    simulate_purchases,
)
from tests.demo.conftest import AS_OF_DATE

EVEN = Season(np.datetime64("2018-01-01"), np.ones(3_000))


def _rhythm(count: int, rate: float, k: float, *, known_before: bool) -> Rhythm:
    return Rhythm(
        rate=np.full(count, rate),
        k=np.full(count, k),
        known_before=np.full(count, known_before),
        entered_on=np.full(count, EVEN.start),
        start=np.zeros(count),
        stop=np.full(count, 1e9),
    )


@pytest.mark.parametrize("k", sorted(REGULARITIES))
def test_gaps_have_the_mean_and_the_regularity_that_were_planted(k: int) -> None:
    person, second = simulate_purchases(1, 0, _rhythm(300, 1 / 20, k, known_before=False), EVEN)
    day = second / SECONDS_PER_DAY
    same = person[1:] == person[:-1]
    # gaps that begin well before the end are seen whole, short or long
    gap = (day[1:] - day[:-1])[same & (day[:-1] < 2_500)]
    assert gap.mean() == pytest.approx(20, rel=0.02)
    assert gap.var() / gap.mean() ** 2 == pytest.approx(1 / k, rel=0.06)


@pytest.mark.parametrize("k", sorted(REGULARITIES))
def test_old_customers_are_met_in_the_midst_of_a_gap(k: int) -> None:
    """A stationary renewal process has rate times days events in any window, from the first day on."""
    person, second = simulate_purchases(2, 0, _rhythm(20_000, 1 / 30, k, known_before=True), EVEN)
    early = second < 15 * SECONDS_PER_DAY
    assert early.sum() / 20_000 == pytest.approx(15 / 30, rel=0.03)
    assert (np.diff(person) >= 0).all()


def test_rates_are_recovered_one_by_one() -> None:
    season = Season.until(AS_OF_DATE)
    drawn = draw_rhythm(3, 0, 3_000, season)
    person, _ = simulate_purchases(3, 0, drawn, season)
    days = np.minimum(drawn.stop, season.days) - drawn.start
    counts = np.bincount(person, minlength=3_000)
    long = days > 300
    score = (counts - drawn.rate * days)[long] / np.sqrt(drawn.rate * days)[long]
    assert abs(np.mean(score[drawn.known_before[long]])) < 0.1
    assert np.var(score[drawn.known_before[long]]) < 1.2
    assert np.corrcoef(counts[long] / days[long], drawn.rate[long])[0, 1] > 0.95


def test_traits_have_their_shares() -> None:
    season = Season.until(AS_OF_DATE)
    drawn = draw_rhythm(4, 0, 20_000, season)
    assert drawn.rate.mean() == pytest.approx(RATE_MEAN, rel=0.03)
    assert drawn.known_before.mean() == pytest.approx(SHARE_KNOWN_BEFORE, abs=0.012)
    for k, share in REGULARITIES.items():
        assert (drawn.k == k).mean() == pytest.approx(share, abs=0.012)
    assert (drawn.entered_on[drawn.known_before] < season.start).all()
    assert (drawn.entered_on[~drawn.known_before] >= season.start).all()
    # gamma-distributed hazards: the mean is over people, the survivors' share is its Laplace transform
    known = drawn.known_before
    alive = (1 + DROPOUT_MEAN / 0.8 * season.days) ** -0.8
    assert (drawn.stop[known] > season.days).mean() == pytest.approx(alive, abs=0.015)


def test_nobody_buys_after_leaving_or_before_entering() -> None:
    season = Season.until(AS_OF_DATE)
    drawn = draw_rhythm(5, 0, 3_000, season)
    person, second = simulate_purchases(5, 0, drawn, season)
    day = season.start + second // SECONDS_PER_DAY
    left = dropout_dates(drawn, season)
    assert not (day > left[person]).any()
    assert (day >= drawn.entered_on[person]).all()
    assert (day <= np.datetime64(AS_OF_DATE)).all()
    first = np.searchsorted(person, np.flatnonzero(~drawn.known_before))
    assert np.array_equal(day[first], drawn.entered_on[~drawn.known_before])


@pytest.mark.parametrize("as_of_date", [date(2026, 11, 1), date(2024, 2, 29), date(2025, 1, 6)])
def test_season_shuts_on_holidays_and_is_busy_before_them(as_of_date: date) -> None:
    season = Season.until(as_of_date)
    assert season.start == np.datetime64(date(as_of_date.year - 2, 1, 1))
    assert season.start + season.days - 1 == np.datetime64(as_of_date)
    assert season.busyness.mean() == pytest.approx(1)
    christmas = int((np.datetime64(f"{as_of_date.year - 1}-12-25") - season.start).astype(int))
    assert season.busyness[christmas] == 0
    same_weekdays = season.busyness[christmas - 28 : christmas - 24]
    assert (season.busyness[christmas - 7 : christmas - 3] > same_weekdays).all()
    assert (season.busyness[christmas + 1 : christmas + 4] < same_weekdays[1:]).all()


def test_operational_days_are_calendar_days_on_average() -> None:
    season = Season.until(AS_OF_DATE)
    operational = np.linspace(0, season.days, 5_000)
    calendar = season.to_calendar(operational)
    assert (np.diff(calendar) > 0).all()
    assert np.abs(calendar - operational).max() < 5
    assert calendar[-1] == pytest.approx(season.days)


def test_shut_days_see_no_purchases() -> None:
    season = Season.until(AS_OF_DATE)
    drawn = draw_rhythm(6, 0, 2_000, season)
    _, second = simulate_purchases(6, 0, drawn, season)
    counts = np.bincount(second // SECONDS_PER_DAY, minlength=season.days)
    assert (counts[season.busyness == 0] == 0).all()
    weekday = (np.arange(season.days) + season.start.astype(int) + 3) % 7
    assert counts[weekday == 5].mean() > 1.5 * counts[weekday == 6].mean()


def test_purchases_fall_into_opening_hours_in_their_order() -> None:
    calendar = np.sort(np.random.default_rng(1).uniform(0, 50, 5_000))
    second = place_in_day(calendar)
    hour = second % SECONDS_PER_DAY / 3600
    assert hour.min() >= 9
    assert hour.max() <= 22
    assert (np.diff(second) >= 0).all()
    assert np.array_equal(second // SECONDS_PER_DAY, np.floor(calendar))
