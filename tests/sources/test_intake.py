"""What is delivered is taken in typed and named, and what was made of it is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

CUSTOMERS = {"path": "customers.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
TICKETS = {
    "path": "tickets.csv",
    "fields": {"ticket_id": "t", "bought_at": "at", "amount": "amount", "loyalty_card": "card"},
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_rows_are_taken_in_typed_and_named(deliveries):
    deliveries.write("customers.csv", "id;nombre;nacim;sexo;clave\n1;Ana Gil;31/01/1980;M;x\n2;;;H;\n")
    intake = deliveries.take_in(
        {
            "erp": {
                "owner": "IT",
                "customers": {
                    "path": "customers.csv",
                    "fields": {
                        "source_record_id": "id",
                        "full_name": "nombre",
                        "birth_date": "nacim",
                        "gender": "sexo",
                    },
                    "values": {"gender": {"H": "male", "M": "female"}},
                    "tags": ["customer"],
                    "keep": ["clave"],
                },
            }
        }
    )
    columns = "source, source_record_id, full_name, birth_date, gender, tags, extra, updated_at"
    end = at("2026-11-01T23:59:59")
    assert [tuple(row.values()) for row in deliveries.rows("source_records", columns)] == [
        ("erp", "1", "Ana Gil", date(1980, 1, 31), "female", ["customer"], '{"clave":"x"}', end),
        ("erp", "2", None, None, "male", ["customer"], '{"clave":null}', end),
    ]
    assert intake.deliveries["read_as"].tolist() == ["utf-8 (found), delimiter ; (found), birth_date %d/%m/%Y (found)"]
    assert deliveries.rows("intake_ledger", "source, entity, load, owner, delivered_at") == [
        {"source": "erp", "entity": "customers", "load": "customers.csv", "owner": "IT", "delivered_at": end}
    ]


def test_headings_nothing_was_made_of_are_told(deliveries):
    deliveries.write("customers.csv", "id,name,points,notes\n1,Ana,5,x\n")
    intake = deliveries.take_in({"erp": {"customers": CUSTOMERS}})
    assert intake.deliveries["unused_headings"].tolist() == ["points, notes"]


def test_values_that_nobody_mapped_are_told_and_taken_as_empty(deliveries):
    deliveries.write("customers.csv", "id,sex\n1,F\n2,Z\n3,Z\n4,\n5,male\n")
    fields = {"source_record_id": "id", "gender": "sex"}
    intake = deliveries.take_in({"erp": {"customers": {"path": "customers.csv", "fields": fields}}})
    told = [tuple(row) for row in intake.unmapped.to_numpy()]
    assert told == [("erp", "customers", "gender", "Z", 2), ("erp", "customers", "gender", "F", 1)]
    assert deliveries.values("source_records", "gender") == [None, None, None, None, "male"]


def test_tags_of_the_file_and_of_the_params_are_joined(deliveries):
    deliveries.write("customers.csv", 'id,tags\n1,"vip, customer"\n2,\n')
    given = {"path": "customers.csv", "fields": {"source_record_id": "id", "tags": "tags"}, "tags": ["customer", "erp"]}
    deliveries.take_in({"erp": {"customers": given}})
    assert deliveries.values("source_records", "tags") == [["customer", "erp", "vip"], ["customer", "erp"]]


def test_times_are_those_of_the_source_and_days_those_of_the_run(deliveries):
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-07-02 00:30:00,5,\n")
    sources = {"pos": {"timezone": "Europe/Madrid", "tickets": TICKETS}}
    deliveries.take_in(sources, timezone="Atlantic/Canary")
    assert deliveries.rows("tickets", "bought_at, bought_on") == [
        {"bought_at": at("2026-07-01T22:30"), "bought_on": date(2026, 7, 1)}
    ]


def test_a_consent_stated_with_a_record_stood_where_the_record_did(deliveries):
    fields = {"source_record_id": "id", "consent.email.marketing": "yes"}
    deliveries.write("customers.csv", "id,yes\n1,\n2,true\n")
    deliveries.take_in({"erp": {"customers": {"path": "customers.csv", "fields": fields}}})
    assert deliveries.rows("consent_events", "source_record_id, delivery, delivery_row") == [
        {"source_record_id": "2", "delivery": "customers.csv", "delivery_row": 2}
    ]


def test_the_same_file_by_two_paths_is_one_delivery(deliveries):
    deliveries.write("customers.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in({"erp": {"customers": [CUSTOMERS, CUSTOMERS]}})
    assert deliveries.values("source_records", "full_name") == ["Ana", "Eva"]
    assert [row["rows_accepted"] for row in deliveries.rows("intake_ledger")] == [2]


def test_a_day_without_rows_is_a_delivery_too(deliveries):
    deliveries.write("c_20261001.csv", "id,name\n1,Ana\n")
    deliveries.write("c_20261002.csv", "id,name\n")
    deliveries.take_in({"erp": {"customers": {**CUSTOMERS, "path": "c_*.csv"}}})
    assert deliveries.ledger() == [(1, 1, 0, 0), (0, 0, 0, 0)]
    assert deliveries.values("intake_ledger", "load") == ["c_20261001.csv", "c_20261002.csv"]


def test_files_of_one_name_in_two_folders_are_told_apart(deliveries):
    deliveries.write("north/t.csv", "t,at,amount,card\n1,2026-01-01,5,\n2,never,5,\n")
    deliveries.write("south/t.csv", "t,at,amount,card\n3,2026-01-01,5,\n4,never,5,\n")
    deliveries.take_in({"pos": {"tickets": {**TICKETS, "path": "*/t.csv"}}})
    assert deliveries.values("intake_ledger", "load") == ["north/t.csv", "south/t.csv"]
    assert [(row["delivery"], row["row"]) for row in deliveries.rows("rejected_rows")] == [
        ("north/t.csv", 2),
        ("south/t.csv", 2),
    ]


def test_parquet_keeps_its_types(deliveries):
    table = pa.table(
        {
            "N": [1001, 1002],
            "FECHA": pa.array([datetime(2026, 7, 1, 10), datetime(2026, 7, 2, 10)], pa.timestamp("ms")),
            "TOTAL": [12.345, float("nan")],
            "TARJETA": [38007.0, None],
        }
    )
    pq.write_table(table, deliveries.folder / "tickets.parquet")
    fields = {"ticket_id": "N", "bought_at": "FECHA", "amount": "TOTAL", "loyalty_card": "TARJETA"}
    intake = deliveries.take_in(
        {"pos": {"tickets": {"path": "tickets.parquet", "fields": fields}}}, timezone="Europe/Madrid"
    )
    assert deliveries.rows("tickets", "ticket_id, bought_at, amount, loyalty_card") == [
        {"ticket_id": "1001", "bought_at": at("2026-07-01T08:00"), "amount": Decimal("12.35"), "loyalty_card": "38007"},
        {"ticket_id": "1002", "bought_at": at("2026-07-02T08:00"), "amount": None, "loyalty_card": None},
    ]
    assert intake.deliveries["read_as"].tolist() == ["Parquet"]


def test_a_file_inside_a_package_is_taken_in(deliveries):
    given = {
        "path": "package:lifetimes/datasets/CDNOW_sample.txt",
        "dialect": {"delimiter": "whitespace", "header": ["master", "id", "day", "units", "amount"], "date": "%Y%m%d"},
        "fields": {"source_record_id": "id", "bought_at": "day", "items": "units", "amount": "amount"},
    }
    deliveries.take_in({"cdnow": {"tickets": given}}, as_of="1998-06-30")
    # Fader & Hardie, "Notes on the CDNOW Master Data Set" (2001): a 1/10 sample of 2,357 customers, 6,919 transactions
    found = deliveries.engine.row(
        f"SELECT count(*) AS tickets, count(DISTINCT source_record_id) AS buyers, min(bought_on) AS first, "
        f"max(bought_on) AS last FROM {deliveries.base['tickets']}"
    )
    assert found == {"tickets": 6919, "buyers": 2357, "first": date(1997, 1, 1), "last": date(1998, 6, 30)}


def test_rows_without_a_tickets_id_are_each_a_ticket(deliveries):
    deliveries.write("log.csv", "id,day,amount\n1,2026-01-01,5\n1,2026-01-01,5\n2,2026-01-02,\n")
    fields = {"source_record_id": "id", "bought_at": "day", "amount": "amount"}
    sources = {"log": {"tickets": {"path": "log.csv", "fields": fields}}}
    deliveries.take_in(sources)
    rows = deliveries.rows("tickets", "ticket_id, record_source, source_record_id, amount")
    assert [(row["record_source"], row["source_record_id"], row["amount"]) for row in rows] == [
        ("log", "1", Decimal("5.00")), ("log", "1", Decimal("5.00")), ("log", "2", None),
    ]  # fmt: skip
    prefixes = {row["ticket_id"].rpartition("-")[0] for row in rows}
    assert len(prefixes) == 1
    assert len(prefixes.pop()) == 12
    assert [row["ticket_id"].rpartition("-")[2] for row in rows] == ["1", "2", "3"]
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(3, 0, 0, 3)]


def test_rows_of_other_kinds_are_left_to_other_entities(deliveries):
    deliveries.write(
        "log.csv", "t,at,kind\n1,2026-01-01,sale\n2,2026-01-02,opening\n3,2026-01-03,return\n4,2026-01-04,\n"
    )
    fields = {"ticket_id": "t", "bought_at": "at"}
    kinds = {"kind": ["sale", "return"]}
    deliveries.take_in({"pos": {"tickets": {"path": "log.csv", "rows_with": kinds, "fields": fields}}})
    assert deliveries.values("tickets", "ticket_id") == ["1", "3"]
    assert deliveries.ledger() == [(2, 2, 0, 0)]
