"""Stages rule by rule, dates of entry against a walk day by day, windows against the chance they promise."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.churn import CalibratedModel, Calibration
from crmlib.behaviour.histories import PurchaseModel, simulate_histories
from crmlib.behaviour.lifecycle import NEW_DAYS, STAGES, assign_lifecycle, cross_stages, list_prospects, read_base
from crmlib.behaviour.purchases import summarise_purchases
from crmlib.behaviour.rhythm import RhythmFitter
from crmlib.engine import Engine
from crmlib.params import StageSettings
from crmlib.tables import CONTRACTS

AS_OF = date(2024, 12, 31)
CUTS = StageSettings()


def make_model(k: float = 3.0) -> CalibratedModel:
    fitter = RhythmFitter()
    fitter.params_ = pd.Series({"k": k, "r": 1.2, "alpha": 12.0 / k, "a": 0.5, "b": 4.0})
    return CalibratedModel(PurchaseModel("mbg_cnbd_k", fitter, 1.0), {28: Calibration(), 91: Calibration()})


def summary_of(*histories: tuple[int, int, int, int | None]) -> pd.DataFrame:
    """Histories as (frequency, recency, T, recency of the purchase before the last)."""
    frame = pd.DataFrame(histories, columns=["frequency", "recency", "T", "before"])
    first = pd.Timestamp(AS_OF) - pd.to_timedelta(frame["T"], unit="D")
    return frame.assign(
        customer_id=[f"c{number:04d}" for number in range(len(frame))],
        first_purchase_date=first,
        previous_purchase_date=first + pd.to_timedelta(frame["before"].astype(float), unit="D"),
    )


def draw_summary(customers: int = 300, oldest: int = 500) -> pd.DataFrame:
    random = np.random.default_rng(5)
    drawn = simulate_histories(make_model().model.fitter.params_, random.integers(20, oldest, customers), 0, seed=6)
    rows = []
    for frequency, recency, age in zip(drawn["frequency"], drawn["recency"], drawn["T"], strict=True):
        recency = max(round(recency), int(frequency))
        before = int(random.integers(frequency - 1, recency)) if frequency else None
        rows.append((int(frequency), recency, max(int(age), recency), before))
    return summary_of(*rows)


def stages_by_the_rules(frame: pd.DataFrame, model: CalibratedModel) -> list[str]:
    """The rules as purchase models states them, in order, row by row."""
    fitter = model.model.fitter
    facts = frame.assign(
        overdue=fitter.overdue_percentile(frame["frequency"], frame["recency"], frame["T"]),
        closed=fitter.overdue_percentile(
            (frame["frequency"] - 1).clip(lower=0), frame["before"].fillna(0), frame["recency"]
        ),
        gone=1 - model.p_buy(frame)[91],
        alive=model.model.p_alive(frame),
    )
    return [stage_by_the_rules(row) for row in facts.itertuples()]


def stage_by_the_rules(row: Any) -> str:
    if row.frequency > 0 and row.T - row.recency <= 28 and row.closed >= 0.95:
        return "reactivated"
    if row.frequency == 0 and row.overdue < 0.8 and row.T <= NEW_DAYS:
        return "new"
    if row.gone >= 0.95:
        return "lost"
    if row.gone >= 0.85:
        return "dormant"
    if row.overdue >= 0.95 or row.alive < 0.5:
        return "at_risk"
    return "late" if row.overdue >= 0.8 else "due" if row.overdue >= 0.5 else "on_rhythm"


def test_the_first_rule_that_holds_names_the_stage() -> None:
    summary, model = draw_summary(), make_model()
    found = assign_lifecycle(summary, model, AS_OF, CUTS)
    expected = stages_by_the_rules(summary, model)
    assert found["stage"].to_list() == expected
    assert set(expected) == set(STAGES) - {"prospect"}


def test_since_is_the_first_day_of_the_stage() -> None:
    summary, model = draw_summary(100), make_model()
    found = assign_lifecycle(summary, model, AS_OF, CUTS)
    for (_, row), (_, stage) in zip(summary.iterrows(), found.iterrows(), strict=True):
        ages = np.arange(row["recency"], row["T"] + 1)
        walk = stages_by_the_rules(pd.DataFrame([row] * len(ages)).assign(T=ages), model)
        entered = len(walk) - next((n for n, name in enumerate(reversed(walk)) if name != stage["stage"]), len(walk))
        assert stage["since"] == row["first_purchase_date"] + pd.Timedelta(days=int(ages[entered]))
        if entered > 0:
            assert stage["previous_stage"] == walk[entered - 1]


def test_the_stage_before_the_last_purchase() -> None:
    model = make_model()
    found = assign_lifecycle(summary_of((0, 0, 5, None), (8, 100, 101, 20), (8, 100, 101, 90)), model, AS_OF, CUTS)
    assert found["stage"].to_list() == ["new", "reactivated", "on_rhythm"]
    assert found["previous_stage"].iloc[0] == "prospect"
    assert found["previous_stage"].iloc[1] in ("at_risk", "dormant", "lost")


def test_a_stage_without_a_purchase_since_keeps_its_entry() -> None:
    summary, model = summary_of((8, 100, 130, 88), (8, 100, 130, 88)), make_model()
    alone = assign_lifecycle(summary, model, AS_OF, CUTS)
    assert alone["stage"].nunique() == 1
    last = pd.Timestamp(AS_OF) - pd.Timedelta(days=30)
    base = alone[["customer_id", "stage"]].assign(since=[last + pd.Timedelta(days=3), last - pd.Timedelta(days=60)])
    found = assign_lifecycle(summary, model, AS_OF, CUTS, base=base.assign(previous_stage="due"))
    assert found["since"].iloc[0] == last + pd.Timedelta(days=3)
    assert found["since"].iloc[1] == alone["since"].iloc[1]


def test_a_renewed_stage_keeps_its_entry_from_the_base(engine: Engine) -> None:
    summary, model = summary_of((8, 100, 101, 97), (8, 100, 101, 97)), make_model()
    alone = assign_lifecycle(summary, model, AS_OF, CUTS)
    assert alone["stage"].to_list() == ["on_rhythm", "on_rhythm"]
    assert alone["previous_stage"].isna().all()
    base = pd.DataFrame(
        {
            "customer_id": ["c0000", "c0001"],
            "stage": ["on_rhythm", "late"],
            "since": [date(2024, 11, 1), date(2024, 11, 1)],
            "previous_stage": ["new", "due"],
        }
    )
    assert read_base(engine, None) is None
    engine.register("base_lifecycle", base)
    found = assign_lifecycle(summary, model, AS_OF, CUTS, base=read_base(engine, "base_lifecycle"))
    assert found["since"].to_list() == [pd.Timestamp("2024-11-01"), pd.Timestamp("2024-12-30")]
    assert found["previous_stage"].iloc[0] == "new"
    assert pd.isna(found["previous_stage"].iloc[1])


@pytest.mark.parametrize("k", [1.0, 3.0])
def test_the_window_holds_four_in_five_of_those_who_are_customers(k: float) -> None:
    model = make_model(k)
    drawn = simulate_histories(model.model.fitter.params_, np.full(20_000, 200.0), 5_000, seed=3)
    drawn = drawn[drawn["alive"] & np.isfinite(drawn["next_purchase"])].reset_index(drop=True)
    drawn["first_purchase_date"] = pd.Timestamp(AS_OF) - pd.Timedelta(days=200)
    drawn["previous_purchase_date"] = pd.NaT
    drawn["customer_id"] = drawn.index.astype(str)
    found = assign_lifecycle(drawn, model, AS_OF, CUTS)
    came = np.ceil(drawn["next_purchase"])
    bounds = {
        name: (pd.to_datetime(found[f"next_purchase_{name}"]) - pd.Timestamp(AS_OF)).dt.days.fillna(10**6)
        for name in ("from", "median", "to")
    }
    assert ((came >= bounds["from"]) & (came <= bounds["to"])).mean() == pytest.approx(0.82, abs=0.04)
    assert (came <= bounds["median"]).mean() == pytest.approx(0.53, abs=0.05)
    assert (bounds["from"] >= 1).all()
    assert (bounds["from"] <= bounds["median"]).all()
    assert (bounds["median"] <= bounds["to"]).all()


def test_prospects_are_customers_without_a_purchase(engine: Engine) -> None:
    engine.register("identities", pd.DataFrame({"customer_id": ["c2", "c1", "c1", "c0000"]}))
    summary = summary_of((3, 40, 50, 20))
    engine.register("purchase_summary", summary[["customer_id"]])
    prospects = list_prospects(engine)
    assert prospects["customer_id"].to_list() == ["c1", "c2"]
    found = assign_lifecycle(summary, make_model(), AS_OF, CUTS, prospects)
    assert found.set_index("customer_id")["stage"].to_dict() | {"c0000": "-"} == {
        "c0000": "-",
        "c1": "prospect",
        "c2": "prospect",
    }
    assert found.loc[found["stage"] == "prospect", ["since", "next_purchase_from"]].isna().all(axis=None)


def test_the_columns_and_stages_are_those_of_the_contract() -> None:
    contract = CONTRACTS["lifecycle"]
    found = assign_lifecycle(summary_of((3, 40, 50, 20)), make_model(), AS_OF, CUTS)
    assert set(found.columns) == {column.name for column in contract.columns}
    assert contract.column("stage").values == STAGES


def test_a_first_day_and_a_long_silence() -> None:
    found = assign_lifecycle(
        summary_of((0, 0, 0, None), (0, 0, 3000, None), (40, 400, 3000, 390)), make_model(), AS_OF, CUTS
    )
    assert found["stage"].to_list() == ["new", "lost", "lost"]
    assert found["since"].iloc[0] == pd.Timestamp(AS_OF)
    assert found["since"].iloc[1] > pd.Timestamp(AS_OF) - pd.Timedelta(days=3000 - NEW_DAYS)
    assert found["previous_stage"].iloc[1] == "dormant"
    assert found["overdue_percentile"].between(0, 1).all()


def test_a_month_ago_everybody_stood_where_the_same_rules_put_them_then(cdnow: Engine) -> None:
    today, then_on = date(1997, 12, 31), date(1997, 12, 3)
    model = make_model()
    now, then = (
        assign_lifecycle(cdnow.frame(f"FROM {summarise_purchases(cdnow, day)} ORDER BY customer_id"), model, day, CUTS)
        for day in (today, then_on)
    )
    crossed = cross_stages(cdnow, model, today, CUTS, now)
    now, then = (stages["stage"].str.replace("_", " ").value_counts().to_dict() for stages in (now, then))
    assert crossed.sum().to_dict() == now
    assert crossed.sum(axis=1).drop("prospect", errors="ignore").to_dict() == then
    assert crossed.index.name == "a month ago"
