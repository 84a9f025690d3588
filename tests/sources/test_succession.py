"""Deliveries, one after the other: what is new, changed, known already, late, or in conflict."""

from __future__ import annotations

from datetime import UTC, date, datetime

CUSTOMERS = {"path": "customers.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
DATED = {"path": "customers*.csv", "fields": {"source_record_id": "id", "full_name": "name", "updated_at": "changed"}}
TICKETS = {
    "path": "tickets.csv",
    "fields": {"ticket_id": "t", "bought_at": "at", "amount": "amount", "loyalty_card": "card"},
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_same_delivery_twice_changes_nothing(deliveries):
    deliveries.write("customers.csv", "id,name\n1,Ana\n2,\n2,\n3\n")
    sources = {"erp": {"customers": CUSTOMERS}}
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(4, 2, 1, 1)]
    before = deliveries.rows("source_records")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(4, 0, 1, 3)]
    assert deliveries.rows("source_records") == before
    # nor on another day
    deliveries.take_in(sources, as_of="2027-03-01")
    assert deliveries.ledger() == [(4, 0, 1, 3)]
    assert deliveries.rows("source_records") == before


def test_an_increment_adds_and_the_rest_stays(deliveries):
    sources = {"erp": {"customers": CUSTOMERS}}
    deliveries.write("customers.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    deliveries.write("customers.csv", "id,name\n2,Eva\n3,Luz\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 1, 0, 1)]
    assert deliveries.rows("source_records", "source_record_id, full_name, updated_at") == [
        {"source_record_id": "1", "full_name": "Ana", "updated_at": at("2026-10-01T23:59:59")},
        {"source_record_id": "2", "full_name": "Eva", "updated_at": at("2026-10-01T23:59:59")},
        {"source_record_id": "3", "full_name": "Luz", "updated_at": at("2026-11-01T23:59:59")},
    ]


def test_a_changed_row_without_a_date_is_a_new_version(deliveries):
    sources = {"erp": {"customers": CUSTOMERS}}
    for as_of, name in (("2026-09-01", "Ana"), ("2026-10-01", "Ana G"), ("2026-11-01", "Ana")):
        deliveries.write("customers.csv", f"id,name\n1,{name}\n")
        deliveries.take_in(sources, as_of=as_of)
        assert deliveries.ledger() == [(1, 1, 0, 0)]
    assert sorted((row["updated_at"].month, row["full_name"]) for row in deliveries.rows("source_records")) == [
        (9, "Ana"), (10, "Ana G"), (11, "Ana"),
    ]  # fmt: skip


