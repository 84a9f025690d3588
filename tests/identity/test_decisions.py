import math
from dataclasses import replace
from datetime import date

import pytest

from crmlib.identity.comparisons import COMPARISONS
from crmlib.identity.decisions import PairShares, decide_pairs, estimate_pair_shares, weigh_relatives
from crmlib.identity.model import LinkageModel, write_comparison
from crmlib.identity.records import normalise_records
from tests.identity.conftest import AS_OF

PRIOR = 1e-4
AS_MANY = PairShares(PRIOR, PRIOR)
LEVELS = {comparison.name: len(comparison.levels) for comparison in COMPARISONS}


@pytest.fixture
def model():
    """Every comparison with its usual m, and u of one in ten thousand but for the difference."""
    settings = {"probability_two_random_records_match": PRIOR, "comparisons": []}
    for comparison in COMPARISONS:
        written = write_comparison(comparison)
        *agreeing, other = written["comparison_levels"][1:]
        for level in agreeing:
            level["u_probability"] = 1e-4
        other["u_probability"] = 1 - 1e-4 * len(agreeing)
        settings["comparisons"].append(written)
    return LinkageModel(COMPARISONS, settings, ())


@pytest.fixture
def decide(engine, add_records, model):
    """Decide one pair: the records, and the level of each comparison (-1 where not given)."""

    def decided(left, right, gammas, shares=AS_MANY, deterministic=True, origin_weight=0.0):
        add_records([left, right])
        normalise_records(engine, AS_OF, "ES")
        weights = model.weights.set_index(["comparison", "level"])["match_weight"]
        told = {name: gammas.get(name, -1) for name in LEVELS}
        weight = math.log2(PRIOR / (1 - PRIOR)) + sum(weights[pair] for pair in told.items() if pair[1] >= 0)
        columns = ", ".join(f"{level} AS gamma_{name}" for name, level in told.items())
        engine.execute(
            "CREATE OR REPLACE TABLE scored_pairs AS SELECT 1::BIGINT AS record_no_l, 2::BIGINT AS record_no_r, "
            f"{weight}::DOUBLE AS match_weight, 0.5::DOUBLE AS match_probability, {columns}"
        )
        weigh_relatives(engine, model)
        engine.execute(f"UPDATE weighed_pairs SET origin_weight = {origin_weight}")
        decide_pairs(engine, model, shares, deterministic)
        return engine.row("FROM decided_pairs") | {"against_strangers": weight}

    return decided


def top(*names):
    return {name: LEVELS[name] - 1 for name in names}


HOME = top("surname_1", "surname_2", "address", "place", "phone")


def test_two_people_of_one_home_are_not_one_person(decide):
    pair = decide({}, {}, HOME | {"given_name": 0})
    assert pair["against_strangers"] > 20, "strangers could not share so much"
    assert pair["match_probability"] < 0.5


def test_the_same_person_twice_is(decide):
    pair = decide({}, {}, HOME | top("given_name", "email"))
    assert pair["match_probability"] > 0.95
    assert (pair["decided_by"], pair["contradicted"]) == ("model", False)


def test_without_relatives_in_the_data_a_different_given_name_weighs_less(decide):
    levels = HOME | {"given_name": 0}
    many = decide({}, {}, levels, PairShares(PRIOR, PRIOR))
    none = decide({}, {}, levels, PairShares(PRIOR, 0.0))
    assert none["match_weight"] == pytest.approx(none["against_strangers"])
    assert many["match_weight"] < 0 < 10 < none["match_weight"]


ID, OTHER_ID = "54362315K", "X2482300W"


def test_a_valid_id_decides(decide):
    pair = decide({"national_id": ID}, {"national_id": "54.362.315-K"}, top("national_id") | {"surname_1": 0})
    assert (pair["decided_by"], pair["match_probability"]) == ("deterministic", 1.0)


def test_a_valid_id_used_by_two_people_does_not(decide):
    pair = decide({"national_id": ID}, {"national_id": ID}, HOME | top("national_id") | {"given_name": 0})
    assert pair["decided_by"] == "model"
    twice = decide(
        {"national_id": ID}, {"national_id": ID}, HOME | top("national_id", "birth_date") | {"given_name": 0}
    )
    assert twice["decided_by"] == "deterministic", "the same id, date of birth and surname are one person"


