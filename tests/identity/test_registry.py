import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.identity.registry import assign_customer_ids, collect_record_keys
from tests.identity.conftest import make_table

DAY = date(2026, 11, 1)


class Nights:
    """Runs one after the other: each night's clusters of records, given by letters."""

    def __init__(self, engine):
        self.engine = engine
        self.day = DAY
        self.base = None, None

    def run(self, clusters):
        """Deliver clusters such as ``["abc", "d"]``; gives cluster -> customer id."""
        rows = [(record, number) for number, cluster in enumerate(clusters) for record in cluster]
        records = pd.DataFrame(rows, columns=["source_record_id", "cluster"]).assign(source="s")
        records["record_no"] = np.arange(1, len(records) + 1)
        records["match_probability"] = 0.99
        self.engine.register("record_keys", records[["source", "source_record_id"]])
        self.engine.register("linkage_records", records[["record_no", "source", "source_record_id"]])
        self.engine.register("clusters", records[["record_no", "cluster", "match_probability"]])
        name = assign_customer_ids(self.engine, self.day, *self.base)
        found = self.engine.frame(f"FROM {name}").set_index("source_record_id")["customer_id"]
        assert sorted(found.index) == sorted(records["source_record_id"])
        told = {cluster: found[list(cluster)].unique().tolist() for cluster in clusters}
        assert all(len(ids) == 1 for ids in told.values())
        return {cluster: ids[0] for cluster, ids in told.items()}

    def publish(self):
        """Let the next night build on this one."""
        self.engine.execute("CREATE OR REPLACE TABLE published AS FROM new_identities")
        self.engine.execute("CREATE OR REPLACE TABLE published_events AS FROM new_identity_events")
        self.base = "published", "published_events"
        self.day += timedelta(days=1)

    def events(self, day=None):
        rows = self.engine.rows("FROM new_identity_events ORDER BY ALL")
        return [
            (row["customer_id"], row["event"], row["other_customer_id"])
            for row in rows
            if row["as_of_date"] == (day or self.day)
        ]


@pytest.fixture
def nights(engine):
    return Nights(engine)


def test_the_first_night_creates_everybody(nights):
    ids = nights.run(["ab", "c"])
    assert len(set(ids.values())) == 2
    assert sorted(nights.events()) == sorted((customer, "created", None) for customer in ids.values())


def test_the_same_records_keep_their_ids_and_nothing_happens(nights):
    before = nights.run(["ab", "c"])
    nights.publish()
    assert nights.run(["c", "ba"]) == {"ba": before["ab"], "c": before["c"]}
    assert nights.events() == []


def test_a_merge_keeps_the_id_of_the_larger_part(nights):
    before = nights.run(["a", "bc"])
    nights.publish()
    after = nights.run(["abc"])
    assert after["abc"] == before["bc"]
    assert nights.events() == [(before["a"], "merged_into", before["bc"])]


def test_a_tie_goes_to_the_customer_seen_first(nights):
    first = nights.run(["z"])
    nights.publish()
    second = nights.run(["z", "a"])
    nights.publish()
    after = nights.run(["az"])
    assert after["az"] == first["z"]
    assert nights.events() == [(second["a"], "merged_into", first["z"])]


def test_a_split_leaves_the_id_with_the_larger_part(nights):
    before = nights.run(["abc"])
    nights.publish()
    after = nights.run(["a", "bc"])
    assert after["bc"] == before["abc"]
    assert nights.events() == [(after["a"], "split_from", before["abc"])]
    assert after["a"] != before["abc"]


def test_an_id_given_up_in_a_merge_is_never_given_again(nights):
    before = nights.run(["a", "bc"])
    nights.publish()
    nights.run(["abc"])
    nights.publish()
    after = nights.run(["a", "bc"])
    assert after["bc"] == before["bc"]
    assert after["a"] not in before.values()


def test_who_leaves_and_comes_back_has_the_old_id(nights):
    before = nights.run(["a", "b"])
    nights.publish()
    nights.run(["b"])
    nights.publish()
    assert nights.run(["a", "b"]) == before


def test_members_that_change_places_do_not_swap_ids(nights):
    before = nights.run(["abc", "def"])
    nights.publish()
    after = nights.run(["abf", "dec"])
    assert after == {"abf": before["abc"], "dec": before["def"]}


LETTERS = "abcdefghij"
#: The records delivered in one night, each in a cluster; those marked with -1 are not delivered.
partitions = st.lists(st.integers(-1, 5), min_size=len(LETTERS), max_size=len(LETTERS)).map(
    lambda marks: [
        "".join(letter for letter, mark in zip(LETTERS, marks, strict=True) if mark == wanted)
        for wanted in sorted({*marks} - {-1})
    ]
)


def owners(ids):
    return {record: customer for cluster, customer in ids.items() for record in cluster}


def check_that_nothing_moved_unsaid(before, now, events):
    """`before` and `now` are record -> customer; every difference must stand in the night's events."""
    told = {(customer, event) for customer, event, _ in events}
    splits = {(customer, other) for customer, event, other in events if event == "split_from"}
    for customer in set(now.values()) - set(before.values()):
        assert told & {(customer, event) for event in ("created", "returned", "split_from")}
    for customer in set(before.values()) - set(now.values()):
        assert told & {(customer, "merged_into"), (customer, "left")}
    for record in set(before) & set(now):
        old, new = before[record], now[record]
        if old != new:
            assert told & {(old, "merged_into"), (old, "moved_to")} or (new, old) in splits
    for customer, event, other in events:
        assert (other is None) == (event in ("created", "left", "returned"))
        assert (customer in now.values()) == (event not in ("merged_into", "left"))
        if event in ("merged_into", "moved_to"):
            assert other in now.values()
        if event == "split_from":
            assert other in before.values()