def test_a_corrected_delivery_of_the_same_day_replaces(deliveries):
    sources = {"erp": {"customers": CUSTOMERS}}
    deliveries.write("customers.csv", "id,name\n1,Anna\n2,Eva\n")
    deliveries.take_in(sources)
    deliveries.write("customers.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 1, 0, 1)]
    assert deliveries.values("source_records", "full_name") == ["Ana", "Eva"]


def test_a_later_version_of_the_same_key_stands_beside_the_older(deliveries):
    deliveries.write("customers1.csv", "id,name,changed\n1,Ana,2026-01-01\n")
    deliveries.write("customers2.csv", "id,name,changed\n1,Ana Gil,2026-05-01\n1,Ana,2026-01-01\n")
    deliveries.take_in({"erp": {"customers": DATED}})
    assert deliveries.ledger() == [(1, 1, 0, 0), (2, 1, 0, 1)]
    assert sorted((row["updated_at"].month, row["full_name"]) for row in deliveries.rows("source_records")) == [
        (1, "Ana"), (5, "Ana Gil"),
    ]  # fmt: skip


def test_a_dated_row_is_unchanged_only_if_that_version_is_known(deliveries):
    sources = {"erp": {"customers": DATED}}
    deliveries.write("customers.csv", "id,name,changed\n1,Ana,2026-01-01\n")
    deliveries.take_in(sources)
    deliveries.write("customers.csv", "id,name,changed\n1,Ana,2026-01-01\n1,Ana,2026-03-01\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 1, 0, 1)]
    deliveries.write("customers.csv", "id,name,changed\n1,Anna,2026-01-01\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(1, 1, 0, 0)]
    assert sorted(deliveries.values("source_records", "full_name")) == ["Ana", "Anna"]


def test_a_folder_with_a_file_a_day_is_the_same_at_once_or_day_by_day(deliveries, tmp_path):
    sources = {"erp": {"customers": {**CUSTOMERS, "path": "daily/c_*.csv"}}}
    days = {"20261001": "1,Ana\n2,Eva\n", "20261002": "1,Ana\n2,Eva G\n", "20261003": "1,Ana\n2,Eva\n3,Luz\n"}
    for day, rows in days.items():
        deliveries.write(f"daily/c_{day}.csv", "id,name\n" + rows)
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 2, 0, 0), (2, 1, 0, 1), (3, 2, 0, 1)]
    at_once = deliveries.rows("source_records")
    assert {row["updated_at"].day for row in at_once} == {1, 2, 3}
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 0, 0, 2), (2, 0, 0, 2), (3, 0, 0, 3)]
    assert deliveries.rows("source_records") == at_once
    one_by_one = type(deliveries)(tmp_path / "again")
    for day, rows in days.items():
        one_by_one.write(f"daily/c_{day}.csv", "id,name\n" + rows)
        one_by_one.take_in(sources, as_of=f"{day[:4]}-{day[4:6]}-{day[6:]}")
    assert one_by_one.rows("source_records") == at_once
    one_by_one.engine.close()


