"""Demand: whole weeks, season, newcomers as a share, against last year's same week; nothing later than the date."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import demand
from crmlib.errors import NothingToDo

AS_OF = date(2026, 3, 1)  # a Sunday
CUSTOMERS = 150


def make_log(grown: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Two years of regular customers of two stores; so many of them came within the last year."""
    random = np.random.default_rng(3)
    rows = []
    for customer in range(CUSTOMERS):
        start = 0 if customer < CUSTOMERS - grown else int(random.integers(380, 560))
        day = start + random.gamma(3, 3)
        while day < 800:
            rows.append((str(customer), date(2024, 1, 1) + timedelta(days=int(day)), f"s{customer % 2}"))
            day += random.gamma(3, 10 / 3)
    tickets = pd.DataFrame(rows, columns=["source_record_id", "day", "store_id"]).drop_duplicates()
    tickets["bought_at"] = pd.to_datetime(tickets["day"])
    tickets["ticket_id"] = [f"t{number}" for number in range(len(tickets))]
    # every third purchase is nobody's
    tickets.loc[tickets.index % 3 == 0, "source_record_id"] = None
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "source": "till",
                    "ticket_id": tickets["ticket_id"],
                    "product_id": product,
                    "quantity": 1.0 + random.poisson(mean, len(tickets)),
                    "amount": 2.0,
                }
            )
            for product, mean in (("p1", 2.0), ("p2", 0.5))
        ]
    )
    products = pd.DataFrame({"product_id": ["p1", "p2"], "category": ["fruit", "bread"]})
    return tickets.drop(columns="day"), lines, products


@pytest.fixture(scope="module")
def log() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return make_log(grown=CUSTOMERS // 2)


@pytest.fixture
def retailer(deliver, log):
    return deliver(*log)


def test_customers_beat_last_years_week_where_their_number_grew(retailer):
    made = demand.forecast_demand(retailer, AS_OF, 6, 7, seed=1)
    assert made.used == demand.CUSTOMERS
    assert made.difference[2] < 0
    sentence, tone = demand.tell_demand(made)
    assert "surely better" in sentence
    assert tone == "good"
    by_category = demand.sum_by_category(made.forecast)
    assert set(by_category["category"]) == {"fruit", "bread"}
    assert by_category["units"].sum() == pytest.approx(made.forecast["units"].sum())
    scores = made.scores.set_index("model")
    assert scores.loc[demand.CUSTOMERS, "mae"] < scores.loc[demand.SEASONAL_NAIVE, "mae"]
    assert abs(scores.loc[demand.CUSTOMERS, "bias"]) < abs(scores.loc[demand.SEASONAL_NAIVE, "bias"])


def test_where_nothing_changes_four_in_five_come_inside_the_interval(deliver):
    made = demand.forecast_demand(deliver(*make_log(grown=0)), AS_OF, 6, 7, seed=1)
    assert 0.6 < made.scores.set_index("model").loc[made.used, "coverage"] < 0.97


def test_a_row_a_cell_and_week_with_its_interval(retailer):
    forecast = demand.forecast_demand(retailer, AS_OF, 6, 7, seed=1).forecast
    assert forecast[["category", "store_id", "week"]].drop_duplicates().shape[0] == len(forecast) == 2 * 2 * 6
    assert set(forecast["week"]) == {pd.Timestamp(AS_OF) + pd.Timedelta(days=1 + 7 * week) for week in range(6)}
    for name in ("units", "sales"):
        assert (forecast[f"{name}_low"] <= forecast[name]).all()
        assert (forecast[name] <= forecast[f"{name}_high"]).all()


def test_in_the_middle_of_a_week_the_next_one_is_the_first(retailer):
    forecast = demand.forecast_demand(retailer, AS_OF - timedelta(days=3), 6, 7, seed=1).forecast
    assert forecast["week"].min() == pd.Timestamp(AS_OF) + pd.Timedelta(days=1)


def test_nothing_later_than_the_date_is_used(deliver, log):
    tickets, lines, products = log
    early = AS_OF - timedelta(weeks=8)
    known = tickets[tickets["bought_at"].dt.date <= early]
    whole = demand.forecast_demand(deliver(*log), early, 4, 7, seed=1)
    alone = demand.forecast_demand(
        deliver(known, lines[lines["ticket_id"].isin(known["ticket_id"])], products), early, 4, 7, seed=1
    )
    pd.testing.assert_frame_equal(whole.forecast, alone.forecast)


def test_last_years_week_is_used_where_nothing_else_is_surely_better(deliver, log, monkeypatch):
    monkeypatch.setattr(demand, "_bootstrap", lambda *_: (0.1, -0.1, 0.3))
    made = demand.forecast_demand(deliver(*log), AS_OF, 6, 7, seed=1)
    assert made.used == demand.SEASONAL_NAIVE
    assert "not surely better" in demand.tell_demand(made)[0]
    naive = made.forecast.set_index(["category", "store_id", "week"])["units"]
    a_year_before = pd.Timestamp(AS_OF) + pd.Timedelta(days=1) - pd.Timedelta(weeks=52)
    (sold,) = (
        deliver(*log)
        .arrow(
            "SELECT sum(quantity) AS units FROM ticket_lines JOIN tickets USING (source, ticket_id) "
            "WHERE product_id = 'p1' AND store_id = 's0' "
            f"AND date_trunc('week', bought_on) = DATE '{a_year_before:%Y-%m-%d}'"
        )["units"]
        .to_pylist()
    )
    assert naive["fruit", "s0", pd.Timestamp(AS_OF) + pd.Timedelta(days=1)] == sold


@pytest.mark.parametrize("kept", ["no lines", "a short history"])
def test_too_little_is_said(deliver, log, kept):
    tickets, lines, products = log
    if kept == "no lines":
        lines = lines[:0]
    else:
        tickets = tickets[tickets["bought_at"] >= pd.Timestamp(AS_OF) - pd.Timedelta(weeks=10)]
    with pytest.raises(NothingToDo, match="forecast"):
        demand.forecast_demand(deliver(tickets, lines, products), AS_OF, 6, 7, seed=1)
