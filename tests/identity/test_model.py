import json
import math

import pytest

from crmlib.identity.comparisons import Comparison, Level
from crmlib.identity.model import (
    MOST_ALONE,
    LinkageModel,
    read_model,
    read_u_probabilities,
    settle_parameters,
    write_comparison,
)

PHONE = Comparison(
    "phone",
    "Phone",
    0.4,
    "phone_l IS NULL",
    ("phone",),
    (Level("same", "phone_l = phone_r", 0.8), Level("other", "ELSE", 0.2)),
)


def trained(m_same, u_same, prior=0.001):
    settings = {"probability_two_random_records_match": prior, "comparisons": [write_comparison(PHONE)]}
    same, other = settings["comparisons"][0]["comparison_levels"][1:]
    same |= {"m_probability": m_same, "u_probability": u_same}
    other |= {"m_probability": 1 - m_same, "u_probability": 1 - u_same}
    return settle_parameters(settings, (PHONE,), read_u_probabilities(settings))


def test_u_is_freed_of_the_matches_among_random_pairs():
    prior, m, u = 0.001, 0.7, 0.004
    observed = prior * m + (1 - prior) * u
    settings, notes = trained(m, observed, prior)
    assert settings["comparisons"][0]["comparison_levels"][1]["u_probability"] == pytest.approx(u)
    assert notes == []


def test_one_field_alone_does_not_outweigh_the_prior_by_much():
    settings, _ = trained(0.9, 0.0, prior=1e-5)
    same = settings["comparisons"][0]["comparison_levels"][1]
    odds = 1e-5 * same["m_probability"] / same["u_probability"]
    assert odds == pytest.approx(MOST_ALONE)


def test_the_m_of_a_comparison_sum_to_one():
    settings = {"probability_two_random_records_match": 0.001, "comparisons": [write_comparison(PHONE)]}
    for level in settings["comparisons"][0]["comparison_levels"][1:]:
        level |= {"m_probability": 1.0, "u_probability": 0.05}
    settings, _ = settle_parameters(settings, (PHONE,), read_u_probabilities(settings))
    assert [level["m_probability"] for level in settings["comparisons"][0]["comparison_levels"][1:]] == [0.5, 0.5]


def test_training_the_wrong_way_round_is_replaced_and_told():
    settings, notes = trained(0.1, 0.3)
    same, other = settings["comparisons"][0]["comparison_levels"][1:]
    assert (same["m_probability"], other["m_probability"]) == (0.8, 0.2)
    assert len(notes) == 1
    assert notes[0].startswith("Phone:")


def test_weights_are_logarithms_of_the_shares():
    settings, _ = trained(0.7, 0.01)
    weights = LinkageModel((PHONE,), settings, ()).weights
    assert weights["level"].tolist() == [1, 0]
    for row in weights.itertuples():
        assert row.match_weight == pytest.approx(math.log2(row.m_probability / row.u_probability))
        relatives = 0.4 * row.m_probability + 0.6 * row.u_probability
        assert row.weight_to_relatives == pytest.approx(math.log2(row.m_probability / relatives))


def test_the_table_of_a_model_can_be_read_back():
    settings, _ = trained(0.7, 0.01)
    rows = LinkageModel((PHONE,), settings, ()).rows
    assert json.loads(rows["json"][0]) == settings


def test_a_model_comes_back_as_it_was_kept():
    settings, _ = trained(0.7, 0.01)
    model = LinkageModel((PHONE,), settings, (), 0.8)
    kept = {row.model: json.loads(row.json) for row in model.rows.itertuples()}
    assert read_model(kept, (PHONE,)) == model
