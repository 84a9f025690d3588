"""Staged rows hold what any file fills, and nothing else; the view beside them shows every column."""

from __future__ import annotations

from crmlib.sources.columns import staged_columns
from crmlib.sources.staged_tables import hold, show, stand_in_order

ERP = {"path": "erp.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
SHOP = {"path": "shop.csv", "fields": {"source_record_id": "id", "email": "mail"}, "keep": ["points"]}


def test_no_column_is_held_that_no_file_fills(deliveries):
    deliveries.write("erp.csv", "id,name\n1,Ana\n2,\n")
    deliveries.write("shop.csv", "id,mail,points\n7,a@a.example,5\n")
    deliveries.take_in({"erp": {"customers": ERP}, "shop": {"customers": SHOP}})
    held = set(deliveries.engine.columns("staged_source_records_rows"))
    assert {"full_name", "email", "extra"} <= held
    assert not held & {"phone", "address_line", "consents", "dated", "tags"}
    shown = list(deliveries.engine.columns("staged_source_records"))
    assert shown[: len(staged_columns("source_records"))] == [
        column.name for column in staged_columns("source_records")
    ]
    rows = deliveries.rows("source_records", "source, full_name, email, extra, phone, delivery, delivery_row")
    assert [tuple(row.values()) for row in rows] == [
        ("erp", "Ana", None, None, None, "erp.csv", 1),
        ("erp", None, None, None, None, "erp.csv", 2),
        ("shop", None, "a@a.example", '{"points":"5"}', None, "shop.csv", 1),
    ]


def test_what_one_intake_staged_is_not_staged_in_the_next(deliveries):
    deliveries.write("erp.csv", "id,name\n1,Ana\n")
    deliveries.write("shop.csv", "id,mail,points\n7,a@a.example,5\n")
    deliveries.take_in({"erp": {"customers": ERP}, "shop": {"customers": SHOP}})
    deliveries.write("erp.csv", "id,name\n1,Ana Gil\n")
    deliveries.take_in({"erp": {"customers": ERP}}, as_of="2026-11-02")
    assert "email" not in deliveries.engine.columns("staged_source_records_rows")
    assert deliveries.engine.row("SELECT count(*) AS n FROM staged_source_records")["n"] == 1
    assert deliveries.values("source_records", "full_name") == ["Ana", "Ana Gil", None]


def test_a_table_is_widened_and_keeps_its_rows(engine):
    hold(engine, "stores", ["store_id", "row"])
    engine.execute("INSERT INTO staged_stores_rows BY NAME SELECT 0 AS file, 1 AS row, 'T1' AS store_id")
    hold(engine, "stores", ["store_id", "name", "latitude"])
    show(engine, "stores")
    row = engine.row("SELECT store_id, name, latitude, delivery, delivery_row, row, fault_rule FROM staged_stores")
    assert row == {
        "store_id": "T1", "name": None, "latitude": None, "delivery": None, "delivery_row": None, "row": 1,
        "fault_rule": None,
    }  # fmt: skip
    assert engine.columns("staged_stores_rows")["latitude"] == "DOUBLE"


def test_rows_that_lie_in_another_order_are_seen(engine):
    hold(engine, "stores", ["store_id", "row"])
    for file, row in ((1, 1), (1, 2), (2, 1), (0, 1)):
        show(engine, "stores")
        assert stand_in_order(engine, "stores")
        engine.execute(f"INSERT INTO staged_stores_rows BY NAME SELECT {file} AS file, {row} AS row")
    assert not stand_in_order(engine, "stores")


def test_consents_that_records_state_stand_in_the_order_of_their_records(deliveries):
    fields = {"source_record_id": "id", "consent.email.marketing": "ok", "consent.at": "at"}
    rows = "".join(f"{number},yes,2026-10-{1 + number % 28:02d}\n" for number in range(5_000))
    deliveries.write("erp.csv", f"id,ok,at\n{rows}")
    deliveries.take_in({"erp": {"customers": {"path": "erp.csv", "fields": fields}}})
    told = deliveries.engine.rows(f"SELECT source_record_id AS id FROM {deliveries.base['consent_events']}")
    assert [int(row["id"]) for row in told] == list(range(5_000))


def test_a_first_load_stands_in_the_order_in_which_it_came_and_later_ones_by_their_keys(deliveries):
    count = 200_000
    ids = [f"C{number * 7919 % count}" for number in range(count)]
    deliveries.write("erp.csv", "id,name\n" + "".join(f"{key},Ana\n" for key in [*ids[:-1], "", ids[0]]))
    first = deliveries.take_in({"erp": {"customers": ERP}})
    assert "source_records" in first.in_order
    rows = deliveries.engine.rows(f"SELECT source_record_id AS id FROM {deliveries.base['source_records']}")
    assert [row["id"] for row in rows] == ids[:-1]
    deliveries.write("erp.csv", "id,name\nC5,Eva\nC10,Eva\n")
    second = deliveries.take_in({"erp": {"customers": ERP}}, as_of="2026-11-02")
    assert not second.in_order
    rows = deliveries.engine.rows(f"SELECT source_record_id AS id FROM {deliveries.base['source_records']}")
    assert [row["id"] for row in rows] == sorted([*ids[:-1], "C5", "C10"])
