"""Purchase days and summaries: by hand, against pandas, and never from the future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.behaviour import purchases as room
from crmlib.behaviour.habits import HABIT_STEPS, TICKET_STEPS
from crmlib.behaviour.purchases import (
    HOLDOUT_PURCHASES,
    PURCHASE_SUMMARY,
    RHYTHM_STEPS,
    count_tickets_by_buyer,
    summarise_calibration_and_holdout,
    summarise_purchases,
)
from crmlib.engine import Engine, Step
from crmlib.tables import CONTRACTS

Deliver = Callable[..., Engine]
AS_OF = date(2024, 12, 31)


def log(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source_record_id", "bought_at", "amount"]).assign(
        bought_at=lambda frame: pd.to_datetime(frame["bought_at"])
    )


def summary_of(engine: Engine, as_of: date = AS_OF) -> pd.DataFrame:
    return engine.frame(f"FROM {summarise_purchases(engine, as_of)} ORDER BY customer_id").set_index("customer_id")


def summarise_in_pandas(log: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """The same in pandas, for logs without returns."""
    days = log[log["bought_at"] <= as_of].groupby(["source_record_id", "bought_at"])["amount"].sum().reset_index()
    days["gap"] = days.groupby("source_record_id")["bought_at"].diff().dt.days
    by_customer = days.groupby("source_record_id")
    first, last = by_customer["bought_at"].min(), by_customer["bought_at"].max()
    found = pd.DataFrame({"frequency": by_customer.size() - 1, "recency": (last - first).dt.days})
    found["T"] = (pd.Timestamp(as_of) - first).dt.days
    found["monetary_value"] = days[days["gap"].notna()].groupby("source_record_id")["amount"].mean()
    found["sum_log_itt"] = np.log(days["gap"]).groupby(days["source_record_id"]).sum()
    found["median_gap"] = by_customer["gap"].median()
    return found.set_index("c" + found.index)


def test_cdnow_is_what_pandas_finds(cdnow: Engine, cdnow_log: pd.DataFrame) -> None:
    ours, theirs = summary_of(cdnow, date(1997, 9, 30)), summarise_in_pandas(cdnow_log, "1997-09-30")
    assert len(ours) == 2357
    for column in theirs:
        assert ours[column].to_numpy(float) == pytest.approx(theirs[column].to_numpy(float), nan_ok=True, abs=1e-9)


def test_a_day_is_one_purchase(deliver: Deliver) -> None:
    engine = deliver(
        log(
            ("1", "2024-01-01 09:00", 5),
            ("1", "2024-01-01 18:00", 7),
            ("1", "2024-01-11 10:00", 20),
            ("1", "2024-01-31 10:00", 40),
        )
    )
    found = summary_of(engine).loc["c1"]
    assert (found["frequency"], found["recency"], found["T"], found["tickets"]) == (2, 30, 365, 4)
    assert found["monetary_value"] == 30
    assert found["sum_log_itt"] == pytest.approx(np.log(10) + np.log(20))
    assert str(found["previous_purchase_date"])[:10] == "2024-01-11"


def test_returns_are_netted(deliver: Deliver) -> None:
    engine = deliver(
        log(
            ("same_day", "2024-01-01", 30),
            ("same_day", "2024-02-01", 50),
            ("same_day", "2024-02-01", -20),
            ("later", "2024-01-01", 30),
            ("later", "2024-02-01", 50),
            ("later", "2024-02-05", -20),
            ("undone", "2024-01-01", 30),
            ("undone", "2024-02-01", 50),
            ("undone", "2024-02-05", -50),
            ("only", "2024-01-01", -9),
            ("only", "2024-03-01", 10),
            ("nothing", "2024-01-01", -9),
            ("gift", "2024-01-01", 0),
        )
    )
    found = summary_of(engine)
    assert found["frequency"].to_dict() == {"csame_day": 1, "clater": 1, "cundone": 0, "conly": 0, "cgift": 0}
    assert found.loc["csame_day", "monetary_value"] == found.loc["clater", "monetary_value"] == 30
    assert str(found.loc["cundone", "last_purchase_date"])[:10] == "2024-01-01"
    assert found.loc["conly", "recency"] == 0
    tickets = count_tickets_by_buyer(engine, AS_OF)
    assert (tickets["tickets"].sum(), tickets["returns"].sum()) == (13, 5)


def test_cancelled_and_anonymous_tickets_are_nobodys(deliver: Deliver) -> None:
    tickets = log(("1", "2024-01-01", 5), ("1", "2024-01-11", 5), (None, "2024-01-12", 5))
    engine = deliver(tickets.assign(status=["paid", "Cancelled", None]))
    assert summary_of(engine)["frequency"].to_dict() == {"c1": 0}
    assert count_tickets_by_buyer(engine, AS_OF)["buyer"].to_list() == ["known customer", "anonymous"]


def test_one_customer_with_several_records(deliver: Deliver) -> None:
    engine = deliver(log(("card", "2024-01-01", 5), ("shop", "2024-01-08", 5), ("shop", "2024-01-08", 5)))
    engine.execute("UPDATE identities SET customer_id = 'one'")
    found = summary_of(engine)
    assert found[["frequency", "tickets"]].to_numpy().tolist() == [[1, 3]]


def test_without_amounts_rhythm_is_left(deliver: Deliver) -> None:
    engine = deliver(log(("1", "2024-01-01", np.nan), ("1", "2024-01-08", np.nan)))
    found = summary_of(engine).loc["c1"]
    assert found["frequency"] == 1
    assert pd.isna(found["monetary_value"])
    assert pd.isna(found["amount"])


def test_regularity_of_gamma_gaps(deliver: Deliver) -> None:
    """The mean of the customers' own estimates is near the shape that made the gaps: it is hardly biased."""
    random = np.random.default_rng(7)
    gaps = np.maximum(np.rint(random.gamma(4, 100, (400, 12))), 1)
    days = np.concatenate([np.zeros((400, 1)), gaps.cumsum(axis=1)], axis=1)
    who = np.repeat(np.arange(400), 13)
    engine = deliver(
        pd.DataFrame(
            {
                "source_record_id": who.astype(str),
                "bought_at": pd.Timestamp("2000-01-01") + pd.to_timedelta(days.ravel(), "D"),
            }
        )
    )
    found = summary_of(engine, date(2030, 1, 1))["regularity"]
    assert found.mean() == pytest.approx(4, abs=0.35)
    assert (found > 1).mean() > 0.95


