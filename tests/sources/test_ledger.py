"""What the ledger and the quarantine say, for the page of room 01."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmlib.sources.ledger import count_later, summarise_entities, summarise_freshness, summarise_rejections

CUTOFF = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def taken(deliveries):
    deliveries.write("c1.csv", "id,name\n1,Ana\n2,Eva\n3\n")
    deliveries.write("c2.csv", "id,name\n2,Eva\n4\n5\n6,Sol\n")
    deliveries.write("t.csv", "t,at\n1,2026-10-30 12:00:00\n2,2026-12-24 12:00:00\n3,never\n")
    customers = {"path": "c*.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
    tickets = {"path": "t.csv", "fields": {"ticket_id": "t", "bought_at": "at"}}
    deliveries.take_in({"erp": {"owner": "IT", "customers": customers}, "pos": {"tickets": tickets}})
    for table in deliveries.intake.tables:
        visible = " WHERE bought_at < TIMESTAMPTZ '2026-11-02 00:00:00+00'" if table == "tickets" else ""
        deliveries.engine.view(table, f"FROM {deliveries.base[table]}{visible}")
    for table in ("web_events", "tickets", "source_records"):
        if not deliveries.engine.has(table):
            deliveries.engine.view(
                table, "SELECT NULL::VARCHAR AS source, NULL::TIMESTAMPTZ AS happened_at WHERE false"
            )
    return deliveries


def test_rows_by_source_and_entity(taken):
    assert summarise_entities(taken.engine).to_dict("records") == [
        {"delivery": "erp · customers", "files": 2, "accepted": 3, "unchanged": 1, "rejected": 3},
        {"delivery": "pos · tickets", "files": 1, "accepted": 2, "unchanged": 0, "rejected": 1},
    ]


def test_rejections_by_rule_the_most_first(taken):
    found = summarise_rejections(taken.engine)
    assert found["rows"].tolist() == [3, 1]
    assert found.loc[0, ["source", "entity", "field"]].tolist() == ["erp", "customers", "row"]
    assert found.loc[1, "reason"].startswith("This is not a date")


def test_freshness_of_each_source(taken):
    found = summarise_freshness(taken.engine, CUTOFF).set_index("source")
    assert found.loc["erp", "owner"] == "IT"
    assert found.loc["pos", "newest_row"] == datetime(2026, 10, 30, 12, tzinfo=UTC)
    assert found.loc["pos", "age_days"] == 2


def test_rows_dated_later_are_counted(taken):
    assert count_later(taken.engine, taken.intake.tables, CUTOFF) == 1
