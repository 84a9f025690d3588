"""Pairs that agree in nothing, and that a third record suggests."""

import pandas as pd
import pytest

from crmlib.identity import scoring


@pytest.fixture
def suggested(engine):
    """The pairs that some scored pairs (left, right, weight) suggest, when some records are new or changed."""

    def suggest(scored, changed, compared=()):
        rows = [(left, right, weight, weight) for left, right, weight in scored]
        columns = ["record_no_l", "record_no_r", "match_weight", "weight_to_relatives"]
        engine.register("weighed_pairs", pd.DataFrame(rows, columns=columns))
        engine.register("changed_records", pd.DataFrame({"record_no": changed}))
        pairs = pd.DataFrame([pair[:2] for pair in scored] + list(compared), columns=columns[:2])
        engine.register("candidate_pairs", pairs)
        engine.run(scoring.SUGGESTED_PAIRS, least=scoring.LEAST_FOLLOWED, most=scoring.MOST_FOLLOWED)
        return {(row["record_no_l"], row["record_no_r"]) for row in engine.rows("FROM suggested_pairs")}

    return suggest


def test_two_records_like_a_third_are_compared(suggested):
    chain = [(1, 2, 5.0), (2, 3, 4.0), (3, 4, 6.0), (5, 6, 9.0)]
    assert suggested(chain, range(1, 7)) == {(1, 3), (2, 4)}
    assert suggested(chain, range(1, 7), compared=[(1, 3)]) == {(2, 4)}


def test_an_unlikely_pair_suggests_nothing(suggested):
    assert suggested([(1, 2, 5.0), (2, 3, -1.0)], range(1, 4)) == set()


def test_of_an_increment_only_what_touches_it(suggested):
    chain = [(1, 2, 5.0), (2, 3, 4.0), (3, 4, 6.0)]
    assert suggested(chain, [4]) == {(2, 4)}
    assert suggested(chain, []) == set()


def test_a_record_that_is_like_everybody_suggests_no_more_than_its_likeliest(suggested):
    star = [(1, other, float(other)) for other in range(2, 62)]
    found = suggested(star, range(1, 62))
    most = scoring.MOST_FOLLOWED
    assert len(found) == most * (most - 1) // 2
    assert min(min(pair) for pair in found) == 62 - most
