from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from crmlib.demo.moments import days_of_month, is_summer_time, moment_text, months_of, weekdays
from crmlib.demo.season import DAYS_AHEAD, Season, island_of, list_islands, place_in_day
from crmlib.demo.words import read_places, read_stores
from tests.demo.conftest import SEASON

SECONDS_PER_DAY = 86_400


@pytest.mark.parametrize("as_of_date", [date(2026, 11, 1), date(2024, 2, 29), date(2025, 1, 6)])
def test_season_shuts_on_holidays_and_is_busy_before_them(as_of_date: date) -> None:
    season = Season.until(as_of_date)
    assert season.start == np.datetime64(date(as_of_date.year - 2, 1, 1))
    assert season.start + season.days - 1 == np.datetime64(as_of_date)
    assert season.busyness[:, : season.days].mean(axis=1) == pytest.approx(np.ones(len(list_islands())))
    assert season.busyness.shape == (len(list_islands()), season.days + DAYS_AHEAD)
    christmas = int((np.datetime64(f"{as_of_date.year - 1}-12-25") - season.start).astype(int))
    assert (season.busyness[:, christmas] == 0).all()
    same_weekdays = season.busyness[:, christmas - 18 : christmas - 14]
    assert (season.busyness[:, christmas - 4 : christmas] > same_weekdays).all()
    assert (season.busyness[:, christmas + 3 : christmas + 6] < season.busyness[:, christmas - 4 : christmas - 1]).all()


def test_islands_have_their_own_seasons() -> None:
    dates = SEASON.date_of(np.arange(SEASON.days))
    summer = np.isin(months_of(dates), (7, 8))
    share = {
        name: SEASON.busyness[place, : SEASON.days][summer].mean() for place, name in enumerate(list_islands().tolist())
    }
    assert share["El Hierro"] > 1.08
    assert share["Fuerteventura"] > 1.04
    assert share["Gran Canaria"] < 1
    sunday = weekdays(dates) == 6
    quiet = [busyness[: SEASON.days][sunday].mean() for busyness in SEASON.busyness]
    assert quiet[list_islands().tolist().index("Lanzarote")] > 1.5 * quiet[list_islands().tolist().index("El Hierro")]


def test_every_place_and_store_is_on_one_of_the_islands() -> None:
    for names in (read_places().island, read_stores().island):
        assert np.array_equal(list_islands()[island_of(names)], names)


def test_operational_days_are_calendar_days_on_average() -> None:
    island = np.repeat(np.arange(len(list_islands())), 2_000)
    operational = np.tile(np.linspace(0, SEASON.days - 0.01, 2_000), len(list_islands()))
    day = SEASON.day_of(operational, island)
    assert (np.diff(day)[np.diff(island) == 0] >= 0).all()
    assert np.abs(day - operational).max() < 25
    begins, ends = SEASON.passed[island, day], SEASON.passed[island, day + 1]
    assert ((begins <= operational) & (operational < ends)).all()


def test_purchases_fall_into_opening_hours_in_their_order() -> None:
    calendar = np.sort(np.random.default_rng(1).uniform(0, 50, 5_000))
    second = place_in_day(calendar)
    hour = second % SECONDS_PER_DAY / 3600
    assert hour.min() >= 9
    assert hour.max() <= 22
    assert (np.diff(second) >= 0).all()
    assert np.array_equal(second // SECONDS_PER_DAY, np.floor(calendar))


def test_times_in_utc_are_those_of_the_islands() -> None:
    zoneinfo = pytest.importorskip("zoneinfo")
    from datetime import UTC, datetime, timedelta

    second = np.random.default_rng(2).integers(-(10**8), SEASON.days * SECONDS_PER_DAY, 3_000)
    hour = second % SECONDS_PER_DAY // 3600
    second = second[(hour > 2) & (hour < 23)]
    start = datetime.fromisoformat(str(SEASON.start))
    zone = zoneinfo.ZoneInfo("Atlantic/Canary")
    expected = [(start + timedelta(seconds=int(one))).replace(tzinfo=zone).astimezone(UTC) for one in second]
    found = moment_text(SEASON.utc(second), "T").tolist()
    assert found == [moment.strftime("%Y-%m-%dT%H:%M:%S") for moment in expected]


def test_calendar_words_agree_with_python() -> None:
    dates = np.datetime64("2024-02-26") + np.arange(900)
    python = [date.fromisoformat(str(day)) for day in dates]
    assert weekdays(dates).tolist() == [day.weekday() for day in python]
    assert months_of(dates).tolist() == [day.month for day in python]
    assert days_of_month(dates).tolist() == [day.day for day in python]
    turns = np.flatnonzero(np.diff(is_summer_time(dates)))
    assert [str(day) for day in dates[turns + 1]] == [
        "2024-03-31",
        "2024-10-27",
        "2025-03-30",
        "2025-10-26",
        "2026-03-29",
    ]
