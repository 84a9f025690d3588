"""A night's new and changed records against the standing base, and what a full run makes of the same records."""

from itertools import combinations

import pytest

from crmlib.engine import Engine
from crmlib.identity import blocking, clusters, comparisons, decisions, increments, linkage, records
from crmlib.identity.summaries import keep_likely_pairs
from tests.identity.conftest import AS_OF, load_people, make_people

THRESHOLD = 0.95
#: Links on which an increment and a full run may disagree, of all links.
TOLERANCE = 0.02
PEOPLE = make_people(500, 0.5, 21)
NEW = 40


def pairs_of(engine):
    """Pairs of records that are together, by their ids."""
    frame = engine.frame("SELECT cluster, source_record_id FROM clusters JOIN linkage_records USING (record_no)")
    together = frame.groupby("cluster")["source_record_id"].apply(lambda ids: list(combinations(sorted(ids), 2)))
    return {pair for pairs in together for pair in pairs}


def link_all(engine, rows):
    """A full run; gives the pairs, and what a later run can begin from."""
    load_people(engine, rows)
    records.normalise_records(engine, AS_OF, "ES")
    blocking.block_pairs(engine)
    model = linkage.train_model(engine, comparisons.choose_comparisons(engine), seed=5)
    linkage.predict_pairs(engine, model)
    decisions.weigh_relatives(engine, model)
    shares = decisions.estimate_pair_shares(engine, model)
    decisions.decide_pairs(engine, model, shares)
    clusters.cluster_records(engine, THRESHOLD)
    return pairs_of(engine), {
        "prepared_records": engine.arrow("FROM prepared_records"),
        "match_pairs": engine.arrow(f"FROM {keep_likely_pairs(engine)}"),
        "linkage_model": increments.keep_model(model, shares),
    }


def link_increment(engine, rows, base):
    """An increment; gives the pairs, and how many records and pairs were worked on."""
    load_people(engine, rows)
    for name, table in base.items():
        engine.register(f"base_{name}", table)
    records.normalise_records(engine, AS_OF, "ES", standing="base_prepared_records")
    blocking.block_pairs(engine, changed_only=True)
    taken_up = increments.take_up_model(engine, "base_linkage_model", comparisons.choose_comparisons(engine))
    assert taken_up is not None
    model, shares = taken_up
    linkage.predict_pairs(engine, model)
    decisions.weigh_relatives(engine, model)
    decisions.decide_pairs(engine, model, shares)
    scored = engine.row("SELECT count(*) AS n FROM decided_pairs")["n"]
    increments.carry_pairs(engine, "base_match_pairs")
    clusters.cluster_records(engine, THRESHOLD)
    changed = engine.row("SELECT count(*) AS n FROM changed_records")["n"]
    return pairs_of(engine), changed, scored


@pytest.fixture(scope="module")
def base():
    engine = Engine(threads=2, memory_limit="2GB")
    found = link_all(engine, PEOPLE[:-NEW])
    yield found
    engine.close()


def test_an_increment_gives_what_a_full_run_gives(engine, base):
    made, changed, scored = link_increment(engine, PEOPLE, base[1])
    assert changed == NEW
    scored_in_full = len(base[1]["match_pairs"])
    assert 0 < scored < scored_in_full
    other = Engine(threads=2, memory_limit="2GB")
    full, _ = link_all(other, PEOPLE)
    other.close()
    assert len(made ^ full) <= TOLERANCE * len(full)
    new = {row["source_record_id"] for row in PEOPLE[-NEW:]}
    assert any(new & set(pair) for pair in made), "new records were linked"


def test_the_same_records_again_change_nothing(engine, base):
    made, changed, scored = link_increment(engine, PEOPLE[:-NEW], base[1])
    assert (changed, scored) == (0, 0)
    assert made == base[0]


def test_a_changed_record_is_linked_anew_and_one_that_left_is_gone(engine, base):
    together, apart = sorted(base[0])[0]
    rows = [dict(row) for row in PEOPLE[:-NEW] if row["source_record_id"] != sorted(base[0])[-1][0]]
    stranger = {"given_name": "Zebulon", "surnames": "Wrzesniewski", "email": "zw@correo.example"}
    for row in rows:
        if row["source_record_id"] == apart:
            for field in set(row) - {"source", "source_record_id", "person_id"}:
                row[field] = stranger.get(field)
    made, changed, _ = link_increment(engine, rows, base[1])
    assert changed == 1
    assert (together, apart) not in made
    gone = sorted(base[0])[-1][0]
    assert not any(gone in pair for pair in made)


def test_the_pairs_of_an_increment_are_those_of_a_full_run_that_touch_it(engine, base):
    load_people(engine, PEOPLE)
    engine.register("standing", base[1]["prepared_records"])
    records.normalise_records(engine, AS_OF, "ES", standing="standing")
    blocking.block_pairs(engine)
    touched = "record_no_l IN (FROM changed_records) OR record_no_r IN (FROM changed_records)"
    expected = engine.arrow(f"SELECT * FROM candidate_pairs WHERE {touched} ORDER BY ALL")
    blocking.block_pairs(engine, changed_only=True)
    assert engine.arrow("SELECT * FROM candidate_pairs ORDER BY ALL").equals(expected)


def test_a_record_taken_from_the_base_is_as_if_normalised_now(engine, base):
    load_people(engine, PEOPLE)
    records.normalise_records(engine, AS_OF, "ES")
    expected = engine.arrow("FROM linkage_records ORDER BY ALL")
    engine.register("standing", base[1]["prepared_records"])
    records.normalise_records(engine, AS_OF, "ES", standing="standing")
    assert engine.arrow("FROM linkage_records ORDER BY ALL").equals(expected)


def test_another_model_or_many_changes_call_for_a_full_run(engine, base):
    load_people(engine, PEOPLE)
    engine.register("standing", base[1]["prepared_records"])
    engine.register("base_linkage_model", base[1]["linkage_model"])
    records.normalise_records(engine, AS_OF, "ES", standing="standing")
    compared = comparisons.choose_comparisons(engine)
    assert increments.take_up_model(engine, "base_linkage_model", compared) is not None
    assert increments.take_up_model(engine, "base_linkage_model", compared[:-1]) is None
    assert increments.take_up_model(engine, None, compared) is None
    records.normalise_records(engine, AS_OF, "ES")
    assert increments.take_up_model(engine, "base_linkage_model", compared) is None
