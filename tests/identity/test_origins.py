"""Names that go together among people of one origin, told from full names alone."""

import numpy as np
import pandas as pd
import pytest

from crmlib.identity.decisions import weigh_relatives
from crmlib.identity.origins import measure_togetherness, weigh_origins

RARE_ORIGIN = 0.03


def draw_names(rng, people, origins):
    """Full names, counted: each origin has thirty given names and sixty surnames of its own, independent within it."""
    origin = rng.choice(len(origins), people, p=origins)
    given = np.minimum(rng.geometric(0.1, people), 30)
    surname = np.minimum(rng.geometric(0.05, people), 60)
    frame = pd.DataFrame(
        {
            "given_key": [f"g{o} {g}" for o, g in zip(origin, given, strict=True)],
            "surname_1_key": [f"s{o} {s}" for o, s in zip(origin, surname, strict=True)],
        }
    )
    return frame.value_counts().rename("people").reset_index().sort_values(["given_key", "surname_1_key"])


@pytest.mark.parametrize("seed", range(3))
def test_names_of_one_origin_are_found_to_go_together(seed):
    names = draw_names(np.random.default_rng(seed), 20_000, [1 - RARE_ORIGIN, RARE_ORIGIN])
    bits = measure_togetherness(names, names)
    rare = names["given_key"].str.startswith("g1").to_numpy()
    people = names["people"].to_numpy()
    # what is 3 % of all is 1 / 0.03 times as likely once the origin is known
    assert np.average(bits[rare], weights=people[rare]) == pytest.approx(np.log2(1 / RARE_ORIGIN), abs=0.2)
    assert np.average(bits[~rare], weights=people[~rare]) < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_independent_names_do_not_go_together(seed):
    names = draw_names(np.random.default_rng(seed), 5_000, [1.0])
    assert not measure_togetherness(names, names).any()


def test_a_name_nobody_bears_tells_nothing():
    names = draw_names(np.random.default_rng(1), 5_000, [0.9, 0.1])
    asked = pd.DataFrame({"given_key": ["nobody", "g1 1"], "surname_1_key": ["s1 1", "nobody"]})
    assert measure_togetherness(names, asked).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("people", [0, 1, 2])
def test_hardly_any_names_tell_nothing(people):
    names = (
        draw_names(np.random.default_rng(2), people, [1.0])
        if people
        else draw_names(np.random.default_rng(2), 3, [1.0])[:0]
    )
    assert measure_togetherness(names, names).tolist() == [0.0] * len(names)


def test_one_person_s_many_records_are_no_origin(linked):
    """Of two hundred people with ten records each, given name and surname go together in the records alone."""
    engine, model, _ = linked
    engine.execute("CREATE OR REPLACE TABLE linkage_records_before AS FROM linkage_records")
    engine.execute("CREATE OR REPLACE TABLE scored_pairs_before AS FROM scored_pairs")
    try:
        engine.execute(
            "CREATE OR REPLACE TABLE linkage_records AS "
            "SELECT range + 1 AS record_no, 'g' || hash(range // 10) % 12 AS given_key, "
            "'s' || hash(range // 10, 1) % 80 AS surname_1_key FROM range(2000)"
        )
        engine.execute(
            "CREATE OR REPLACE TABLE scored_pairs AS SELECT b.* REPLACE (l.record_no AS record_no_l, r.record_no AS "
            "record_no_r, 20.0 AS match_weight) FROM linkage_records l JOIN linkage_records r "
            "ON l.record_no < r.record_no AND (l.record_no - 1) // 10 = (r.record_no - 1) // 10, "
            "(FROM scored_pairs_before WHERE gamma_given_name = 6 AND gamma_surname_1 = 3 ORDER BY ALL LIMIT 1) b"
        )
        weigh_relatives(engine, model)
        engine.execute("UPDATE weighed_pairs SET weight_to_relatives = 10")
        weigh_origins(engine, model)
        assert engine.row("SELECT count(*) AS pairs, min(origin_weight) AS least FROM weighed_pairs") == {
            "pairs": 200 * 45,
            "least": 0.0,
        }
    finally:
        for name in ("linkage_records", "scored_pairs"):
            engine.execute(f"CREATE OR REPLACE TABLE {name} AS FROM {name}_before")
            engine.execute(f"DROP TABLE {name}_before")
