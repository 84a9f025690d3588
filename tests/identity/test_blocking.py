from itertools import combinations

import pytest

from crmlib.identity.blocking import RULES, BlockingRule, block_pairs
from crmlib.identity.records import normalise_records
from tests.identity.conftest import AS_OF, load_people, make_people

TWO = (BlockingRule("phone", ("phone",)), BlockingRule("name, year", ("given_key", "left(birth_day, 4)")))


@pytest.fixture
def linkage_records(engine):
    load_people(engine, make_people(150, 0.5, 3))
    normalise_records(engine, AS_OF, "ES")
    return engine.rows("FROM linkage_records")


def keys(record):
    yield 0, record["phone"]
    yield 1, (record["given_key"], record["birth_day"][:4]) if record["given_key"] and record["birth_day"] else None


def brute_force(records):
    """First rule of every pair, by comparing every record with every other."""
    found = {}
    for one, other in combinations(sorted(records, key=lambda record: record["record_no"]), 2):
        for (number, left), (_, right) in zip(keys(one), keys(other), strict=True):
            if left is not None and left == right:
                found[one["record_no"], other["record_no"]] = number
                break
    return found


def test_pairs_are_those_of_comparing_everybody(engine, linkage_records):
    report = block_pairs(engine, TWO)
    expected = brute_force(linkage_records)
    pairs = {(row["record_no_l"], row["record_no_r"]): row["rule"] for row in engine.rows("FROM candidate_pairs")}
    assert pairs == expected
    assert report["new_pairs"].tolist() == [list(expected.values()).count(number) for number in (0, 1)]
    assert report["pairs"].tolist()[0] == report["new_pairs"].tolist()[0]
    assert report["pairs"].tolist()[1] >= report["new_pairs"].tolist()[1]


def test_the_budget_holds_and_what_it_costs_is_told(engine, linkage_records):
    report = block_pairs(engine, RULES, least_budget=40, budget_per_record=0)
    assert report["pairs"].sum() <= 40
    assert engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"] == report["new_pairs"].sum() <= 40
    cut = report[report["blocks_left_out"] > 0]
    assert len(cut) > 0
    assert (cut["records_left_out"] > cut["blocks_left_out"]).all()


def test_a_value_that_explodes_is_capped(engine, add_records):
    add_records([{"given_name": "Ana", "surnames": f"Gil{i:04d}x", "postcode": "35001"} for i in range(300)])
    normalise_records(engine, AS_OF, "ES")
    report = block_pairs(engine, (BlockingRule("postcode", ("postcode_key",)),))
    assert report[["pairs", "blocks_left_out", "records_left_out"]].iloc[0].tolist() == [0, 1, 300]


def test_no_records_give_no_pairs(engine, add_records):
    add_records([])
    normalise_records(engine, AS_OF, "ES")
    assert block_pairs(engine)["pairs"].sum() == 0
    assert engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"] == 0
