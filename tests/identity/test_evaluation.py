from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.identity.evaluation import evaluate_households, evaluate_identities, evaluate_thresholds
from tests.identity.conftest import make_table

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14)


def load(engine, rows):
    ids = [f"r{place}" for place in range(len(rows))]
    make_table(engine, "source_records", [{"source": "s", "source_record_id": record} for record in ids])
    keys = pd.DataFrame({"source": "s", "source_record_id": ids})
    engine.register("found", keys.assign(customer_id=[f"c{found}" for found, _ in rows]))
    engine.register("truth", keys.assign(person_id=[f"p{true}" for _, true in rows]))


def oracle(rows):
    """The same figures by counting pairs and sets one by one."""
    pairs = [(a[0] == b[0], a[1] == b[1]) for a, b in combinations(rows, 2)]
    groups = [
        {i for i, row in enumerate(rows) if row[side] == value} for side in (0, 1) for value in {r[side] for r in rows}
    ]
    found = groups[: len({r[0] for r in rows})]
    true = groups[len({r[0] for r in rows}) :]
    figures = {}
    for kind, f, t, right in (
        ("pair", sum(p[0] for p in pairs), sum(p[1] for p in pairs), sum(p[0] and p[1] for p in pairs)),
        ("cluster", len(found), len(true), sum(g in true for g in found)),
    ):
        precision, recall = right / f if f else 0.0, right / t if t else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        figures |= {f"{kind}_precision": precision, f"{kind}_recall": recall, f"{kind}_f1": f1}
    both = [(next(g for g in found if i in g), next(g for g in true if i in g)) for i in range(len(rows))]
    figures["bcubed_precision"] = np.mean([len(f & t) / len(f) for f, t in both])
    figures["bcubed_recall"] = np.mean([len(f & t) / len(t) for f, t in both])
    return figures


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=labels)
def test_figures_are_those_of_counting_one_by_one(engine, rows):
    load(engine, rows)
    judged = evaluate_identities(engine, "found", "truth").set_index("metric")["value"]
    for metric, value in oracle(rows).items():
        assert judged[metric] == pytest.approx(value), metric
    assert judged["judged_share"] == 1.0


def test_records_that_did_not_come_in_are_told_not_judged(engine):
    load(engine, [(0, 0), (0, 0), (1, 1)])
    engine.execute("DELETE FROM source_records WHERE source_record_id = 'r2'")
    judged = evaluate_identities(engine, "found", "truth").set_index("metric")
    assert judged["value"]["judged_share"] == pytest.approx(2 / 3)
    assert judged["n"]["judged_share"] == 3
    assert judged["value"]["pair_f1"] == 1.0


def test_without_truth_there_is_nothing_to_tell(engine):
    assert evaluate_identities(engine, "found", None).empty


def test_thresholds_are_judged_by_single_links(engine):
    pairs = [("r0", "r1", 12.5, "model", False), ("r1", "r2", 5.2, "model", False), ("r2", "r3", 30.0, "model", True)]
    columns = ["source_record_id_l", "source_record_id_r", "match_weight", "decided_by", "contradicted"]
    engine.register("decided_pairs", pd.DataFrame(pairs, columns=columns).assign(source_l="s", source_r="s"))
    load(engine, [(0, 0), (0, 0), (1, 1), (1, 1)])
    engine.execute("CREATE TABLE linkage_records AS FROM source_records")
    curve = evaluate_thresholds(engine, "truth").set_index("match_weight")
    assert curve.loc[5, ["precision", "recall", "f1"]].tolist() == [0.5, 0.5, 0.5]
    assert curve.loc[6, ["precision", "recall"]].tolist() == [1.0, 0.5]
    assert curve.index.max() == 12, "a contradicted pair never links"


homes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, 0, 1])), min_size=1, max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=homes)
def test_households_are_judged_as_by_counting_pairs_one_by_one(engine, rows):
    load(engine, [(customer, person) for customer, person, _ in rows])
    engine.execute("CREATE OR REPLACE TABLE lived (customer_id VARCHAR, household_id VARCHAR)")
    found_home = {customer: home for customer, _, home in rows}
    true_home = {person: (person % 2 if person else None) for _, person, _ in rows}
    for customer, home in found_home.items():
        engine.execute(
            "INSERT INTO lived VALUES ($customer, $home)",
            customer=f"c{customer}",
            home=None if home is None else f"h{home}",
        )
    engine.execute(
        "CREATE OR REPLACE TABLE homed AS SELECT f.*, l.household_id FROM found f LEFT JOIN lived l USING (customer_id)"
    )
    engine.execute(
        "CREATE OR REPLACE TABLE true_homes AS SELECT DISTINCT person_id, "
        "CASE WHEN person_id <> 'p0' THEN 't' || (substr(person_id, 2)::INT % 2) END AS household_id FROM truth"
    )
    counted = {"found": 0, "true": 0, "right": 0}
    for (customer, person, _), (other_customer, other_person, _) in combinations(rows, 2):
        home, other_home = found_home[customer], found_home[other_customer]
        found = home is not None and home == other_home and customer != other_customer
        true = true_home[person] is not None and true_home[person] == true_home[other_person] and person != other_person
        counted["found"] += found
        counted["true"] += true
        counted["right"] += found and true
    judged = evaluate_households(engine, "homed", "truth", "true_homes").set_index("metric")["value"]
    assert judged["household_precision"] == (counted["right"] / counted["found"] if counted["found"] else 0.0)
    assert judged["household_recall"] == (counted["right"] / counted["true"] if counted["true"] else 0.0)


def test_without_a_truth_of_homes_there_is_nothing_to_tell(engine):
    assert evaluate_households(engine, "homed", "truth", None).empty
