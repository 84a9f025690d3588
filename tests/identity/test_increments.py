"""A night's new and changed records against the standing base, and what a full run makes of the same records."""

from datetime import UTC, datetime
from itertools import combinations
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from crmlib.engine import Engine
from crmlib.identity import blocking, clusters, decisions, increments, linkage, scoring
from crmlib.identity.constraints import hash_records, hold_rulings
from crmlib.identity.records import normalise_records
from crmlib.identity.rulings import PairRuling, Rulings
from tests.identity.conftest import AS_OF, load_people, make_people

THRESHOLD = 0.95
#: Links on which an increment and a full run may disagree, of all links.
TOLERANCE = 0.02
PEOPLE = make_people(500, 0.5, 21)
NEW = 40
#: What a run keeps for the next: fields of `increments.Base`.
KEPT = increments.Base._fields


class Linked(NamedTuple):
    """A run's pairs, how it began, how many pairs it compared, and what it kept."""

    pairs: set[tuple[str, str]]
    start: increments.Start
    compared: int
    kept: dict[str, Any]


def pairs_of(engine):
    """Pairs of records that are together, by their ids."""
    frame = engine.frame("SELECT cluster, source_record_id FROM clusters JOIN linkage_records USING (record_no)")
    together = frame.groupby("cluster")["source_record_id"].apply(lambda ids: list(combinations(sorted(ids), 2)))
    return {pair for pairs in together for pair in pairs}


def link(engine, rows, base=None):
    """Link some rows, on a base where there is one; gives the pairs, how it began, the pairs compared, what it kept."""
    load_people(engine, rows)
    for name, table in (base or {}).items():
        engine.register(f"base_{name}", table)
    kept = increments.Base(*(f"base_{name}" for name in KEPT)) if base else increments.Base()
    start = increments.begin_linkage(engine, "auto", AS_OF, "ES", kept)
    blocked = blocking.block_pairs(engine, largest_blocks=start.largest_blocks)
    compared = engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"]
    model = start.model or linkage.train_model(engine, start.comparisons, seed=5)
    scoring.score_pairs(engine, model, start, kept)
    decisions.decide_pairs(engine, model, decisions.estimate_pair_shares(engine, model))
    clusters.cluster_records(engine, THRESHOLD)
    tables = (
        engine.arrow("FROM prepared_records"),
        engine.arrow(f"FROM {increments.name_pairs(engine)}"),
        pa.Table.from_pandas(increments.keep_model(model, start, blocked)),
    )
    return Linked(pairs_of(engine), start, compared, dict(zip(KEPT, tables, strict=True)))


@pytest.fixture(scope="module")
def base():
    engine = Engine(threads=2, memory_limit="2GB")
    found = link(engine, PEOPLE[:-NEW])
    yield found
    engine.close()


@pytest.fixture(scope="module")
def full():
    """The pairs of a full run over everybody."""
    engine = Engine(threads=2, memory_limit="2GB")
    found = link(engine, PEOPLE)
    yield found.pairs
    engine.close()


def test_an_increment_gives_what_a_full_run_gives(engine, base, full):
    made = link(engine, PEOPLE, base=base.kept)
    assert made.start.sentence.startswith(f"{NEW} of {len(PEOPLE)} records are new or changed")
    assert 0 < made.compared < base.compared / 4
    assert len(made.pairs ^ full) <= TOLERANCE * len(full)
    new = {row["source_record_id"] for row in PEOPLE[-NEW:]}
    assert any(new & set(pair) for pair in made.pairs), "new records were linked"


def test_night_after_night_it_stays_what_a_full_run_gives(engine, base, full):
    kept, step = base.kept, NEW // 4
    for night in range(4):
        made = link(engine, PEOPLE[: len(PEOPLE) - NEW + (night + 1) * step], base=kept)
        assert made.start.kept["changed"] == (night + 1) * step
        kept = made.kept
    assert len(made.pairs ^ full) <= TOLERANCE * len(full)


def test_the_same_records_again_change_nothing(engine, base):
    made = link(engine, list(reversed(PEOPLE[:-NEW])), base=base.kept)
    assert made.compared == 0
    assert made.pairs == base.pairs
    for name in KEPT[:2]:
        columns = ", ".join(base.kept[name].column_names)
        engine.register("one", made.kept[name])
        engine.register("other", base.kept[name])
        differing = f"(SELECT {columns} FROM one EXCEPT ALL SELECT {columns} FROM other)"
        assert len(made.kept[name]) == len(base.kept[name])
        assert engine.row(f"SELECT count(*) AS n FROM {differing}")["n"] == 0
    assert engine.row("SELECT count(*) AS n FROM suggested_pairs")["n"] == 0


