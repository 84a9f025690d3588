"""What was delivered becomes the successor of what the last run left; nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.errors import InputError
from crmlib.params import ENTITIES, known_fields
from crmlib.tables import CONTRACTS

CUSTOMERS = {"path": "customers.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
DATED = {"path": "customers*.csv", "fields": {"source_record_id": "id", "full_name": "name", "updated_at": "changed"}}
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


# Deliveries, one after the other


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


def test_what_was_rejected_of_a_file_that_is_known_is_told_once(deliveries):
    deliveries.write("customers_20261001.csv", "id,name\n1,Ana\n,Eva\n")
    deliveries.write("customers_20261002.csv", "id,name\n2,Luz\n")
    sources = {"erp": {"customers": CUSTOMERS | {"path": "customers_*.csv"}}}
    for as_of in ("2026-10-02", "2026-10-02", "2026-10-09"):
        deliveries.take_in(sources, as_of=as_of)
        told = deliveries.rows("rejected_rows")
        assert [(row["delivery"], row["row"]) for row in told] == [("customers_20261001.csv", 2)]


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


def test_a_rejected_row_that_is_mended_leaves_the_quarantine(deliveries):
    sources = {"pos": {"tickets": TICKETS}}
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n2,never,5,\n")
    deliveries.take_in(sources)
    assert deliveries.values("rejected_rows", "row") == [2]
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n2,2026-10-30,5,\n")
    deliveries.take_in(sources)
    assert deliveries.rows("rejected_rows") == []
    assert deliveries.values("tickets", "ticket_id") == ["1", "2"]


# What is rejected


def test_rows_are_rejected_with_field_and_rule(deliveries):
    deliveries.write(
        "tickets.csv",
        "t,at,amount,card\n1,2026-01-01,5,\n2,31/02/2026,5,\n3,2026-01-01,five,\n4,2026-01-01,99999999,\n"
        ",2026-01-01,5,\n6,,5,\n7,2026-01-01\n8,2026-01-01,-5,\n",
    )
    deliveries.take_in({"pos": {"tickets": TICKETS}})
    assert deliveries.rejected() == [
        (2, "bought_at", "not_a_date"),
        (3, "amount", "not_a_number"),
        (4, "amount", "impossible_amount"),
        (5, "ticket_id", "missing"),
        (6, "bought_at", "missing"),
        (7, "row", "wrong_cells"),
    ]
    assert deliveries.values("tickets", "ticket_id") == ["1", "8"]
    assert all(row["reason"].endswith(".") for row in deliveries.rows("rejected_rows"))


def test_rejected_rows_are_kept_as_they_were_delivered(deliveries):
    deliveries.write(
        "tickets.csv",
        't,at,amount,card\n1,2026-01-01,5,\n2,never," x ""y""",7\n3,3\n4,2026-01-01,5,\n4,2026-01-01,6,\n',
    )
    intake = deliveries.take_in({"pos": {"tickets": TICKETS}})
    kept = deliveries.engine.rows(f"SELECT row, delivered FROM {intake.quarantine} ORDER BY row")
    assert json.loads(kept[0]["delivered"]) == {"t": "2", "at": "never", "amount": ' x "y"', "card": "7"}
    assert (kept[1]["row"], kept[1]["delivered"]) == (3, "3,3")
    assert [json.loads(row["delivered"])["amount"] for row in kept[2:]] == ["5", "6"]
    # what leaves the private folder holds none of it
    assert not {"delivered"} & deliveries.engine.columns(deliveries.base["rejected_rows"]).keys()


def test_rows_of_one_key_that_differ_are_all_rejected(deliveries):
    deliveries.write("customers1.csv", "id,name\n1,Ana\n1,Eva\n2,Luz\n2,Luz\n3,Sol\n")
    deliveries.write("customers2.csv", "id,name\n3,Mar\n4,Paz\n")
    deliveries.take_in({"erp": {"customers": {**CUSTOMERS, "path": "customers*.csv"}}})
    assert deliveries.values("source_records", "source_record_id") == ["2", "4"]
    assert deliveries.ledger() == [(5, 1, 3, 1), (2, 1, 1, 0)]
    assert {rule for _, _, rule in deliveries.rejected()} == {"conflicting_key"}
    assert {field for _, field, _ in deliveries.rejected()} == {"source_record_id"}


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


def test_a_consent_stated_with_a_record_stood_where_the_record_did(deliveries):
    fields = {"source_record_id": "id", "consent.email.marketing": "yes"}
    deliveries.write("customers.csv", "id,yes\n1,\n2,true\n")
    deliveries.take_in({"erp": {"customers": {"path": "customers.csv", "fields": fields}}})
    assert deliveries.rows("consent_events", "source_record_id, delivery, delivery_row") == [
        {"source_record_id": "2", "delivery": "customers.csv", "delivery_row": 2}
    ]


