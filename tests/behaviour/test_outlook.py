"""One question for many answers: they are those of the single questions, and who shares a history is asked of once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import histories
from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.histories import PurchaseModel, group_histories
from crmlib.behaviour.mixture import train_mixture
from crmlib.behaviour.rhythm import RhythmFitter, train_rhythm

DAYS = (7, 91)


@pytest.fixture(params=["mbg_nbd", "rhythm", "mixture"])
def model(request: pytest.FixtureRequest, cdnow_39: pd.DataFrame) -> PurchaseModel:
    grouped = group_histories(cdnow_39)
    if request.param == "mixture":
        return train_mixture(cdnow_39.iloc[::4])
    return train_rhythm(grouped) if request.param == "rhythm" else train_btyd(grouped)


@pytest.mark.parametrize("alike_from", [1, 1_000_000])
def test_answers_are_those_of_the_single_questions(
    model: PurchaseModel, cdnow_39: pd.DataFrame, alike_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "_ALIKE_FROM", alike_from)
    outlook = model.outlook(cdnow_39)
    assert outlook.p_alive == pytest.approx(model.p_alive(cdnow_39), rel=1e-12)
    for days in DAYS:
        assert outlook.p_buy(days) == pytest.approx(model.p_buy(cdnow_39, days), rel=1e-12)
        expected = model.expected_purchases(cdnow_39, days)
        assert outlook.expected_purchases(days) == pytest.approx(expected, rel=1e-12)
        assert (outlook.expected_purchases(days) >= outlook.p_buy(days)).all()


def planted() -> PurchaseModel:
    fitter = RhythmFitter(k=2.0)
    fitter.params_ = pd.Series({"k": 2.0, "r": 1.0, "alpha": 5.0, "a": 0.5, "b": 3.0})
    return PurchaseModel("mbg_cnbd_k", fitter, 7)


def test_customers_alike_are_asked_of_once(cdnow_39: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "_ALIKE_FROM", 1)
    outlook = planted().outlook(cdnow_39)
    distinct = len(cdnow_39[["frequency", "recency", "T"]].drop_duplicates())
    assert len(outlook.outlook.p_alive) == distinct < len(cdnow_39) / 1.5
    assert len(outlook.p_alive) == len(cdnow_39)


def test_times_that_are_not_whole_days_are_not_rounded(cdnow_39: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "_ALIKE_FROM", 1)
    moved = cdnow_39.assign(T=cdnow_39["T"] + np.linspace(0, 0.9, len(cdnow_39)))
    assert planted().outlook(moved).p_alive == pytest.approx(planted().p_alive(moved), rel=1e-12)


def test_the_window_may_depend_on_who_is_still_a_customer(cdnow_39: pd.DataFrame) -> None:
    outlook = planted().outlook(cdnow_39)
    level = 0.5 * outlook.p_alive
    history = (cdnow_39["frequency"], cdnow_39["recency"] / 7, cdnow_39["T"] / 7)
    expected = 7 * planted().fitter.next_purchase_quantile(level, *history)
    assert outlook.next_purchase(lambda p_alive: 0.5 * p_alive) == pytest.approx(expected, rel=1e-12)
    assert (outlook.next_purchase(0.9) > outlook.next_purchase(0.1)).all()
