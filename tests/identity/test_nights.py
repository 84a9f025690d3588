"""Twenty nights of a small retailer, through the rooms' own functions: ids move only where an event says so."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.engine import Engine
from crmlib.identity.blocking import block_pairs
from crmlib.identity.clusters import cluster_records
from crmlib.identity.constraints import hash_records, hold_rulings
from crmlib.identity.decisions import decide_pairs, estimate_pair_shares
from crmlib.identity.increments import Base, begin_linkage, keep_model, name_pairs
from crmlib.identity.linkage import train_model
from crmlib.identity.registry import assign_customer_ids, collect_record_keys
from crmlib.identity.rulings import PairRuling, Rulings
from crmlib.identity.scoring import score_pairs
from tests.identity.conftest import load_people, make_people
from tests.identity.test_registry import check_that_nothing_moved_unsaid

FIRST = date(2026, 9, 1)
NIGHTS = 20
THRESHOLD = 0.95


class Retailer:
    """People whose records arrive, change, leave and come by another source; a night is linked on the one before."""

    def __init__(self):
        self.engine = Engine(threads=2, memory_limit="2GB")
        self.rows = make_people(300, 0.4, 23)
        self.random = np.random.default_rng(5)
        self.base = None, None
        self.linkage = Base()
        self.increments = 0
        self.known = self.rows[:280]
        self.coming = self.rows[280:]
        self.rulings: list[PairRuling] = []

    def deliver(self, night):
        """What the sources hold tonight; the order of the rows is another every night."""
        arriving, self.coming = self.coming[:7], self.coming[7:]
        self.known = self.known + arriving
        if night % 3 == 2:
            changed = int(self.random.integers(len(self.known)))
            row = dict(self.known[changed])
            row["phone"] = f"6{self.random.integers(10**8):08d}"
            self.known[changed] = row
        if night % 4 == 3:
            self.known.pop(int(self.random.integers(len(self.known))))
        if night == 10:
            shop = [
                row | {"source": "a_shop", "source_record_id": f"s{row['source_record_id']}", "birth_date": None}
                for row in self.known[::9]
            ]
            self.known = self.known + shop
        return [self.known[place] for place in self.random.permutation(len(self.known))]

    def link(self, rows, as_of):
        engine = self.engine
        load_people(engine, rows)
        collect_record_keys(engine)
        start = begin_linkage(engine, "auto", as_of, "ES", self.linkage)
        self.increments += start.model is not None
        blocked = block_pairs(engine, largest_blocks=start.largest_blocks)
        model = start.model or train_model(engine, start.comparisons, seed=3)
        score_pairs(engine, model, start, self.linkage)
        engine.register("linkage_model", keep_model(model, start, blocked))
        decide_pairs(engine, model, estimate_pair_shares(engine, model))
        hold_rulings(engine, Rulings(tuple(self.rulings)))
        cluster_records(engine, THRESHOLD)
        assign_customer_ids(engine, as_of, *self.base)
        found = engine.rows("FROM new_identities")
        return {(row["source"], row["source_record_id"]): row["customer_id"] for row in found}

    def clusters(self):
        rows = self.engine.rows("SELECT source, source_record_id, cluster_key FROM clustered_records")
        clusters: dict[str, set] = {}
        for row in rows:
            clusters.setdefault(row["cluster_key"], set()).add((row["source"], row["source_record_id"]))
        return list(clusters.values())

    def events(self, as_of):
        rows = self.engine.rows("FROM new_identity_events ORDER BY ALL")
        return [
            (row["customer_id"], row["event"], row["other_customer_id"]) for row in rows if row["as_of_date"] == as_of
        ]

    def publish(self):
        self.engine.execute("CREATE OR REPLACE TABLE published AS FROM new_identities")
        self.engine.execute("CREATE OR REPLACE TABLE published_events AS FROM new_identity_events")
        name_pairs(self.engine)
        for name in ("prepared_records", "standing_pairs", "linkage_model"):
            self.engine.execute(f"CREATE OR REPLACE TABLE published_{name} AS FROM {name}")
        self.linkage = Base("published_prepared_records", "published_standing_pairs", "published_linkage_model")
        self.base = "published", "published_events"

    def rule(self, left, right, decision, as_of):
        hash_records(self.engine, "linkage_records")
        seen = {
            (row["source"], row["source_record_id"]): row["seen"]
            for row in self.engine.rows(
                "SELECT source, source_record_id, seen FROM records_seen JOIN linkage_records USING (record_no)"
            )
        }
        self.rulings.append(
            PairRuling(
                records=(left, right),
                decision=decision,
                seen=(seen[left], seen[right]),
                reviewer="Xenia",
                decided_at=datetime.fromisoformat(f"{as_of}T08:00:00+00:00"),
                as_of_date=as_of,
            )
        )


@pytest.mark.full
def test_twenty_nights_move_no_id_without_an_event():
    retailer = Retailer()
    previous: dict = {}
    moved = arrived = 0
    for night in range(NIGHTS):
        as_of = FIRST + timedelta(days=night)
        rows = retailer.deliver(night)
        current = retailer.link(rows, as_of)
        events = retailer.events(as_of)
        check_that_nothing_moved_unsaid(previous, current, events)
        touched = {customer for customer, *_ in events} | {other for *_, other in events}
        by_customer: dict = {}
        for record, customer in previous.items():
            by_customer.setdefault(customer, set()).add(record)
        for cluster in retailer.clusters():
            owners = {previous[record] for record in cluster if record in previous}
            if len(owners) == 1 and by_customer[owners.copy().pop()] <= cluster:
                assert {current[record] for record in cluster} == owners, "an untouched customer keeps the id"
        for record, customer in current.items():
            if previous.get(record, customer) != customer:
                moved += 1
                assert touched & {customer, previous[record]}
        for ruling in retailer.rulings:
            if set(ruling.records) <= set(current) and changed_nothing(retailer, ruling):
                left, right = (current[record] for record in ruling.records)
                assert (left == right) == (ruling.decision == "same")
        arrived += len(set(current) - set(previous))
        if night in (4, 8):
            merge_and_split(retailer, current, as_of)
        if night == 12:
            retailer.link(rows[: len(rows) // 2], as_of)
            again = retailer.link(list(reversed(rows)), as_of)
            assert again == current, "a run that crashed and was run again gives the same ids"
        retailer.publish()
        previous = current
    retailer.engine.close()
    assert arrived > 300
    assert retailer.increments > NIGHTS // 2, "most nights only what is new was compared"
    assert moved > 0, "rulings moved records, and the events told"


def changed_nothing(retailer, ruling):
    states = retailer.engine.rows("SELECT state FROM pair_states ORDER BY place")
    return states[retailer.rulings.index(ruling)]["state"] == "current"


def merge_and_split(retailer, current, as_of):
    """A reviewer joins two customers of one record, and takes one of two records apart."""
    whole = pd.Series(current).groupby(pd.Series(current)).apply(lambda group: sorted(group.index))
    named = {tuple(ruling.records) for ruling in retailer.rulings}
    single = [records[0] for records in whole if len(records) == 1 and not any(records[0] in pair for pair in named)]
    double = [records for records in whole if len(records) == 2 and not any(records[0] in pair for pair in named)]
    retailer.rule(single[0], single[1], "same", as_of)
    retailer.rule(double[0][0], double[0][1], "different", as_of)
