"""Figures against truth, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib.behaviour.evaluation import (
    JUDGED,
    JUDGED_STAGES,
    PERSONS,
    RANKED,
    evaluate_behaviour,
    evaluate_ranking,
    evaluate_stages,
)
from crmlib.engine import Engine


def test_the_truth_judges(engine: Engine) -> None:
    names = ["a", "b", "c", "d"]
    engine.register(
        "identities", pd.DataFrame({"source": "s", "source_record_id": [*names, "a2"], "customer_id": [*names, "a"]})
    )
    engine.register(
        "people", pd.DataFrame({"source": "s", "source_record_id": [*names, "a2"], "person_id": [*"ABCD", "A"]})
    )
    engine.register(
        "behaviour", pd.DataFrame({"person_id": [*"ABCD"], "k": [1, 2, 3, 4], "alive": [True, True, False, False]})
    )
    engine.register("customer_value", pd.DataFrame({"customer_id": names, "p_alive": [0.9, 0.4, 0.5, 0.2]}))
    engine.register(
        "purchase_summary",
        pd.DataFrame({"customer_id": names, "frequency": [10, 11, 12, 3], "regularity": [1.1, 1.9, 3.5, 0.1]}),
    )
    found = evaluate_behaviour(engine, "people", "behaviour").set_index("metric")
    assert found["value"].to_dict() == pytest.approx(
        {"alive_auc": 0.75, "alive_share": 0.5, "mean_p_alive": 0.5, "regularity_spearman": 1}
    )
    assert found["n"].to_list() == [4, 4, 4, 3]


def test_without_truth_there_is_nothing_to_say(engine: Engine) -> None:
    assert evaluate_behaviour(engine, None, "behaviour").empty


@pytest.fixture
def staged(engine: Engine) -> Engine:
    names = ["a", "b", "c", "d", "e"]
    for name, column in (("identities", "customer_id"), ("people", "person_id")):
        engine.register(name, pd.DataFrame({"source": "s", "source_record_id": names, column: names}))
    days = pd.to_datetime(["2026-11-05", "2026-11-09", "2026-11-20", "2026-12-24", None])
    engine.register(
        "lifecycle",
        pd.DataFrame(
            {
                "customer_id": names,
                "stage": ["on_rhythm", "due", "due", "at_risk", "lost"],
                "overdue_percentile": [0.1, 0.6, 0.7, 0.97, 0.99],
                "next_purchase_median": days,
            }
        ),
    )
    engine.register(
        "customer_value",
        pd.DataFrame(
            {
                "customer_id": names,
                "p_buy_28d": [0.9, 0.5, 0.6, 0.3, 0.1],
                "expected_purchases_91d": [5, 4, 3, 2, 0.5],
            }
        ),
    )
    engine.register(
        "stages",
        pd.DataFrame(
            {
                "person_id": names,
                "stage": ["on_rhythm", "late", "due", "at_risk", "lost"],
                "overdue_share": [0.2, 0.85, 0.55, 0.96, 0.1],
                "next_purchase_on": pd.to_datetime(["2026-11-04", "2026-11-12", "2026-11-18", None, None]),
                "purchases_28d": [2, 1, 0, 0, 0],
                "purchases_91d": [6, 3, 4, 1, 0],
            }
        ),
    )
    return engine


def test_the_truth_judges_stages_and_next_purchases(staged: Engine) -> None:
    found = evaluate_stages(staged, "people", "stages").set_index("metric")
    assert found["value"].to_dict() == pytest.approx(
        {
            "stage_agreement": 0.8,
            "overdue_spearman": 1 - 6 * 2 / (4 * 15),
            "late_auc": 0.75,
            "gone_auc": 1.0,
            "next_28d_auc": 5 / 6,
            "next_91d_spearman": 1 - 6 * 2 / (5 * 24),
            "next_date_spearman": 1.0,
        }
    )
    assert found["n"].to_list() == [5, 4, 4, 5, 5, 5, 3]


def test_without_true_stages_there_is_nothing_to_say_of_them(staged: Engine) -> None:
    assert evaluate_stages(staged, "people", None).empty


def test_ranking_is_judged_beside_lifetimes(engine: Engine) -> None:
    names = [str(number) for number in range(60)]
    for name, column in (("identities", "customer_id"), ("people", "person_id")):
        engine.register(name, pd.DataFrame({"source": "s", "source_record_id": names, column: names}))
    frequency = [1 + number % 6 for number in range(60)]
    history = pd.DataFrame({"customer_id": names, "frequency": frequency, "recency": 50, "T": 60})
    engine.register("purchase_summary", history)
    true = [number % 6 if number % 7 else 0 for number in range(60)]
    engine.register("stages", pd.DataFrame({"person_id": names, "purchases_91d": true}))
    engine.register("customer_value", pd.DataFrame({"customer_id": names, "expected_purchases_91d": true}))
    found = evaluate_ranking(engine, "people", "stages").set_index("metric")["value"]
    assert found["residual_spearman"] == pytest.approx(1)
    assert 0.5 < found["residual_spearman_bg_nbd"] < 1
    engine.register("purchase_summary", history.assign(frequency=0, recency=0))
    assert evaluate_ranking(engine, "people", "stages").empty


@pytest.mark.parametrize("step", [PERSONS, JUDGED, JUDGED_STAGES, RANKED], ids=lambda step: step.name)
def test_the_steps_can_be_written_as_spark_sql(step) -> None:
    assert step.spark.startswith(("WITH", "SELECT"))
