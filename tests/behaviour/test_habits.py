"""Habits by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from crmlib.behaviour.purchases import summarise_purchases
from crmlib.engine import Engine

Deliver = Callable[..., Engine]


def habits_of(engine: Engine, timezone: str = "UTC") -> pd.Series:
    return engine.frame(f"FROM {summarise_purchases(engine, date(2024, 12, 31), timezone)}").iloc[0]


@pytest.fixture
def tickets() -> pd.DataFrame:
    """Two Mondays and a Sunday; twice at the harbour; 7, 8 and 19 o'clock UTC."""
    return pd.DataFrame(
        {
            "source_record_id": "1",
            "ticket_id": ["a", "b", "c"],
            "bought_at": pd.to_datetime(["2024-01-01 07:00", "2024-01-08 08:30", "2024-01-14 19:00"]),
            "store_id": ["harbour", "harbour", "market"],
            "channel": ["store", "online", "store"],
            "amount": [10.0, 20.0, 30.0],
            "discount": [0.0, 5.0, 10.0],
            "items": [1.0, 2.0, 9.0],
        }
    )


def test_the_commonest_is_the_habit(deliver: Deliver, tickets: pd.DataFrame) -> None:
    found = habits_of(deliver(tickets))
    assert (found["usual_weekday"], found["usual_daypart"], found["home_store_id"]) == (1, "morning", "harbour")
    assert found["channel_shares"] == pytest.approx({"online": 1 / 3, "store": 2 / 3})
    assert (found["basket_items"], found["basket_amount"]) == (2, 20)
    assert found["discount_share"] == pytest.approx(15 / 75)


@pytest.mark.parametrize("day", range(7))
def test_weekdays_are_those_of_the_calendar(deliver: Deliver, day: int) -> None:
    bought_at = pd.Timestamp("2024-02-26") + pd.Timedelta(days=day)
    found = habits_of(deliver(pd.DataFrame({"source_record_id": ["1"], "bought_at": [bought_at]})))
    assert found["usual_weekday"] == bought_at.isoweekday()


def test_the_time_of_day_is_local(deliver: Deliver, tickets: pd.DataFrame) -> None:
    assert habits_of(deliver(tickets), "Asia/Tokyo")["usual_daypart"] == "afternoon"


def test_days_without_times_have_no_daypart(deliver: Deliver, tickets: pd.DataFrame) -> None:
    dated = tickets.assign(bought_at=tickets["bought_at"].dt.normalize())
    assert pd.isna(habits_of(deliver(dated))["usual_daypart"])


def test_a_tie_goes_to_the_first_in_order(deliver: Deliver, tickets: pd.DataFrame) -> None:
    assert habits_of(deliver(tickets.iloc[1:]))["home_store_id"] == "harbour"


def test_of_two_weekdays_as_common_the_one_of_all_customers_is_usual(deliver: Deliver) -> None:
    monday, saturday = "2024-01-01 09:00", "2024-01-06 19:00"
    tickets = pd.DataFrame(
        {"source_record_id": ["1", "1", "2", "2", "3"], "bought_at": [monday, saturday, saturday, monday, saturday]}
    )
    engine = deliver(tickets.assign(bought_at=pd.to_datetime(tickets["bought_at"])))
    engine.execute(
        "INSERT INTO tickets BY NAME SELECT * REPLACE (bought_at + INTERVAL 1 MINUTE AS bought_at) FROM tickets"
    )
    found = engine.frame(f"FROM {summarise_purchases(engine, date(2024, 12, 31))}")
    assert found["usual_weekday"].to_list() == [6, 6, 6]
    assert found["usual_daypart"].to_list() == ["evening"] * 3


def test_category_shares(deliver: Deliver, tickets: pd.DataFrame) -> None:
    lines = pd.DataFrame(
        {
            "source": "till",
            "ticket_id": ["a", "b", "b", "c"],
            "product_id": ["milk", "milk", "hammer", "unknown"],
            "amount": [10.0, 20.0, 10.0, 30.0],
        }
    )
    products = pd.DataFrame({"product_id": ["milk", "hammer"], "category": ["food", "tools"]})
    assert habits_of(deliver(tickets, lines, products))["category_shares"] == pytest.approx(
        {"food": 0.75, "tools": 0.25}
    )
    assert pd.isna(habits_of(deliver(tickets))["category_shares"])
