"""The season: a planted one is found, nothing later is read, and what is not known is an average day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.forecasts import MIXTURE, SEASON, Forecaster
from crmlib.behaviour.origins import collect_samples
from crmlib.behaviour.season import (
    CUSTOMER_STORES,
    STORE_DAYS,
    Season,
    learn_season,
    summarise_weeks,
    tabulate_season,
    tell_season,
)
from crmlib.demo.season import SHUT
from crmlib.demo.season import Season as Planted
from crmlib.engine import Engine, Step
from crmlib.errors import NothingToDo
from crmlib.tables import CONTRACTS
from tests.behaviour.conftest import load_log

AS_OF = date(2026, 11, 1)
PLANTED = Planted.until(AS_OF)
#: Busyness of three stores, two of them on one island.
STORES = PLANTED.busyness[[0, 0, 1]]
AHEAD = 91


def sell(busyness: np.ndarray, start: date, tickets_a_day: float = 60) -> pd.DataFrame:
    """Anonymous tickets of stores 0, 1, … on each day, as many as chance makes of the busyness."""
    counts = np.random.default_rng(5).poisson(busyness * tickets_a_day)
    store, day = (place.repeat(counts.ravel()) for place in (index.ravel() for index in np.indices(counts.shape)))
    bought = pd.Timestamp(start) + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=12)
    return pd.DataFrame({"source_record_id": None, "bought_at": bought, "store_id": store.astype(str)})


def learn(busyness: np.ndarray, start: date, as_of_date: date, ahead: int = AHEAD) -> Season:
    return learn_season(load_log(sell(busyness, start)), as_of_date, ahead)


@pytest.fixture(scope="module")
def found() -> Season:
    return learn(STORES[:, : PLANTED.days], date(2024, 1, 1), AS_OF)


def test_the_planted_season_is_found(found: Season) -> None:
    assert found.knows_year
    assert found.apart == SHUT
    true = STORES[:, PLANTED.days : PLANTED.days + AHEAD]
    for row, planted in zip(found.busyness.to_numpy(), true, strict=True):
        assert np.corrcoef(row, planted)[0, 1] > 0.95
        assert np.abs(row - planted).mean() < 0.08
    assert (found.busyness[pd.Timestamp("2026-12-25")] < 0.1).all()


def test_a_busy_stretch_is_worth_more_days(found: Season) -> None:
    stores = pd.Series(["0", "2", "not known"])
    worth = found.operational_days(stores, 49)  # up to the eighteenth of December
    true = STORES[[0, 2], PLANTED.days : PLANTED.days + 49].sum(axis=1)
    assert worth[:2] == pytest.approx(true, rel=0.04)
    assert worth[2] == pytest.approx(found.busyness.iloc[:, :49].sum(axis=1).mean())


def test_nothing_later_is_read() -> None:
    engine = load_log(sell(STORES, date(2024, 1, 1)))
    with_later = learn_season(engine, AS_OF, AHEAD)
    engine.execute("DELETE FROM tickets WHERE bought_on > DATE '2026-11-01'")
    pd.testing.assert_frame_equal(with_later.busyness, learn_season(engine, AS_OF, AHEAD).busyness)


def test_a_short_history_knows_weekdays_alone() -> None:
    season = learn(np.tile([0.5, 1, 1, 1, 1, 1.5, 1], 20)[None], date(2024, 1, 1), date(2024, 5, 19), 14)
    assert not season.knows_year
    assert season.apart == ()
    assert season.operational_days(pd.Series(["0"]), 14) == pytest.approx(14)
    assert season.busyness.iloc[0, :7].to_numpy() == pytest.approx([0.5, 1, 1, 1, 1, 1.5, 1], abs=0.1)


def test_a_store_of_few_tickets_has_the_weekdays_of_all() -> None:
    usual = np.tile([1.0, 1, 1, 1, 1, 1.4, 0.6], 20)
    season = learn(np.vstack([usual, usual, 0.01 * usual]), date(2024, 1, 1), date(2024, 5, 19), 7)
    assert season.busyness.iloc[2].to_numpy() == pytest.approx(usual[:7], abs=0.15)


def test_a_trend_is_no_season() -> None:
    growing = np.linspace(0.5, 2, 800)[None]
    season = learn(growing, date(2024, 1, 1), date(2026, 3, 10))
    assert season.busyness.to_numpy() == pytest.approx(1, abs=0.12)


def test_the_table_has_the_columns_of_the_contract(found: Season) -> None:
    table = tabulate_season(found)
    assert list(table.columns) == [column.name for column in CONTRACTS["season_index"].columns]
    assert len(table) == 3 * AHEAD


def test_weeks_ahead(found: Season) -> None:
    weeks = summarise_weeks(found)
    assert weeks["week"].to_list() == [AS_OF + timedelta(days=1 + 7 * week) for week in range(13)]
    assert weeks["busyness"].idxmax() in (5, 6)  # the weeks before Christmas


@pytest.mark.parametrize("step", [STORE_DAYS, CUSTOMER_STORES], ids=lambda step: step.name)
def test_the_steps_can_be_written_as_spark_sql(step: Step) -> None:
    assert step.spark.startswith(("WITH", "SELECT"))


def buy_in_season() -> Engine:
    """Three hundred customers of a Poisson rhythm over the operational days of the planted season's first island."""
    drawn = np.random.default_rng(3)
    rows = []
    passed = PLANTED.passed[0]
    for customer in range(300):
        moments = np.cumsum(drawn.exponential(drawn.gamma(2, 6), 400))
        days = np.unique(np.searchsorted(passed, moments[moments < passed[PLANTED.days]], side="right") - 1)
        rows += [(str(customer), day) for day in days]
    log = pd.DataFrame(rows, columns=["source_record_id", "day"])
    bought = pd.Timestamp("2024-01-01 12:00") + pd.to_timedelta(log["day"], unit="D")
    return load_log(log.assign(bought_at=bought, store_id="0"))


