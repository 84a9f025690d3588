import json
import re

import numpy as np
import pytest

from crmlib.identity.blocking import block_pairs
from crmlib.identity.comparisons import choose_comparisons
from crmlib.identity.linkage import PairScorer, train_model
from crmlib.identity.records import normalise_records
from tests.identity.conftest import ALL_WEIGHTS, AS_OF


def test_training_finds_agreement_for_and_difference_against(linked):
    _, model, told = linked
    weights = model.weights
    top = weights.groupby("comparison")["level"].transform("max") == weights["level"]
    assert (weights[top]["match_weight"] > 1).all()
    assert (weights[weights["level"] == 0]["match_weight"] < 0).all()
    assert model.warnings == ()
    assert 0 < model.prior < 0.01
    assert any("random pairs" in sentence for sentence in told)


def test_m_comes_near_the_truth(linked):
    engine, model, _ = linked
    shares = engine.row(
        """
        WITH pairs AS (
            SELECT l.birth_day = r.birth_day AS birth, l.mailbox = r.mailbox AS email
            FROM linkage_records l JOIN linkage_records r ON l.record_no < r.record_no
            JOIN truth_identities a ON a.source_record_id = l.source_record_id
            JOIN truth_identities b ON b.source_record_id = r.source_record_id AND b.person_id = a.person_id
        )
        SELECT avg(birth::INT) AS birth, avg(email::INT) AS email FROM pairs
        """
    )
    weights = model.weights.set_index(["comparison", "level"])["m_probability"]
    assert weights["birth_date", 3] == pytest.approx(shares["birth"], abs=0.05)
    assert weights["email", 3] == pytest.approx(shares["email"], abs=0.05)


def test_a_weight_is_the_prior_plus_the_levels_weights(linked):
    engine, model, _ = linked
    weights = model.weights.set_index(["comparison", "level"])["match_weight"]
    pairs = engine.frame("FROM scored_pairs")
    adjusted = [
        pairs[f"gamma_{comparison.name}"] == len(comparison.levels) - 1 - place
        for comparison in model.comparisons
        for place, level in enumerate(comparison.levels)
        if level.term_frequency
    ]
    plain = pairs[~np.logical_or.reduce(adjusted)].sort_values(["record_no_l", "record_no_r"])
    assert len(plain) > 20
    prior = np.log2(model.prior / (1 - model.prior))
    for pair in plain.head(200).to_dict("records"):
        levels = [(comparison.name, pair[f"gamma_{comparison.name}"]) for comparison in model.comparisons]
        expected = prior + sum(weights[level] for level in levels if level[1] >= 0)
        assert pair["match_weight"] == pytest.approx(expected, abs=1e-9)
        assert pair["match_probability"] == pytest.approx(1 / (1 + 2.0**-expected), abs=1e-12)


def test_term_frequencies_make_a_rare_name_weigh_more(linked):
    engine, model, _ = linked
    weights = model.weights.set_index(["comparison", "level"])["match_weight"]
    pairs = engine.frame(
        """
        WITH names AS (SELECT given_key, count(*) / sum(count(*)) OVER () AS share FROM linkage_records GROUP BY 1)
        SELECT p.*, n.share
        FROM scored_pairs p JOIN linkage_records l ON l.record_no = record_no_l JOIN names n USING (given_key)
        WHERE gamma_given_name = 6 AND gamma_surname_1 <> 3 AND gamma_surname_2 <> 2
        """
    )
    assert pairs["share"].nunique() > 5
    u_same = model.weights.set_index(["comparison", "level"])["u_probability"]["given_name", 6]
    prior = np.log2(model.prior / (1 - model.prior))
    for pair in pairs.to_dict("records"):
        levels = [(comparison.name, pair[f"gamma_{comparison.name}"]) for comparison in model.comparisons]
        plain = prior + sum(weights[level] for level in levels if level[1] >= 0)
        assert pair["match_weight"] - plain == pytest.approx(np.log2(u_same / pair["share"]), abs=1e-9)


def test_the_same_seed_gives_the_same_model_and_pairs(linked):
    engine, model, _ = linked
    before = engine.arrow("FROM scored_pairs ORDER BY ALL")
    again = train_model(engine, choose_comparisons(engine), seed=5)
    assert again.rows["json"][0] == model.rows["json"][0]
    with PairScorer(engine, again) as scorer:
        scorer.predict_pairs(ALL_WEIGHTS)
    assert engine.arrow("FROM scored_pairs ORDER BY ALL").equals(before)


def test_the_model_holds_no_value_of_a_person(linked):
    engine, model, _ = linked
    text = json.dumps(json.loads(model.rows["json"][0])).casefold()
    words = set(re.findall(r"\w+", text))
    values = engine.row(
        "SELECT list(DISTINCT given_key) AS g, list(DISTINCT surname_1_key) AS s, list(phone) AS p FROM linkage_records"
    )
    assert not words & ({*values["g"], *values["s"], *values["p"]} - {"mar"})


def test_splink_leaves_no_table_behind(linked):
    engine, _, _ = linked
    names = [row["table_name"] for row in engine.rows("SELECT table_name FROM duckdb_tables()")]
    assert not [name for name in names if name.startswith("__splink")]


def test_candidates_in_several_parts_are_scored_alike(linked, monkeypatch):
    engine, model, _ = linked
    before = engine.arrow("FROM scored_pairs ORDER BY ALL")
    third = engine.row("SELECT count(*) // 3 AS n FROM candidate_pairs")["n"]
    monkeypatch.setattr("crmlib.identity.linkage.PAIRS_PER_BATCH", third)
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs(ALL_WEIGHTS)
    assert engine.arrow("FROM scored_pairs ORDER BY ALL").equals(before)


def test_pairs_under_the_least_weight_are_not_kept(linked):
    engine, model, _ = linked
    before = engine.arrow("FROM scored_pairs WHERE match_weight >= 0 ORDER BY ALL")
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs(least_weight=0.0)
    assert engine.arrow("FROM scored_pairs ORDER BY ALL").equals(before)
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs(ALL_WEIGHTS)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"given_name": "Ana"}],
        [{"phone": "922123456"}] * 5,
        [{"given_name": "Ana", "surnames": "Gil"}] * 40,
        [{"given_name": f"Ana{chr(97 + i % 26)}", "surnames": f"Gil{chr(97 + i // 26)}"} for i in range(200)],
    ],
    ids=["nothing", "one record", "one value", "all the same", "no duplicates"],
)
def test_extreme_inputs_end_in_a_result(engine, add_records, rows):
    add_records(rows)
    normalise_records(engine, AS_OF, "ES")
    block_pairs(engine)
    model = train_model(engine, choose_comparisons(engine), seed=1)
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs()
    assert engine.row("SELECT count(*) AS n FROM scored_pairs WHERE match_probability IS NULL")["n"] == 0
