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


letters = "abcdefghij"
partitions = st.lists(st.integers(0, 5), min_size=len(letters), max_size=len(letters)).map(
    lambda marks: [
        "".join(letter for letter, mark in zip(letters, marks, strict=True) if mark == wanted)
        for wanted in sorted({*marks})
    ]
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(partitions, min_size=2, max_size=3), random=st.randoms(use_true_random=False))
def test_no_id_changes_without_an_event(engine, deliveries, random):
    nights = Nights(engine)
    previous: dict[str, str] = {}
    for delivery in deliveries:
        ids = nights.run(delivery)
        random.shuffle(delivery)
        assert nights.run(delivery) == ids, "the order of the rows does not matter"
        assert len(set(ids.values())) == len(ids)
        told = {customer for customer, *_ in nights.events()}
        current = {record: ids[cluster] for cluster in delivery for record in cluster}
        for customer in set(current.values()) ^ set(previous.values()):
            assert customer in told
        stayed = set(previous.values()) & set(current.values())
        for customer in stayed - told:
            members = {record for record, owner in previous.items() if owner == customer}
            assert any(current[record] == customer for record in members)
        for cluster in delivery:
            same = {record for record, owner in previous.items() if owner == previous.get(cluster[0])}
            if same == set(cluster):
                assert ids[cluster] == previous[cluster[0]], "untouched people keep their id"
        nights.publish()
        previous = current


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
