"""Origins, features, trees, the blend and reasons: on a log whose trends only recent windows can tell."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import origins
from crmlib.behaviour.features import FEATURES, RECEIVED_SENDS, RECENT_PURCHASES, TICKET_HABITS, describe_customers
from crmlib.behaviour.forecasts import HIATUS_RULE, MODELS, SEASON, TREES, Forecaster, train_cycle_model
from crmlib.behaviour.origins import (
    Sample,
    collect_samples,
    describe_now,
    find_earlier,
    find_origins,
    list_judged,
    plan_samples,
)
from crmlib.behaviour.purchases import RHYTHM_STEPS
from crmlib.behaviour.reasons import _move, explain_chances
from crmlib.behaviour.scoring import score_counts, score_probabilities
from crmlib.engine import Engine
from crmlib.errors import NothingToDo
from tests.behaviour.conftest import load_log

FIRST, LAST = date(2024, 1, 1), date(2024, 9, 6)


def draw_log(customers: int = 900, days: int = 250, seed: int = 4) -> pd.DataFrame:
    """Purchases of customers whose rate drifts by days: what a stationary model cannot follow."""
    random = np.random.default_rng(seed)
    level = random.gamma(1.5, 0.05, customers)[:, None]
    drift = np.exp(np.cumsum(random.normal(0, 0.09, (customers, days)), axis=1))
    who, day = np.nonzero(random.random((customers, days)) < np.minimum(level * drift, 0.8))
    return pd.DataFrame(
        {
            "source_record_id": who.astype(str),
            "bought_at": pd.Timestamp(FIRST) + pd.to_timedelta(day, unit="D"),
            "amount": 10.0,
        }
    )


@pytest.fixture(scope="module")
def engine_of_log() -> Engine:
    return load_log(draw_log())


@pytest.fixture(scope="module")
def samples(engine_of_log: Engine) -> list[Sample]:
    return collect_samples(engine_of_log, FIRST, LAST, [7, 28], 2)


@pytest.fixture(scope="module")
def forecaster(samples: list[Sample]) -> Forecaster:
    return Forecaster(samples, [7, 28], 7, seed=1)


def test_origins_lie_a_horizon_apart_and_have_a_history() -> None:
    origins = find_origins(date(2024, 1, 1), date(2024, 12, 31), 91, 4)
    assert origins == [date(2024, 4, 2), date(2024, 7, 2), date(2024, 10, 1)]
    assert find_origins(date(2024, 1, 1), date(2024, 5, 1), 91, 4) == []


def test_of_a_short_history_the_shorter_horizons_are_judged() -> None:
    first = date(2024, 1, 1)
    assert list_judged(first, date(2024, 12, 31), [7, 28, 91]) == [7, 28, 91]
    assert list_judged(first, date(2024, 4, 30), [7, 28, 91]) == [7, 28]
    assert list_judged(first, date(2024, 1, 5), [7, 28, 91]) == [7, 28, 91], "nothing can be judged: all are forecast"


def test_every_judged_origin_has_something_to_learn_from() -> None:
    planned = plan_samples(date(2024, 1, 1), date(2024, 12, 31), 91, 4)
    for origin in find_origins(date(2024, 1, 1), date(2024, 12, 31), 91, 4):
        assert any(earlier + timedelta(days=days) <= origin for earlier, days in planned)
    short = [(origin, days) for origin, days in planned if days < 91]
    assert short == [(date(2024, 2, 16), 46)]  # the first half of the history before the first judged origin


def test_nothing_is_learnt_from_what_had_not_ended(samples: list[Sample]) -> None:
    for sample in samples:
        assert all(earlier.end <= sample.origin for earlier in find_earlier(samples, sample.origin, 28))
    last = samples[-1]
    assert [s.origin for s in find_earlier(samples, last.origin, 28)] == [
        last.origin - timedelta(days=back) for back in (56, 42, 28)
    ]


def test_of_a_large_base_some_are_judged(engine_of_log: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_CUSTOMERS", 200)
    (few, *_) = collect_samples(engine_of_log, FIRST, LAST, [28], 1)
    assert 100 < len(few.frame) <= 200
    assert few.frame["customer_id"].is_unique


def test_features_by_hand() -> None:
    log = pd.DataFrame(
        {
            "source_record_id": "1",
            "bought_at": pd.to_datetime(["2024-01-06", "2024-03-01", "2024-03-20", "2024-03-28", "2024-04-02"]),
            "amount": [8.0, 4.0, 6.0, 2.0, 99.0],
            "channel": ["online", "store", "store", "store", "store"],
        }
    )
    engine = load_log(log)
    for step in RHYTHM_STEPS:
        engine.run(step, as_of_date=date(2024, 3, 31))
    found = describe_customers(engine, date(2024, 3, 31)).iloc[0]
    wanted = {"last_gap": 8, "gap_before": 19, "bought_7d": 1, "bought_28d": 2, "bought_56d": 1, "bought_91d": 4}
    wanted |= {"amount_28d": 8, "online_share": 0.25, "weekend_share": 0.25, "sent_28d": 0, "amount_a_day": 5}
    assert found[list(wanted)].to_dict() == pytest.approx(wanted)
    assert set(found.index) - {"customer_id"} == set(FEATURES) - {"days_since", "frequency", "T"}


def test_messages_are_counted_up_to_the_origin() -> None:
    engine = load_log(pd.DataFrame({"source_record_id": ["1"], "bought_at": [pd.Timestamp("2024-01-06")]}))
    sent = pd.to_datetime(["2024-03-30", "2024-02-01", "2024-04-01", None])
    engine.register(
        "sends",
        pd.DataFrame(
            {"record_source": "till", "source_record_id": "1", "sent_at": sent, "clicked": [True, True, True, True]}
        ),
    )
    for step in RHYTHM_STEPS:
        engine.run(step, as_of_date=date(2024, 3, 31))
    found = describe_customers(engine, date(2024, 3, 31)).iloc[0]
    assert found[["sent_28d", "sent_91d", "clicked_91d"]].to_list() == [1, 2, 2]


@pytest.mark.parametrize("step", [RECENT_PURCHASES, TICKET_HABITS, RECEIVED_SENDS], ids=lambda step: step.name)
def test_the_steps_can_be_written_as_spark_sql(step) -> None:
    assert step.spark.startswith(("WITH", "SELECT"))


def test_trees_follow_what_drifts(forecaster: Forecaster, samples: list[Sample]) -> None:
    last = samples[-1]
    purchases = last.frame["purchases_28d"].to_numpy(float)
    scores = {}
    for name in ("mbg_nbd", "trees", "blend"):
        made = forecaster.forecast(name, last)
        counts = score_counts(made["expected_purchases_28d"].to_numpy(), purchases)
        scores[name] = counts | score_probabilities(made["p_buy_28d"].to_numpy(), (purchases > 0) * 1.0)
    for name in ("trees", "blend"):
        assert scores[name]["rmse"] < 0.97 * scores["mbg_nbd"]["rmse"]
        assert scores[name]["log_loss"] < scores["mbg_nbd"]["log_loss"]


@pytest.mark.parametrize("name", [name for name in MODELS if name != SEASON])
def test_a_longer_horizon_never_has_less(name: str, forecaster: Forecaster, samples: list[Sample]) -> None:
    made = forecaster.forecast(name, samples[-1])
    assert (made["p_buy_7d"] <= made["p_buy_28d"]).all()
    assert (made["expected_purchases_7d"] <= made["expected_purchases_28d"]).all()
    assert made.filter(like="p_buy").stack().between(0, 1).all()
    assert np.isfinite(made).all(axis=None)


@pytest.mark.parametrize("name", ["mbg_nbd", "rhythm_mixture", "hiatus_rule", "trees", "blend"])
def test_chances_alone_are_the_same_chances(name: str, forecaster: Forecaster, samples: list[Sample]) -> None:
    both = Forecaster(samples, [28], 7, seed=1).forecast(name, samples[-1])
    alone = forecaster.for_chances([28]).forecast(name, samples[-1])
    assert list(alone) == ["p_buy_28d"]
    pd.testing.assert_series_equal(alone["p_buy_28d"], both["p_buy_28d"])


def test_a_short_history_gives_a_ratio_to_the_rhythm_model(samples: list[Sample]) -> None:
    short = [sample for sample in samples if sample.origin < samples[-1].origin - timedelta(days=30)][-1:]
    longer = Forecaster(short, [7, 91], 7, seed=1)
    now = samples[-1]
    ahead = Sample(now.origin, 91, now.frame)
    assert not longer.learns_whole(ahead)
    assert longer.trees(ahead).with_offset
    made, rhythm = (longer.forecast(name, ahead)["expected_purchases_91d"] for name in ("trees", "mbg_cnbd_k"))
    assert made.mean() == pytest.approx(rhythm.mean(), rel=0.4)


def test_without_an_earlier_date_trees_are_silent(samples: list[Sample]) -> None:
    with pytest.raises(NothingToDo, match="no earlier date"):
        Forecaster([], [28], 7, seed=1).forecast("trees", samples[-1])


def test_today_has_the_histories_of_the_summary(engine_of_log: Engine, forecaster: Forecaster) -> None:
    for step in RHYTHM_STEPS:
        engine_of_log.run(step, as_of_date=LAST)
    summary = engine_of_log.frame("FROM purchase_rhythm ORDER BY customer_id")
    now = describe_now(engine_of_log, LAST, 28, summary)
    assert now.frame["customer_id"].equals(summary["customer_id"])
    assert now.frame["T"].equals(summary["T"])
    assert set(train_cycle_model(forecaster, now).calibrations) == {7, 28}


def test_a_reason_is_what_the_model_says_at_the_median(forecaster: Forecaster, samples: list[Sample]) -> None:
    last = samples[-1]
    now = Sample(last.origin, 28, last.frame.iloc[:200])
    told = explain_chances(forecaster, "trees", now)
    assert len(told) == 200
    assert told.map(len).max() <= 3
    names = {words: name for name, words in FEATURES.items()}
    before = forecaster.forecast("trees", last)["p_buy_28d"].to_numpy()[:200]
    checked = 0
    for place, reasons in enumerate(told):
        for reason in reasons[:1]:
            name = names[reason.split(":")[0]]
            values = now.frame.assign(days_since=now.frame["T"] - now.frame["recency"])[name]
            moved = Sample(now.origin, 28, _move(now.frame, name, float(values.median())))
            after = forecaster.for_chances([28]).forecast("trees", moved)["p_buy_28d"].to_numpy()
            points = round(100 * (after[place] - before[place]))
            assert reason.endswith(f"{abs(points)} points {'higher' if points > 0 else 'lower'}")
            checked += 1
        if checked == 8:
            break
    assert checked == 8


def test_in_the_blend_the_rule_counts_for_no_more_than_the_highest_of_the_models(
    forecaster: Forecaster, samples: list[Sample]
) -> None:
    last = samples[-1]
    assert forecaster.learns_whole(last)
    models = [
        forecaster.forecast(name, last)["expected_purchases_28d"] for name in ("pareto_nbd", "rhythm_mixture", TREES)
    ]
    highest = np.max(models, axis=0)
    rule = forecaster.forecast(HIATUS_RULE, last)["expected_purchases_28d"]
    assert (rule > highest + 1).any()
    expected = np.mean([*models, np.minimum(rule, highest)], axis=0)
    assert forecaster.forecast("blend", last)["expected_purchases_28d"].to_numpy() == pytest.approx(expected)
