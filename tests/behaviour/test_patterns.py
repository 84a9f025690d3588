"""What room 05 shows, by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import patterns
from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.purchases import summarise_purchases
from crmlib.behaviour.rhythm import train_rhythm
from crmlib.engine import Engine


@pytest.fixture
def summary(cdnow: Engine) -> pd.DataFrame:
    return cdnow.frame(f"FROM {summarise_purchases(cdnow, date(1998, 6, 30))}")


def test_everybody_is_in_one_group(summary: pd.DataFrame) -> None:
    found = patterns.summarise_by_frequency(summary)
    assert found["purchase_days"].to_list()[:3] == ["1", "2", "3–5"]
    assert found["customers"].sum() == 2357
    assert found.loc[0, "customers"] == (summary["frequency"] == 0).sum()
    assert found.loc[2, "customers"] == summary["frequency"].between(2, 4).sum()
    assert found["customers_share"].sum() == pytest.approx(1)
    assert found["amount_share"].sum() == pytest.approx(1)


def test_without_amounts_there_are_no_shares_of_them(summary: pd.DataFrame) -> None:
    assert patterns.summarise_by_frequency(summary.assign(amount=None))["amount_share"].isna().all()


def test_gaps_are_all_repeat_purchases(cdnow: Engine, summary: pd.DataFrame) -> None:
    gaps = patterns.count_gaps(cdnow)
    assert gaps["gaps"].sum() == summary["frequency"].sum()
    assert (gaps["gap"] * gaps["gaps"]).sum() == summary["recency"].sum()


def test_weekdays(deliver: Callable[..., Engine]) -> None:
    engine = deliver(
        pd.DataFrame(
            {
                "source_record_id": "1",
                "bought_at": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-13", "2024-01-14"]),
            }
        )
    )
    summarise_purchases(engine, date(2024, 12, 31))
    found = patterns.count_weekdays(engine).set_index("weekday")
    assert found["purchase_days"].to_dict() == {
        **dict.fromkeys(patterns.WEEKDAYS, 0),
        "Monday": 2,
        "Saturday": 1,
        "Sunday": 1,
    }
    assert found.loc["Monday", "share"] == 0.5


def test_only_known_habits_are_told(summary: pd.DataFrame) -> None:
    assert patterns.summarise_habits(summary)["habit"].to_list() == ["Usual weekday"]
    shares = [{"online": 0.4, "store": 0.6}] * 3 + [{"online": 1.0}]
    some = summary.iloc[:4].assign(channel_shares=shares, home_store_id=["7", None, None, None])
    found = patterns.summarise_habits(some).set_index("habit")
    assert tuple(found.loc["Usual channel"]) == ("store", 0.75, 4)
    assert tuple(found.loc["Home store"]) == ("7", 1.0, 1)


def test_only_known_measures_are_told(summary: pd.DataFrame) -> None:
    found = patterns.summarise_baskets(summary, "EUR").set_index("measure")
    assert found.index.to_list() == ["Amount a ticket, EUR", "Days between purchases"]
    assert found.loc["Days between purchases", "median"] == summary["median_gap"].median()


def test_the_model_makes_as_many_customers(summary: pd.DataFrame) -> None:
    model = train_rhythm(group_histories(summary), 7)
    found = patterns.compare_frequencies(summary, model, seed=1)
    assert found["actual"].sum() == found["model"].sum() == 2357
    assert found.loc[0, "actual"] == (summary["frequency"] == 0).sum()
    assert found.loc[12, "actual"] == (summary["frequency"] >= 12).sum()
    assert np.abs(found["actual"] - found["model"]).sum() / 2357 < 0.12
    pd.testing.assert_frame_equal(found, patterns.compare_frequencies(summary, model, seed=1))


def test_cohorts_of_the_model_come_back_as_often_as_they_did(summary: pd.DataFrame) -> None:
    """CDNOW's customers began within three months; the model was fitted to all of them together."""
    model = train_rhythm(group_histories(summary), 7)
    compared = patterns.compare_cohorts(summary, model, seed=1)
    assert compared["cohort"].dt.strftime("%Y-%m").to_list() == ["1997-01", "1997-02", "1997-03"]
    assert compared["customers"].sum() == len(summary)
    actual = summary["frequency"].groupby(pd.to_datetime(summary["first_purchase_date"]).dt.month).mean()
    assert compared["actual"].to_numpy() == pytest.approx(actual.to_numpy())
    assert compared["model"].to_numpy() == pytest.approx(compared["actual"].to_numpy(), rel=0.2)
    few = patterns.compare_cohorts(summary.iloc[:20], model, seed=1)
    assert few.empty


@pytest.mark.parametrize(("saturdays", "strongest"), [(140, []), (170, ["Saturday"])])
def test_a_weekday_stands_out_only_by_more_than_chance(saturdays, strongest):
    counted = pd.DataFrame({"weekday": patterns.WEEKDAYS, "purchase_days": [100, 100, 100, 100, 125, saturdays, 90]})
    assert patterns.find_strongest(counted) == strongest