def test_rows_that_repeat_another_of_their_file_are_told_run_after_run(deliveries):
    deliveries.write("customers_20261001.csv", "id,name\n1,Ana\n2,Luz\n1,Ana\n")
    deliveries.write("customers_20261002.csv", "id,name\n1,Ana\n3,Sol\n")
    sources = {"erp": {"customers": {**CUSTOMERS, "path": "customers*.csv"}}}
    repeated = [{"source": "erp", "entity": "customers", "delivery": "customers_20261001.csv", "row": 3}]
    for _ in range(2):
        deliveries.take_in(sources)
        assert deliveries.rows("repeated_rows") == repeated


def test_a_conflict_leaves_the_version_that_is_known(deliveries):
    sources = {"erp": {"customers": CUSTOMERS}}
    deliveries.write("customers.csv", "id,name\n1,Ana\n9,Old\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    deliveries.write("customers.csv", "id,name\n1,Eva\n1,Luz\n2,Sol\n")
    deliveries.take_in(sources)
    assert deliveries.values("source_records", "full_name") == ["Ana", "Sol", "Old"]


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


def test_what_two_sources_say_alike_is_no_conflict(deliveries):
    deliveries.write("a.csv", "id,name\n1,Milk\n2,Bread\n")
    deliveries.write("b.csv", "id,name\n1,Milk\n2,Loaf\n3,Oil\n")
    fields = {"product_id": "id", "name": "name"}
    sources = {name: {"products": {"path": f"{name}.csv", "fields": fields}} for name in ("a", "b")}
    deliveries.take_in(sources)
    assert [(row["product_id"], row["source"]) for row in deliveries.rows("products")] == [("1", "a"), ("3", "b")]
    assert deliveries.ledger() == [(2, 1, 1, 0), (3, 1, 1, 1)]


def test_one_useless_file_of_many_is_quarantined(deliveries):
    deliveries.write("tickets1.csv", "t,at,amount,card\n1,2026-01-01,5,\n")
    deliveries.write("tickets2.csv", "t,at,amount,card\n2,never,5,\n")
    deliveries.take_in({"pos": {"tickets": {**TICKETS, "path": "tickets*.csv"}}})
    assert deliveries.ledger() == [(1, 1, 0, 0), (1, 0, 1, 0)]


@pytest.mark.parametrize(
    ("content", "change", "sentence"),
    [
        ("", {}, "sources.pos.tickets: the file tickets.csv is empty"),
        ("t,at,amount,card\n", {}, "holds a heading but no rows"),
        ("t;at;amount;card\n1;2026-01-01;5;\n", {"dialect": {"delimiter": ","}}, "is the delimiter right"),
        ("t,when,amount,card\n1,2026-01-01,5,\n", {}, "has no column 'at'"),
        (b"t,at,amount,card\n1,2026-01-01,5,\xff\n", {"dialect": {"encoding": "utf-8"}}, "not in utf-8"),
        (None, {"path": "nothing.csv"}, "there is no file"),
        (None, {"path": "nothing*.csv"}, "no file matches"),
        ("t,at,amount,card\n1,2026-01-01,5,\n", {"dialect": {"date": "%d/%m/%Y"}},
         "none of the 1 rows of tickets.csv can be used; mostly because of 'bought_at': This is not a date"),
        ("t,at,amount,card\n1,never,5,\n2,never,5,\n3,2026-01-01\n", {}, "none of the 3 rows .* 'bought_at'"),
        ("t,at,amount,card\n1,2026-01-01,5,\n", {"format": "parquet"}, "is not Parquet"),
        ("t,at,amount,card\n1,2026-01-01,5,\n", {"preset": "shopify"}, "no preset 'shopify'; there are: .*shopify_"),
        ("t,at,amount,card\n1,2026-01-01,5,\n", {"preset": "shopify_customers"}, "is one of customers, not of tickets"),
        ("t,at,amount,card\n1,2026-01-01,5,\n", {"dialect": {"date": "dd/mm/yyyy"}}, "this is no format of dates"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_sentence(deliveries, content, change, sentence):
    if content is not None:
        deliveries.write("tickets.csv", content)
    with pytest.raises(InputError, match=sentence) as caught:
        deliveries.take_in({"pos": {"tickets": {**TICKETS, **change}}})
    assert str(caught.value).startswith("sources.pos.tickets")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_of_several_entries_the_wrong_one_is_named(deliveries):
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-01-01,5,\n")
    with pytest.raises(InputError, match=r"^sources.pos.tickets\[2\]: there is no file"):
        deliveries.take_in({"pos": {"tickets": [TICKETS, {**TICKETS, "path": "none.csv"}]}})


def test_an_error_quotes_no_value(deliveries):
    secret = "ana.perez@shop.example"
    deliveries.write("tickets.csv", f"t,at,amount,card\n1,{secret},{secret},{secret}\n")
    with pytest.raises(InputError) as caught:
        deliveries.take_in({"pos": {"tickets": TICKETS}})
    assert "ana" not in str(caught.value)


def test_a_wrong_value_may_cost_its_field_in_place_of_its_row(deliveries):
    deliveries.write("customers.csv", "id,name,born\n1,Ana,1980-01-31\n2,Eva,31/31/80\n3,Luz,\n")
    fields = {"source_record_id": "id", "full_name": "name", "birth_date": {"from": "born", "if_wrong": "empty"}}
    intake = deliveries.take_in({"erp": {"customers": {"path": "customers.csv", "fields": fields}}})
    assert deliveries.ledger() == [(3, 3, 0, 0)]
    assert deliveries.values("source_records", "birth_date") == [date(1980, 1, 31), None, None]
    (told,) = intake.unmapped.to_dict("records")
    assert (told["field"], told["value"], told["rows"]) == ("birth_date", "(cannot be read)", 1)


# Files that hold types


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


# The ledger balances whatever comes

CELL = st.sampled_from(["1", "2", "3", "", "x", "2026-01-01", "2026-02-30", '"', "5,5", "é"])
FILES = st.lists(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6), min_size=1, max_size=2)


def _text_of(rows: list[list[str]]) -> str:
    quoted = [";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\n".join(["id;at;amount", *quoted, ""])


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, FILES)
def test_the_ledger_balances(tmp_path_factory, first, second):
    from tests.sources.conftest import Deliveries

    deliveries = Deliveries(tmp_path_factory.mktemp("ledger"))
    fields = {"ticket_id": "id", "bought_at": "at", "amount": "amount"}
    sources = {"pos": {"tickets": {"path": "t*.csv", "fields": fields, "dialect": {"delimiter": ";", "decimal": ","}}}}
    # one good row, so that an intake is never useless
    deliveries.write("t0.csv", _text_of([["good", "2026-01-01", "1"]]))
    stored: set[tuple] = set()
    for number, files in enumerate((first, second, second), start=1):
        for index, rows in enumerate(files, start=1):
            deliveries.write(f"t{index}.csv", _text_of(rows))
        deliveries.take_in(sources, as_of=f"2026-11-0{number}")
        ledger = {row["load"]: row for row in deliveries.rows("intake_ledger")}
        told = {row["load"]: row for row in deliveries.intake.deliveries.to_dict("records")}
        for path in sorted(deliveries.folder.glob("t*.csv")):
            facts = told[path.name]
            assert facts["rows_read"] == len(path.read_text().splitlines()) - 1
            assert facts["rows_read"] == facts["rows_accepted"] + facts["rows_rejected"] + facts["rows_unchanged"]
            assert path.name in ledger
        quarantined = deliveries.engine.row("SELECT count(*) AS n FROM quarantine")["n"]
        assert quarantined == sum(facts["rows_rejected"] for facts in told.values())
        now = {tuple(row.values()) for row in deliveries.rows("tickets", "ticket_id, bought_at, amount, updated_at")}
        accepted = sum(facts["rows_accepted"] for facts in told.values())
        assert len(now - stored) == accepted
        if number == 3:
            assert accepted == 0
            assert now == stored
        stored = now
    deliveries.engine.close()


WORDS = st.sampled_from(
    [
        "1",
        "2",
        "",
        "x",
        "2026-01-01",
        "2026-02-30",
        "5.5",
        "email",
        "marketing",
        "granted",
        "view",
        "robinson",
        "yes",
        "é",
    ]
)


@pytest.mark.full
@pytest.mark.parametrize("entity", ENTITIES)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_ledger_balances_for_every_entity(entity, tmp_path_factory, data):
    """Every row is accepted, unchanged or rejected; delivered once more none is accepted, and the same are rejected."""
    from tests.sources.conftest import Deliveries

    columns = [column for column in CONTRACTS[ENTITIES[entity]].columns if column.name in known_fields(entity)]
    names = [column.name for column in columns if column.name != "updated_at"]
    good = {"money": "1.5", "float": "1.5", "int": "1", "bool": "yes", "date": "2026-01-01", "time": "2026-01-01"}
    sound = [(column.values or (good.get(column.kind, "good"),))[0] for column in columns if column.name in names]
    rows = data.draw(st.lists(st.lists(WORDS, min_size=len(names) - 1, max_size=len(names) + 1), max_size=6))
    deliveries = Deliveries(tmp_path_factory.mktemp("ledger"))
    text = [";".join(names), *(";".join(row) for row in [sound, *rows]), ""]
    deliveries.write("d.csv", "\n".join(text))
    dialect = {"delimiter": ";", "decimal": ".", "date": "%Y-%m-%d"}
    sources = {"erp": {entity: {"path": "d.csv", "dialect": dialect, "fields": {name: name for name in names}}}}
    found = []
    for day in (1, 2):
        deliveries.take_in(sources, as_of=f"2026-11-0{day}")
        ((read, accepted, rejected, unchanged),) = deliveries.ledger()
        assert read == accepted + rejected + unchanged == len(rows) + 1
        assert len({row for row, _, _ in deliveries.rejected()}) == rejected
        found.append((accepted, rejected))
    assert found[0][0] >= 1
    assert found[1] == (0, found[0][1])
    deliveries.engine.close()


def test_a_field_may_be_let_go_empty_in_place_of_its_row(deliveries):
    deliveries.write("customers.csv", "id,born\n1,1971-03-07\n2,1971-13-45\n")
    born = {"from": "born", "if_wrong": "empty"}
    given = {"path": "customers.csv", "fields": {"source_record_id": "id", "birth_date": born}}
    intake = deliveries.take_in({"erp": {"customers": given}})
    assert [value and value.isoformat()[:10] for value in deliveries.values("source_records", "birth_date")] == [
        "1971-03-07",
        None,
    ]
    assert intake.unmapped.to_dict("records") == [
        {"source": "erp", "entity": "customers", "field": "birth_date", "value": "(cannot be read)", "rows": 1}
    ]


def test_rows_of_other_kinds_are_left_to_other_entities(deliveries):
    deliveries.write(
        "log.csv", "t,at,kind\n1,2026-01-01,sale\n2,2026-01-02,opening\n3,2026-01-03,return\n4,2026-01-04,\n"
    )
    fields = {"ticket_id": "t", "bought_at": "at"}
    kinds = {"kind": ["sale", "return"]}
    deliveries.take_in({"pos": {"tickets": {"path": "log.csv", "rows_with": kinds, "fields": fields}}})
    assert deliveries.values("tickets", "ticket_id") == ["1", "3"]
    assert deliveries.ledger() == [(2, 2, 0, 0)]


def test_of_consents_that_contradict_each_other_at_one_instant_the_refusal_stands(deliveries):
    rows = ["1,granted", "1,withdrawn", "2,withdrawn", "2,granted", "3,withdrawn", "3,withdrawn"]
    lines = [f"{row},email,marketing,2026-01-01T10:00:00" for row in rows]
    deliveries.write("consents.csv", "\n".join(["id,d,channel,purpose,at", *lines]) + "\n")
    fields = {"source_record_id": "id", "decision": "d", "channel": "channel", "purpose": "purpose"}
    deliveries.take_in({"log": {"consents": {"path": "consents.csv", "fields": fields | {"happened_at": "at"}}}})
    assert deliveries.values("consent_events", "decision") == ["withdrawn"] * 3
    assert [rule for _, _, rule in deliveries.rejected()] == ["conflicting_key"] * 2


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("1,granted,email,marketing,", "happened_at"),
        ("1,granted,fax,marketing,2026-01-01T10:00:00", "channel"),
        ("1,granted,email,fun,2026-01-01T10:00:00", "purpose"),
        ("1,perhaps,email,marketing,2026-01-01T10:00:00", "decision"),
        (",granted,email,marketing,2026-01-01T10:00:00", "source_record_id"),
    ],
)
def test_a_consent_that_says_too_little_is_rejected_by_its_field(deliveries, row, field):
    sound = "9,granted,email,marketing,2026-01-01T10:00:00"
    deliveries.write("consents.csv", f"id,d,channel,purpose,at\n{sound}\n{row}\n")
    fields = {"source_record_id": "id", "decision": "d", "channel": "channel", "purpose": "purpose"}
    deliveries.take_in({"log": {"consents": {"path": "consents.csv", "fields": fields | {"happened_at": "at"}}}})
    assert deliveries.values("consent_events", "source_record_id") == ["9"]
    assert [(number, name) for number, name, _ in deliveries.rejected()] == [(2, field)]