def test_the_forecast_in_season_counts_the_busy_days() -> None:
    origin = date(2025, 11, 14)
    samples = collect_samples(buy_in_season(), date(2024, 1, 1), origin + timedelta(days=35), [35], 1)
    last = samples[-1]
    assert last.origin == origin
    forecaster = Forecaster(samples, [35], 7, seed=1)
    plain, seasonal = (forecaster.forecast(name, last)["expected_purchases_35d"].sum() for name in (MIXTURE, SEASON))
    came = last.frame["purchases_35d"].sum()
    assert seasonal > 1.03 * plain
    assert abs(seasonal - came) < abs(plain - came)


def test_without_a_year_no_forecast_is_in_season(cdnow_log: pd.DataFrame) -> None:
    few = cdnow_log[cdnow_log["source_record_id"].astype(int) % 3 == 0]
    samples = collect_samples(load_log(few), date(1997, 1, 1), date(1997, 12, 31), [28], 1)
    with pytest.raises(NothingToDo, match="too short"):
        Forecaster(samples, [28], 7, seed=1).forecast(SEASON, samples[-1])


def test_good_friday_moves_with_easter_and_a_shut_day_in_may_does_not() -> None:
    start, as_of_date = date(2024, 1, 1), date(2026, 2, 1)
    days = pd.date_range(start, as_of_date)
    shut = days.isin(pd.DatetimeIndex(["2024-03-29", "2025-04-18"])) | ((days.month == 5) & (days.day == 1))
    season = learn(np.where(shut, 0.0, 1.0)[None], start, as_of_date)
    assert season.feasts == ("Good Friday",)
    assert season.apart == ((5, 1),)
    by_day = season.busyness.iloc[0]
    assert by_day[pd.Timestamp("2026-04-03")] == 0
    assert by_day[pd.to_datetime(["2026-03-29", "2026-04-18"])].to_numpy() == pytest.approx(1, abs=0.15)
    assert "Good Friday" in tell_season(season)[0]


def test_one_easter_tells_no_feast() -> None:
    start, as_of_date = date(2024, 4, 15), date(2026, 2, 1)
    days = pd.date_range(start, as_of_date)
    season = learn(np.where(days == "2025-04-18", 0.0, 1.0)[None], start, as_of_date)
    assert season.feasts == ()


def test_stores_count_together_by_what_they_sell() -> None:
    weekend, usual = np.tile([0.5, 0.5, 0.5, 0.5, 0.5, 2, 2.5], 20), np.ones(140)
    season = learn(np.vstack([0.05 * weekend, usual]), date(2024, 1, 1), date(2024, 5, 19), 7)
    assert season.shares.to_numpy() == pytest.approx([1 / 21, 20 / 21], abs=0.01)
    assert season.all_stores().to_numpy() == pytest.approx(1, abs=0.12)
