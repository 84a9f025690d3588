import math

import pytest

from crmlib.identity import summaries
from crmlib.identity.clusters import cluster_records
from crmlib.identity.decisions import decide_pairs, estimate_pair_shares, weigh_relatives
from crmlib.identity.evaluation import evaluate_identities
from crmlib.identity.household import assign_households
from crmlib.identity.registry import assign_customer_ids, collect_record_keys
from crmlib.tables import find_contract
from tests.identity.conftest import AS_OF

THRESHOLD = 0.95


@pytest.fixture(scope="module")
def room(linked):
    """The whole room, done."""
    engine, model, _ = linked
    weigh_relatives(engine, model)
    decide_pairs(engine, model, estimate_pair_shares(engine, model))
    cluster_records(engine, THRESHOLD)
    collect_record_keys(engine)
    assign_customer_ids(engine, AS_OF)
    assign_households(engine)
    return engine


def test_the_room_finds_who_is_who(room):
    judged = evaluate_identities(room, "household_identities", "truth_identities").set_index("metric")["value"]
    assert judged["pair_precision"] > 0.97
    assert judged["pair_f1"] > 0.9


def test_every_pair_has_one_fate(room):
    decisions = summaries.summarise_decisions(room, THRESHOLD)
    assert decisions["pairs"].sum() == room.row("SELECT count(*) AS n FROM decided_pairs")["n"]
    linking = room.row("SELECT count(*) AS n FROM decided_pairs WHERE match_probability >= 0.95 AND NOT contradicted")[
        "n"
    ]
    by_decision = dict(zip(decisions["decision"], decisions["pairs"], strict=True))
    joined = sum(n for name, n in by_decision.items() if name.startswith("one person") and "other records" not in name)
    assert joined + by_decision["refused: would chain different people"] == linking


def test_counts_add_up(room):
    counted = summaries.summarise_duplicates(room, "household_identities")
    sizes = summaries.summarise_customers(room, "household_identities")
    assert sizes["customers"].sum() == counted["customers"]
    assert (sizes["records"] * sizes["customers"]).sum() == counted["records"]
    assert counted["duplicate_share"] == pytest.approx(1 - counted["customers"] / counted["records"])
    assert counted["others"] == 0
    assert "more are known" not in summaries.tell_duplicates(counted)
    assert "{others:,} more are known" in summaries.tell_duplicates(counted | {"others": 18})
    events = summaries.summarise_events(room, "new_identity_events", AS_OF)
    assert events["customers"].tolist() == [counted["customers"], 0, 0, 0, 0, 0]


def test_the_histogram_holds_every_undisputed_pair(room):
    histogram = summaries.summarise_weights(room)
    undisputed = "SELECT count(*) AS n FROM decided_pairs WHERE NOT contradicted AND decided_by = 'model'"
    assert histogram["pairs"].sum() == room.row(undisputed)["n"]
    assert (histogram["match_weight"] * 2 % 1 == 0).all()


def test_estimated_quality_comes_near_the_truth(room):
    estimated = summaries.estimate_quality(room, THRESHOLD)
    judged = evaluate_identities(room, "household_identities", "truth_identities").set_index("metric")["value"]
    assert estimated["precision"] == pytest.approx(judged["pair_precision"], abs=0.05)
    assert estimated["recall"] == pytest.approx(judged["pair_recall"], abs=0.1)


def test_likely_pairs_are_what_the_contract_says(room):
    contract = find_contract("match_pairs")
    columns = room.columns(summaries.keep_likely_pairs(room))
    assert all(contract.column(name) for name in columns)
    assert {column.name for column in contract.columns if not column.null} <= set(columns)
    probabilities = room.row("SELECT min(match_probability) AS low, max(match_probability) AS high FROM likely_pairs")
    assert summaries.LEAST_PROBABILITY <= probabilities["low"] <= probabilities["high"] <= 1
    keys = room.row(
        "SELECT count(*) AS n, count(DISTINCT (source_record_id_l, source_record_id_r)) AS k FROM likely_pairs"
    )
    assert keys["n"] == keys["k"] > 0


def test_what_is_shown_holds_no_value_of_a_person(room, linked):
    _, model, _ = linked
    shown = " ".join(
        frame.to_string()
        for frame in (
            summaries.summarise_fields(room),
            summaries.summarise_decisions(room, THRESHOLD),
            summaries.summarise_weights(room),
            model.weights,
        )
    ).casefold()
    people = room.row(
        "SELECT list(DISTINCT surname_1_key) AS names, list(DISTINCT phone) AS phones FROM linkage_records"
    )
    assert not [value for value in (*people["names"], *people["phones"]) if value and value in shown]


def test_weight_of_a_probability():
    assert summaries.weight_of(0.5) == 0
    assert summaries.weight_of(0.95) == pytest.approx(math.log2(19))