def replay_nights(engine, deliveries, random):
    """Permutation, arrival, departure, merge, split, a night that is run again, and one that is lost."""
    nights = Nights(engine)
    previous: dict[str, str] = {}
    for delivery in deliveries:
        ids = nights.run(delivery)
        lost = random.choice(deliveries)
        nights.run(lost)
        shuffled = ["".join(random.sample(cluster, len(cluster))) for cluster in random.sample(delivery, len(delivery))]
        again = nights.run(shuffled)
        current = owners(ids)
        assert owners(again) == current, "neither the order of the rows nor a run that was lost matters"
        assert len(set(ids.values())) == len(ids)
        check_that_nothing_moved_unsaid(previous, current, nights.events())
        touched = {customer for customer, *_ in nights.events()} | {other for *_, other in nights.events()}
        for cluster in delivery:
            whose = {previous.get(record) for record in cluster}
            same = {record for record, owner in previous.items() if owner in whose}
            if same == set(cluster) and len(whose) == 1:
                assert ids[cluster] == previous[cluster[0]], "untouched people keep their id"
                assert ids[cluster] not in touched
        nights.publish()
        again = nights.run(delivery)
        assert again == ids
        assert nights.events() == [], "the same delivery once more says nothing"
        previous = current


several_nights = given(
    deliveries=st.lists(partitions, min_size=2, max_size=4), random=st.randoms(use_true_random=False)
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@several_nights
def test_no_id_changes_without_an_event(engine, deliveries, random):
    replay_nights(engine, deliveries, random)


@pytest.mark.full
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@several_nights
def test_no_id_changes_without_an_event_in_many_draws(engine, deliveries, random):
    replay_nights(engine, deliveries, random)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=partitions.filter(len), joins=st.lists(st.integers(0, 7), min_size=4, max_size=4))
def test_one_source_more_never_swaps_ids(engine, known, joins):
    """Its records join customers or stand alone; their keys sort before all others."""
    nights = Nights(engine)
    before = nights.run(known)
    nights.publish()
    grown = dict.fromkeys(known, "")
    alone = []
    for record, place in zip("ABCD", joins, strict=True):
        if place < len(known):
            grown[known[place]] += record
        else:
            alone.append(record)
    after = nights.run([*(cluster + more for cluster, more in grown.items()), *alone])
    assert {cluster: after[cluster + more] for cluster, more in grown.items()} == before
    assert {event for _, event, _ in nights.events()} <= {"created"}
    assert {customer for customer, *_ in nights.events()} == {after[record] for record in alone}


def test_who_leaves_says_so_and_who_comes_back_too(nights):
    before = nights.run(["ab", "c"])
    nights.publish()
    nights.run(["c"])
    assert nights.events() == [(before["ab"], "left", None)]
    nights.publish()
    assert nights.run(["ab", "c"]) == before
    assert nights.events() == [(before["ab"], "returned", None)]


def test_a_record_that_changes_hands_is_told(nights):
    before = nights.run(["abc", "de"])
    nights.publish()
    after = nights.run(["ab", "cde"])
    assert after == {"ab": before["abc"], "cde": before["de"]}
    assert nights.events() == [(before["abc"], "moved_to", before["de"])]


def test_an_erased_id_is_nobodys_for_good(nights):
    before = nights.run(["a", "b"])
    nights.publish()
    nights.engine.execute("DELETE FROM published WHERE source_record_id = 'a'")
    nights.engine.execute(f"UPDATE published_events SET event = 'erased' WHERE customer_id = '{before['a']}'")
    after = nights.run(["a", "b"])
    assert after["b"] == before["b"]
    assert after["a"] != before["a"]
    assert nights.events() == [(after["a"], "created", None)]


def test_every_record_that_any_entity_names_has_a_customer(engine):
    make_table(engine, "source_records", [{"source": "erp", "source_record_id": "1"}])
    at = pd.Timestamp("2026-01-01", tz="UTC")
    tickets = [("erp", "1"), ("erp", "2"), ("card", "299"), (None, None)]
    make_table(
        engine,
        "tickets",
        [
            {"source": "pos", "ticket_id": str(i), "record_source": s, "source_record_id": r}
            for i, (s, r) in enumerate(tickets)
        ],
    )
    make_table(
        engine,
        "sends",
        [{"source": "mail", "send_id": "x", "record_source": "mail", "source_record_id": "9", "sent_at": at}],
    )
    collect_record_keys(engine)
    found = engine.frame(f"FROM {assign_customer_ids(engine, DAY)} ORDER BY source, source_record_id")
    assert list(zip(found["source"], found["source_record_id"], strict=True)) == [
        ("card", "299"),
        ("erp", "1"),
        ("erp", "2"),
        ("mail", "9"),
    ]
    assert found["customer_id"].is_unique
    assert found["match_probability"].isna().all()


def test_without_any_entity_there_is_nobody(engine):
    collect_record_keys(engine)
    assert len(engine.frame(f"FROM {assign_customer_ids(engine, DAY)}")) == 0


def test_the_registry_imports_no_splink():
    code = "import sys, crmlib.identity.registry; assert not {'splink', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
