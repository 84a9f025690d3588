"""Must link and cannot link: what people ruled holds, as long as what they saw is as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.identity.clusters import cluster_records
from crmlib.identity.constraints import drop_impossible, hash_records, hold_rulings
from crmlib.identity.rulings import PairRuling, Rulings

AT = datetime(2026, 11, 2, tzinfo=UTC)
LETTERS = "abcdef"
DECIDED_PAIRS = """
    CREATE OR REPLACE TABLE decided_pairs (
        record_no_l BIGINT, record_no_r BIGINT, source_l VARCHAR, source_record_id_l VARCHAR, source_r VARCHAR,
        source_record_id_r VARCHAR, match_weight DOUBLE, match_probability DOUBLE, gamma_name INTEGER,
        contradicted BOOLEAN, decided_by VARCHAR
    )
"""


class Case:
    """Records named by letters, pairs between them with their probability; each night is linked anew."""

    def __init__(self, engine, add_records):
        self.engine = engine
        self.rows = {letter: {"given_name": f"Name {letter}"} for letter in LETTERS}
        self.add_records = add_records

    def link(self, pairs, rulings=(), ids=None):
        """Cluster; `pairs` such as ``{"ab": 0.99}``; gives the groups as words."""
        self.add_records([{"source_record_id": letter} | row for letter, row in self.rows.items()])
        known = ids or {}
        records = pd.DataFrame(
            {
                "record_no": range(1, len(LETTERS) + 1),
                "source": "crm",
                "source_record_id": list(LETTERS),
                "given_key": [f"name {letter}" for letter in LETTERS],
                "kind": "person",
                "national_id": pd.Series([known.get(letter) for letter in LETTERS], dtype="str"),
                "national_id_valid": [letter in known for letter in LETTERS],
            }
        )
        self.engine.register("linkage_records", records)
        self.engine.execute(DECIDED_PAIRS)
        for (left, right), probability in pairs.items():
            numbers = LETTERS.index(left) + 1, LETTERS.index(right) + 1
            self.engine.execute(
                f"INSERT INTO decided_pairs VALUES ({numbers[0]}, {numbers[1]}, 'crm', '{left}', 'crm', '{right}', "
                f"3.0, {probability}, 0, false, 'model')"
            )
        self.told = hold_rulings(self.engine, Rulings(tuple(rulings))).set_index("state")["pairs"]
        cluster_records(self.engine, 0.9)
        found = self.engine.frame("FROM clusters ORDER BY record_no")
        return sorted(
            "".join(LETTERS[number - 1] for number in group["record_no"])
            for _, group in found.groupby("cluster")
            if len(group) > 1
        )

    def seen(self, letter):
        self.add_records([{"source_record_id": letter} | row for letter, row in self.rows.items()])
        self.engine.register(
            "linkage_records",
            pd.DataFrame({"record_no": range(1, 7), "source": "crm", "source_record_id": list(LETTERS)}),
        )
        hash_records(self.engine, "linkage_records")
        number = LETTERS.index(letter) + 1
        return self.engine.row(f"SELECT seen FROM records_seen WHERE record_no = {number}")["seen"]

    def rule(self, pair, decision, day=0, reviewer="Ana"):
        left, right = pair
        return PairRuling(
            records=(("crm", left), ("crm", right)),
            decision=decision,
            seen=(self.seen(left), self.seen(right)),
            reviewer=reviewer,
            decided_at=AT + timedelta(days=day),
            as_of_date=date(2026, 11, 1),
        )


@pytest.fixture
def case(engine, add_records):
    return Case(engine, add_records)


def test_what_must_link_does_and_what_cannot_does_not(case):
    assert case.link({"ab": 0.99}) == ["ab"]
    assert case.link({"ab": 0.99}, [case.rule("ab", "different"), case.rule("cd", "same")]) == ["cd"]
    pairs = {row["source_record_id_l"]: row for row in case.engine.rows("FROM decided_pairs")}
    assert {row["decided_by"] for row in pairs.values()} == {"reviewer"}
    assert (pairs["a"]["match_probability"], pairs["a"]["contradicted"]) == (0.0, True)
    assert (pairs["c"]["match_probability"], pairs["c"]["gamma_name"], pairs["c"]["match_weight"]) == (1.0, -1, None)
    assert case.told["hold"] == 2


def test_the_model_alone_is_still_known(case):
    case.link({"ab": 0.99}, [case.rule("ba", "different")])
    assert case.engine.row("SELECT match_probability, decided_by, decision FROM model_pairs") == {
        "match_probability": 0.99, "decided_by": "model", "decision": "different",
    }  # fmt: skip


def test_two_kept_apart_are_not_joined_through_a_third(case):
    chain = {"ab": 0.99, "bc": 0.98, "ac": 0.97}
    assert case.link(chain) == ["abc"]
    assert case.link(chain, [case.rule("ac", "different")]) == ["ab"]


def test_what_must_link_draws_in_those_that_go_with_it(case):
    links = {"ab": 0.99, "cd": 0.99}
    assert case.link(links, [case.rule("bc", "same")]) == ["abcd"]


def test_a_ruling_overrules_two_valid_ids_and_those_still_count_for_others(case):
    ids = {"a": "1", "b": "2", "c": "3"}
    links = {"ac": 0.95, "bd": 0.99}
    assert case.link(links, [case.rule("ab", "same")], ids) == ["abd"]


def test_a_ruling_lapses_when_a_record_changed_and_holds_when_it_is_only_written_otherwise(case):
    ruling = case.rule("ab", "different")
    case.rows["a"]["given_name"] = " NAME A"
    assert case.link({"ab": 0.99}, [ruling]) == []
    case.rows["a"]["phone"] = "600112233"
    assert case.link({"ab": 0.99}, [ruling]) == ["ab"]
    assert (case.told["hold"], case.told["lapsed: a record has changed since"]) == (0, 1)
    assert case.engine.row("SELECT record_no_l, record_no_r FROM pair_states WHERE state = 'lapsed'") == {
        "record_no_l": 1, "record_no_r": 2,
    }  # fmt: skip


def test_of_two_rulings_the_later_counts_and_it_is_told(case):
    rulings = [case.rule("ab", "same"), case.rule("ba", "different", day=1, reviewer="Bea")]
    assert case.link({"ab": 0.99}, rulings) == []
    assert case.told["on which reviewers contradict each other; the later counts"] == 1
    again = [*rulings, case.rule("ab", "unsure", day=2)]
    assert case.link({"ab": 0.99}, again) == ["ab"], "whoever is not sure any more leaves it to the model"
    assert case.told["left open by the reviewer"] == 1


def test_what_cannot_hold_together_is_set_aside_and_told(case):
    rulings = [case.rule("ab", "same"), case.rule("bc", "same", 1), case.rule("ac", "different", 2)]
    assert case.link({}, rulings) == ["bc"]
    assert case.told["set aside: later rulings rule them out"] == 1


def test_a_record_that_is_there_no_more_is_told(case):
    gone = case.rule("ab", "same").model_copy(update={"records": (("crm", "a"), ("crm", "z"))})
    assert case.link({"ab": 0.5}, [gone]) == []
    assert case.told["of records that are there no more"] == 1


pairs_of_letters = st.sampled_from(["".join(pair) for pair in combinations(LETTERS, 2)])
ruled = st.lists(st.tuples(pairs_of_letters, st.sampled_from(["same", "different"])), max_size=8)


def ruling_of(pair, decision, minute):
    return PairRuling(
        records=(("crm", pair[0]), ("crm", pair[1])), decision=decision, seen=("", ""), reviewer="Ana",
        decided_at=AT + timedelta(minutes=minute), as_of_date=date(2026, 11, 1),
    )  # fmt: skip


def closure(pairs):
    person = {letter: {letter} for letter in LETTERS}
    for left, right in pairs:
        whole = person[left] | person[right]
        for letter in whole:
            person[letter] = whole
    return person


@given(ruled)
def test_what_is_kept_can_hold_together_and_no_more_than_needed_is_dropped(rulings):
    made = [ruling_of(pair, decision, minute) for minute, (pair, decision) in enumerate(rulings)]
    kept, dropped = drop_impossible(made)
    assert sorted((*kept, *dropped), key=lambda ruling: ruling.decided_at) == made

    def possible(some):
        person = closure((r.records[0][1], r.records[1][1]) for r in some if r.decision == "same")
        return all(r.records[1][1] not in person[r.records[0][1]] for r in some if r.decision == "different")

    assert possible(kept)
    for ruling in dropped:
        later = [other for other in kept if other.decided_at > ruling.decided_at]
        assert not possible([ruling, *later])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    links=st.dictionaries(pairs_of_letters, st.sampled_from([0.5, 0.92, 0.99]), max_size=9),
    rulings=st.dictionaries(pairs_of_letters, st.sampled_from(["same", "different"]), max_size=4),
    ids=st.dictionaries(st.sampled_from(LETTERS), st.sampled_from("12"), max_size=4),
)
def test_every_ruling_that_can_hold_does(case, links, rulings, ids):
    made = [case.rule(pair, decision, day) for day, (pair, decision) in enumerate(rulings.items())]
    kept, _ = drop_impossible(made)
    groups = case.link(links, made, ids)
    for ruling in kept:
        left, right = (record for _, record in ruling.records)
        together = any({left, right} <= set(group) for group in groups)
        assert together == (ruling.decision == "same")
