"""What is rejected, by which rule, and what is told of it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from crmlib.errors import InputError

CUSTOMERS = {"path": "customers.csv", "fields": {"source_record_id": "id", "full_name": "name"}}
TICKETS = {
    "path": "tickets.csv",
    "fields": {"ticket_id": "t", "bought_at": "at", "amount": "amount", "loyalty_card": "card"},
}


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


def test_what_was_rejected_of_a_file_that_is_known_is_told_once(deliveries):
    deliveries.write("customers_20261001.csv", "id,name\n1,Ana\n,Eva\n")
    deliveries.write("customers_20261002.csv", "id,name\n2,Luz\n")
    sources = {"erp": {"customers": CUSTOMERS | {"path": "customers_*.csv"}}}
    for as_of in ("2026-10-02", "2026-10-02", "2026-10-09"):
        deliveries.take_in(sources, as_of=as_of)
        told = deliveries.rows("rejected_rows")
        assert [(row["delivery"], row["row"]) for row in told] == [("customers_20261001.csv", 2)]


def test_a_rejected_row_that_is_mended_leaves_the_quarantine(deliveries):
    sources = {"pos": {"tickets": TICKETS}}
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n2,never,5,\n")
    deliveries.take_in(sources)
    assert deliveries.values("rejected_rows", "row") == [2]
    deliveries.write("tickets.csv", "t,at,amount,card\n1,2026-10-31,5,\n2,2026-10-30,5,\n")
    deliveries.take_in(sources)
    assert deliveries.rows("rejected_rows") == []
    assert deliveries.values("tickets", "ticket_id") == ["1", "2"]


def test_rows_that_repeat_another_of_their_file_are_told_run_after_run(deliveries):
    deliveries.write("customers_20261001.csv", "id,name\n1,Ana\n2,Luz\n1,Ana\n")
    deliveries.write("customers_20261002.csv", "id,name\n1,Ana\n3,Sol\n")
    sources = {"erp": {"customers": {**CUSTOMERS, "path": "customers*.csv"}}}
    repeated = [{"source": "erp", "entity": "customers", "delivery": "customers_20261001.csv", "row": 3}]
    for _ in range(2):
        deliveries.take_in(sources)
        assert deliveries.rows("repeated_rows") == repeated


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
