"""Figures against truth, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib.behaviour.evaluation import JUDGED, evaluate_behaviour
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


def test_the_step_can_be_written_as_spark_sql() -> None:
    assert JUDGED.spark.startswith("WITH")
