"""Closed weeks and stores not yet open are told; ordinary silences are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from crmlib.behaviour.oddities import CLOSURES, EARLY_TICKETS, ENDINGS, find_oddities
from crmlib.behaviour.purchases import summarise_purchases
from crmlib.engine import Engine

AS_OF = date(2024, 10, 27)


def find(
    deliver: Callable[..., Engine], days: np.ndarray, opened_on: str = "2023-01-01", as_of_date: date = AS_OF
) -> list[str]:
    tickets = pd.DataFrame(
        {
            "source_record_id": [str(place % 50) for place in range(len(days))],
            "bought_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "store_id": "s1",
        }
    )
    engine = deliver(tickets)
    engine.register("stores", pd.DataFrame({"store_id": ["s1", "s2"], "opened_on": pd.to_datetime([opened_on] * 2)}))
    engine.execute("ALTER TABLE stores ALTER opened_on TYPE DATE")
    summarise_purchases(engine, as_of_date)
    return find_oddities(engine, as_of_date)


def test_a_closed_month_is_told(deliver: Callable[..., Engine]) -> None:
    days = np.random.default_rng(1).integers(0, 300, 2_000)
    assert find(deliver, days) == []
    told = find(deliver, days[(days < 100) | (days >= 130)])
    assert len(told) == 1
    assert "from 2024-04-10 to 2024-05-09 (30 days)" in told[0]


def test_few_customers_may_be_silent_for_weeks(deliver: Callable[..., Engine]) -> None:
    days = np.array([0, 9, 30, 80, 95, 140, 200])
    assert find(deliver, days) == []


def test_a_source_that_ended_before_the_run_s_day_is_told(deliver: Callable[..., Engine]) -> None:
    days = np.random.default_rng(1).integers(0, 300, 2_000)
    assert find(deliver, days, as_of_date=date(2024, 10, 28)) == []
    told = find(deliver, days, as_of_date=date(2024, 11, 30))
    assert len(told) == 1
    assert told[0].startswith("The tickets of till end on 2024-10-26, 35 days before the day of this run")
    assert find(deliver, days[days % 50 == 0], as_of_date=date(2024, 11, 30)) == []


def test_tickets_before_a_store_opened_are_told(deliver: Callable[..., Engine]) -> None:
    told = find(deliver, np.arange(60), opened_on="2024-01-11", as_of_date=date(2024, 3, 1))
    assert told[0].startswith("10 tickets of store s1 bear dates from 2024-01-01 on, before it opened on 2024-01-11")


def test_the_steps_can_be_written_as_spark_sql() -> None:
    assert "FOLLOWING" in CLOSURES.spark
    assert "LAG" in ENDINGS.spark
    assert "early" not in EARLY_TICKETS.spark