def test_a_changed_record_is_linked_anew_and_one_that_left_is_gone(engine, base):
    together, apart = sorted(base.pairs)[0]
    gone = sorted(base.pairs)[-1][0]
    rows = [dict(row) for row in PEOPLE[:-NEW] if row["source_record_id"] != gone]
    stranger = {"given_name": "Zebulon", "surnames": "Wrzesniewski", "email": "zw@correo.example"}
    for row in rows:
        if row["source_record_id"] == apart:
            for field in set(row) - {"source", "source_record_id", "person_id"}:
                row[field] = stranger.get(field)
    made = link(engine, rows, base=base.kept)
    assert made.start.kept["changed"] == 2
    assert (together, apart) not in made.pairs
    assert not any(gone in pair for pair in made.pairs)


def test_what_reviewers_rule_holds_over_pairs_that_were_carried(engine, base):
    left, right = sorted(base.pairs)[0]
    seen = {}

    def rule(decision):
        link(engine, PEOPLE, base=base.kept)
        hash_records(engine, "linkage_records")
        found = engine.rows("SELECT source_record_id, seen FROM records_seen JOIN linkage_records USING (record_no)")
        seen.update({row["source_record_id"]: row["seen"] for row in found})
        ruling = PairRuling(
            records=(("crm", left), ("crm", right)),
            decision=decision,
            seen=(seen[left], seen[right]),
            reviewer="Xenia",
            decided_at=datetime(2026, 11, 1, tzinfo=UTC),
            as_of_date=AS_OF,
        )
        hold_rulings(engine, Rulings((ruling,)))
        clusters.cluster_records(engine, THRESHOLD)
        return (left, right) in pairs_of(engine)

    assert not rule("different")
    assert rule("same")


def test_the_pairs_of_an_increment_are_those_of_a_full_run_that_touch_it(engine, base):
    load_people(engine, PEOPLE)
    engine.register("standing", base.kept["records"])
    normalise_records(engine, AS_OF, "ES", standing="standing")
    largest = blocking.block_pairs(engine)["largest_block"]
    touched = "record_no_l IN (FROM changed_records) OR record_no_r IN (FROM changed_records)"
    expected = engine.arrow(f"SELECT * FROM candidate_pairs WHERE {touched} ORDER BY ALL")
    found = blocking.block_pairs(engine, largest_blocks=largest)
    assert engine.arrow("SELECT * FROM candidate_pairs ORDER BY ALL").equals(expected)
    assert found["new_pairs"].sum() == len(expected) > 0
    assert (found["pairs"] >= found["new_pairs"]).all()


def test_a_record_taken_from_the_base_is_as_if_normalised_now(engine, base):
    load_people(engine, PEOPLE)
    normalise_records(engine, AS_OF, "ES")
    expected = engine.arrow("FROM linkage_records ORDER BY ALL")
    engine.register("standing", base.kept["records"])
    normalise_records(engine, AS_OF, "ES", standing="standing")
    assert engine.arrow("FROM linkage_records ORDER BY ALL").equals(expected)


def working(rows):
    """The same people, some with an occupation."""
    return [
        row | {"job_title": ("Baker", "Smith")[place % 2]} if place < NEW else row for place, row in enumerate(rows)
    ]


def begin(engine, base, rows, mode="auto", country="ES"):
    """How a run of these rows begins on the base."""
    load_people(engine, rows)
    for name in KEPT:
        engine.register(f"base_{name}", base.kept[name])
    return increments.begin_linkage(engine, mode, AS_OF, country, increments.Base(*(f"base_{name}" for name in KEPT)))


def test_when_a_full_run_is_due(engine, base):
    assert begin(engine, base, PEOPLE).model is not None
    assert increments.begin_linkage(engine, "auto", AS_OF, "ES", increments.Base()).model is None
    reasons = {
        "the params ask": begin(engine, base, PEOPLE, mode="full"),
        "for another country": begin(engine, base, PEOPLE, country="PT"),
        "other fields are filled": begin(engine, base, working(PEOPLE)),
        "more than 10%": begin(engine, base, PEOPLE[NEW:]),
    }
    for reason, start in reasons.items():
        assert start.model is None
        assert reason in start.sentence
        assert start.kept["changed"] == 0