def test_an_id_without_a_valid_check_digit_decides_nothing(decide):
    pair = decide({"national_id": "54362315A"}, {"national_id": "54362315A"}, top("national_id"))
    assert pair["decided_by"] == "model"


def test_the_rule_of_the_id_can_be_switched_off(decide):
    pair = decide({"national_id": ID}, {"national_id": ID}, top("national_id", "given_name"), deterministic=False)
    assert pair["decided_by"] == "model"


ALIKE = HOME | top("given_name", "email")


def test_two_valid_ids_contradict(decide):
    pair = decide({"national_id": ID}, {"national_id": OTHER_ID}, ALIKE | {"national_id": 0})
    assert pair["contradicted"]
    assert pair["match_probability"] < 1e-6


def test_father_and_son_of_one_name_are_kept_apart_by_their_births(decide):
    father, son = {"birth_date": date(1950, 3, 4)}, {"birth_date": date(1979, 11, 30)}
    assert decide(father, son, ALIKE | {"birth_date": 0})["contradicted"]
    assert not decide(father, father, ALIKE | top("birth_date"))["contradicted"]
    assert not decide(father, {}, ALIKE)["contradicted"]


def test_a_shared_id_outweighs_a_wrong_date_of_birth(decide):
    one, other = (
        {"national_id": ID, "birth_date": date(1950, 3, 4)},
        {"national_id": ID, "birth_date": date(1970, 1, 9)},
    )
    pair = decide(one, other, ALIKE | top("national_id") | {"birth_date": 0})
    assert (pair["contradicted"], pair["decided_by"]) == (False, "deterministic")


@pytest.mark.parametrize(("matches", "relatives"), [(400, 300), (400, 0), (5, 200)])
def test_shares_of_matches_and_relatives_are_found(engine, model, matches, relatives):
    """Pairs whose evidence leaves no doubt: the estimate is their count."""
    records = 2_000
    engine.execute(f"CREATE OR REPLACE TABLE linkage_records AS SELECT range AS record_no FROM range({records})")
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE weighed_pairs AS
        SELECT 20.0 AS match_weight, 12.0 AS weight_to_relatives, 0.0 AS origin_weight FROM range({matches})
        UNION ALL SELECT 18.0, -12.0, 0.0 FROM range({relatives})
        UNION ALL SELECT -25.0, 2.0, 0.0 FROM range(3000)
        """
    )
    shares = estimate_pair_shares(engine, model)
    everything = records * (records - 1) / 2
    assert shares.matches * everything == pytest.approx(matches, abs=max(3, 0.02 * matches))
    assert shares.relatives * everything == pytest.approx(relatives, abs=4)


def test_no_pairs_leave_the_shares_defined(engine, model):
    engine.execute("CREATE OR REPLACE TABLE linkage_records AS SELECT 1 AS record_no WHERE false")
    engine.execute(
        "CREATE OR REPLACE TABLE weighed_pairs AS SELECT 0.0 AS match_weight, 0.0 AS weight_to_relatives, "
        "0.0 AS origin_weight WHERE false"
    )
    shares = estimate_pair_shares(engine, model)
    assert all(math.isfinite(share) for share in shares)


def test_relatives_are_as_many_as_training_saw(engine, model):
    """Their pairs that weigh too little to be kept are relatives, too."""
    engine.execute("CREATE OR REPLACE TABLE linkage_records AS SELECT range AS record_no FROM range(500)")
    engine.execute(
        "CREATE OR REPLACE TABLE weighed_pairs AS "
        "SELECT 20.0 AS match_weight, 12.0 AS weight_to_relatives, 0.0 AS origin_weight FROM range(100)"
    )
    alone = estimate_pair_shares(engine, model)
    trained = estimate_pair_shares(engine, replace(model, relatives_per_match=0.7))
    assert alone.relatives < 0.01 * alone.matches
    assert trained.matches == alone.matches
    assert trained.relatives == pytest.approx(0.7 * trained.matches)


def test_names_that_go_together_weigh_less(decide):
    levels = top("given_name", "surname_1")
    nobody_s_relatives = PairShares(PRIOR, 0.0)
    pair = decide({}, {}, levels, nobody_s_relatives)
    together = decide({}, {}, levels, nobody_s_relatives, origin_weight=-5.0)
    assert together["match_weight"] == pytest.approx(pair["match_weight"] - 5.0)