def test_two_gaps_tell_no_regularity(deliver: Deliver) -> None:
    engine = deliver(log(("1", "2024-01-01", 1), ("1", "2024-01-08", 1), ("1", "2024-01-15", 1)))
    assert summary_of(engine)["regularity"].isna().all()


def test_calibration_and_holdout(deliver: Deliver) -> None:
    engine = deliver(
        log(
            ("1", "2024-01-01", 5),
            ("1", "2024-03-01", 7),
            ("1", "2024-07-10", 20),
            ("1", "2024-08-10", 30),
            ("2", "2024-02-01", 5),
            ("3", "2024-07-01", 5),
        )
    )
    found = summarise_calibration_and_holdout(engine, date(2024, 6, 30), AS_OF).set_index("customer_id")
    assert found["frequency"].to_dict() == {"c1": 1, "c2": 0}
    assert found["holdout_purchases"].to_dict() == {"c1": 2, "c2": 0}
    assert found["holdout_amount"].to_dict() == {"c1": 50, "c2": 0}
    assert found.loc["c1", "next_purchase_days"] == 10
    assert np.isnan(found.loc["c2", "next_purchase_days"])


WHO_AND_WHEN = (st.sampled_from(["1", "2", "3"]), st.dates(date(2024, 1, 1), date(2024, 2, 15)))
purchases = st.lists(st.tuples(*WHO_AND_WHEN, st.integers(-20, 40).map(float)), min_size=1, max_size=25)


def find_days_one_by_one(rows: list[tuple[str, date, float]]) -> dict[tuple[str, date], float]:
    """Purchase days and their amounts, ticket by ticket; an amount of nothing at all is not known."""
    amounts: dict[tuple[str, date], list[float]] = {}
    bought: set[tuple[str, date]] = set()
    returned: set[tuple[str, date]] = set()
    for who, day, amount in sorted(rows, key=lambda row: (row[1], row[2] < 0)):
        if amount < 0 and (who, day) not in bought:
            earlier = [at for name, at in bought if name == who]
            if not earlier:
                continue
            day = max(earlier)
        (returned if amount < 0 else bought).add((who, day))
        amounts.setdefault((who, day), []).extend([] if np.isnan(amount) else [amount])
    sums = {at: sum(known) if known else np.nan for at, known in amounts.items()}
    return {at: amount for at, amount in sums.items() if at not in returned or amount > 0}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(*WHO_AND_WHEN, st.integers(-20, 30).map(lambda n: np.nan if n == 3 else float(n)))))
def test_purchase_days_are_those_found_one_by_one(deliver: Deliver, rows: list[tuple[str, date, float]]) -> None:
    engine = deliver(log(*rows))
    summarise_purchases(engine, AS_OF)
    found = engine.rows(
        "SELECT customer_id, bought_on, amount FROM purchase_days JOIN customer_numbers USING (customer_no)"
    )
    amounts = {(row["customer_id"][1:], row["bought_on"]): row["amount"] for row in found}
    wanted = find_days_one_by_one(rows)
    assert amounts.keys() == wanted.keys()
    for at, amount in wanted.items():
        assert amounts[at] is None if np.isnan(amount) else float(amounts[at]) == amount


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=purchases, cut=st.dates(date(2024, 1, 1), date(2024, 2, 15)), seed=st.integers(0, 99))
def test_the_future_and_the_order_of_rows_change_nothing(
    deliver: Deliver, rows: list[tuple[str, date, float]], cut: date, seed: int
) -> None:
    whole = log(*rows)
    known = whole[whole["bought_at"].dt.date <= cut]
    shuffled = whole.sample(frac=1, random_state=seed)
    seen = summary_of(deliver(shuffled), cut)
    if known.empty:
        assert seen.empty
        return
    pd.testing.assert_frame_equal(seen, summary_of(deliver(known), cut))


def test_customers_come_out_the_same_however_many_are_summarised_at_once(
    cdnow: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = summary_of(cdnow)
    monkeypatch.setattr(room, "CUSTOMERS_AT_ONCE", 1000)
    pd.testing.assert_frame_equal(summary_of(cdnow), at_once)


def test_every_column_stands_in_the_contract(deliver: Deliver) -> None:
    found = summary_of(deliver(log(("1", "2024-01-01", 5)))).reset_index()
    assert set(found.columns) == {column.name for column in CONTRACTS["purchase_summary"].columns}


@pytest.mark.parametrize(
    "step", [*RHYTHM_STEPS, *TICKET_STEPS, *HABIT_STEPS, PURCHASE_SUMMARY, HOLDOUT_PURCHASES], ids=lambda s: s.name
)
def test_every_step_can_be_written_as_spark_sql(step: Step) -> None:
    assert step.spark.startswith(("SELECT", "WITH"))