def test_a_day_that_comes_late_takes_its_place(deliveries):
    sources = {"erp": {"customers": {**CUSTOMERS, "path": "c_*.csv"}}}
    deliveries.write("c_20261001.csv", "id,name\n1,Ana\n")
    deliveries.write("c_20261003.csv", "id,name\n1,Ana\n")
    deliveries.take_in(sources)
    deliveries.write("c_20261002.csv", "id,name\n1,Eva\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(1, 0, 0, 1), (1, 1, 0, 0), (1, 1, 0, 0)]
    assert sorted((row["updated_at"].day, row["full_name"]) for row in deliveries.rows("source_records")) == [
        (1, "Ana"), (2, "Eva"), (3, "Ana"),
    ]  # fmt: skip


def test_the_day_of_delivery_is_that_of_the_name_then_of_params_then_the_as_of_date(deliveries):
    for name in ("a_2026-07-15.csv", "b.csv", "c_20269999.csv"):
        deliveries.write(name, f"id,name\n{name},x\n")
    given = {**CUSTOMERS, "delivered_on": date(2026, 6, 1)}
    entries = [{**given, "path": "a*.csv"}, {**given, "path": "b.csv"}, {**CUSTOMERS, "path": "c*.csv"}]
    deliveries.take_in({"erp": {"customers": entries}}, timezone="Europe/Madrid")
    assert deliveries.values("source_records", "updated_at") == [
        at("2026-07-15T21:59:59"),
        at("2026-06-01T21:59:59"),
        at("2026-11-01T22:59:59"),
    ]


def test_rows_after_the_as_of_date_are_stored(deliveries):
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n2,2026-12-24,7,\n")
    deliveries.take_in({"pos": {"tickets": TICKETS}})
    assert deliveries.ledger() == [(2, 2, 0, 0)]
    assert deliveries.values("tickets", "ticket_id") == ["1", "2"]


def test_what_is_not_delivered_again_is_carried(deliveries):
    deliveries.write("customers.csv", "id,name\n1,Ana\n2\n")
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n")
    deliveries.take_in({"erp": {"customers": CUSTOMERS}, "pos": {"tickets": TICKETS}})
    rejected = deliveries.rows("rejected_rows")
    assert len(rejected) == 1
    deliveries.take_in({"pos": {"tickets": TICKETS}})
    assert deliveries.values("source_records", "full_name") == ["Ana"]
    assert deliveries.rows("rejected_rows") == rejected
    assert deliveries.values("intake_ledger", "load") == ["customers.csv", "tickets.csv"]


def test_where_a_row_stood_is_kept_until_another_version_takes_its_place(deliveries):
    sources = {"erp": {"customers": {**CUSTOMERS, "path": "customers*.csv"}}}
    deliveries.write("customers_20261001.csv", "id,name\n1,Ana\n2,Luz\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    deliveries.write("customers_20261002.csv", "id,name\n9,Sol\n2,Luz\n1,Eva\n")
    deliveries.take_in(sources, as_of="2026-10-02")
    first, second = "customers_20261001.csv", "customers_20261002.csv"
    assert [tuple(row.values()) for row in deliveries.rows("source_records", "full_name, delivery, delivery_row")] == [
        ("Ana", first, 1),
        ("Eva", second, 3),
        ("Luz", first, 2),
        ("Sol", second, 1),
    ]


def test_rows_of_one_key_that_differ_are_all_rejected(deliveries):
    deliveries.write("customers1.csv", "id,name\n1,Ana\n1,Eva\n2,Luz\n2,Luz\n3,Sol\n")
    deliveries.write("customers2.csv", "id,name\n3,Mar\n4,Paz\n")
    deliveries.take_in({"erp": {"customers": {**CUSTOMERS, "path": "customers*.csv"}}})
    assert deliveries.values("source_records", "source_record_id") == ["2", "4"]
    assert deliveries.ledger() == [(5, 1, 3, 1), (2, 1, 1, 0)]
    assert {rule for _, _, rule in deliveries.rejected()} == {"conflicting_key"}
    assert {field for _, field, _ in deliveries.rejected()} == {"source_record_id"}


def test_a_conflict_leaves_the_version_that_is_known(deliveries):
    sources = {"erp": {"customers": CUSTOMERS}}
    deliveries.write("customers.csv", "id,name\n1,Ana\n9,Old\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    deliveries.write("customers.csv", "id,name\n1,Eva\n1,Luz\n2,Sol\n")
    deliveries.take_in(sources)
    assert deliveries.values("source_records", "full_name") == ["Ana", "Sol", "Old"]


def test_what_two_sources_say_alike_is_no_conflict(deliveries):
    deliveries.write("a.csv", "id,name\n1,Milk\n2,Bread\n")
    deliveries.write("b.csv", "id,name\n1,Milk\n2,Loaf\n3,Oil\n")
    fields = {"product_id": "id", "name": "name"}
    sources = {name: {"products": {"path": f"{name}.csv", "fields": fields}} for name in ("a", "b")}
    deliveries.take_in(sources)
    assert [(row["product_id"], row["source"]) for row in deliveries.rows("products")] == [("1", "a"), ("3", "b")]
    assert deliveries.ledger() == [(2, 1, 1, 0), (3, 1, 1, 1)]


def test_of_consents_that_contradict_each_other_at_one_instant_the_refusal_stands(deliveries):
    rows = ["1,granted", "1,withdrawn", "2,withdrawn", "2,granted", "3,withdrawn", "3,withdrawn"]
    lines = [f"{row},email,marketing,2026-01-01T10:00:00" for row in rows]
    deliveries.write("consents.csv", "\n".join(["id,d,channel,purpose,at", *lines]) + "\n")
    fields = {"source_record_id": "id", "decision": "d", "channel": "channel", "purpose": "purpose"}
    deliveries.take_in({"log": {"consents": {"path": "consents.csv", "fields": fields | {"happened_at": "at"}}}})
    assert deliveries.values("consent_events", "decision") == ["withdrawn"] * 3
    assert [rule for _, _, rule in deliveries.rejected()] == ["conflicting_key"] * 2
