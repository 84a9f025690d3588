"""The record behind a loyalty card, or an e-mail address."""

from __future__ import annotations

import pytest

HOLDERS = {
    "path": "holders.csv",
    "fields": {"source_record_id": "id", "loyalty_card": "card", "updated_at": "changed", "created_at": "made"},
}
TICKETS = {"path": "tickets.csv", "fields": {"ticket_id": "t", "bought_at": "at", "loyalty_card": "card"}}


@pytest.fixture
def shop(deliveries):
    def shop(holders: str | None, tickets: str, as_of: str = "2026-11-01") -> list[tuple]:
        sources = {"pos": {"tickets": TICKETS}}
        if holders is not None:
            deliveries.write("holders.csv", "id,card,changed,made\n" + holders)
            sources = {"loyalty": {"customers": HOLDERS}, **sources}
        deliveries.write("tickets.csv", "t,at,card\n" + tickets)
        deliveries.take_in(sources, as_of=as_of)
        rows = deliveries.rows("tickets", "ticket_id, record_source, source_record_id, loyalty_card")
        return [tuple(row.values()) for row in rows]

    return shop


def test_a_card_is_its_holder(shop):
    assert shop("7,C1,2026-01-01,\n8,C2,2026-01-01,\n", "1,2026-02-01,C2\n2,2026-02-01,C1\n") == [
        ("1", "loyalty", "8", "C2"),
        ("2", "loyalty", "7", "C1"),
    ]


def test_a_card_that_nobody_holds_is_itself_a_record(shop):
    assert shop("7,C1,2026-01-01,\n", "1,2026-02-01,C9\n") == [("1", "card", "C9", "C9")]
    assert shop(None, "1,2026-02-01,C9\n") == [("1", "card", "C9", "C9")]


def test_a_ticket_without_a_card_is_anonymous(shop):
    assert shop("7,C1,2026-01-01,\n8,,2026-01-01,\n", "1,2026-02-01,\n") == [("1", None, None, None)]


def test_a_card_of_several_belongs_to_the_record_updated_last(shop, deliveries):
    holders = "7,C1,2026-01-01,\n8,C1,2026-03-01,\n6,C1,2026-02-01,\n5,C2,2026-01-01,\n"
    assert shop(holders, "1,2026-02-01,C1\n") == [("1", "loyalty", "8", "C1")]
    assert deliveries.intake.shared_cards == 1


def test_what_a_record_held_before_is_not_its_card(shop):
    holders = "7,C1,2026-01-01,\n7,C2,2026-03-01,\n"
    assert shop(holders, "1,2026-02-01,C1\n2,2026-02-01,C2\n") == [
        ("1", "card", "C1", "C1"),
        ("2", "loyalty", "7", "C2"),
    ]


@pytest.mark.parametrize("later", ["8,C1,2026-12-01,\n", "8,C1,2026-03-01,2026-12-01\n"])
def test_a_holder_of_later_holds_nothing_yet(shop, later):
    assert shop("7,C1,2026-01-01,\n" + later, "1,2026-02-01,C1\n") == [("1", "loyalty", "7", "C1")]


def test_a_later_run_looks_again(shop):
    assert shop("7,C1,2026-01-01,\n", "1,2026-02-01,C9\n2,2026-02-01,C1\n", as_of="2026-10-01") == [
        ("1", "card", "C9", "C9"),
        ("2", "loyalty", "7", "C1"),
    ]
    # the card's holder is known now, and the other card has gone to somebody else; the tickets are the same
    assert shop("7,C9,2026-10-15,\n8,C1,2026-10-15,\n", "1,2026-02-01,C9\n2,2026-02-01,C1\n") == [
        ("1", "loyalty", "7", "C9"),
        ("2", "loyalty", "8", "C1"),
    ]


def test_tickets_that_are_only_carried_are_looked_at_again(shop, deliveries):
    shop(None, "1,2026-02-01,C9\n", as_of="2026-10-01")
    deliveries.write("holders.csv", "id,card,changed,made\n7,C9,2026-10-15,\n")
    deliveries.take_in({"loyalty": {"customers": HOLDERS}})
    assert deliveries.values("tickets", "source_record_id") == ["7"]
    deliveries.take_in({"pos": {"tickets": TICKETS}})
    assert deliveries.ledger() == [(1, 0, 0, 1)]
    assert deliveries.values("tickets", "source_record_id") == ["7"]


def test_a_buyer_named_by_a_record_is_that_record(deliveries):
    deliveries.write("t.csv", "t,at,who\n1,2026-01-01,A\n2,2026-01-01,\n")
    fields = {"ticket_id": "t", "bought_at": "at", "source_record_id": "who"}
    deliveries.take_in({"pos": {"tickets": {"path": "t.csv", "fields": fields}}})
    assert deliveries.rows("tickets", "record_source, source_record_id") == [
        {"record_source": "pos", "source_record_id": "A"},
        {"record_source": None, "source_record_id": None},
    ]
    other = {"path": "t.csv", "fields": fields, "record_source": "erp"}
    erp = {"customers": {"path": "t.csv", "fields": {"source_record_id": "t"}}}
    deliveries.base.clear()
    deliveries.take_in({"erp": erp, "pos": {"tickets": other}})
    assert deliveries.values("tickets", "record_source") == ["erp", None]


def test_a_buyer_that_is_corrected_is_a_change(deliveries):
    fields = {"ticket_id": "t", "bought_at": "at", "source_record_id": "who"}
    sources = {"pos": {"tickets": {"path": "t.csv", "fields": fields}}}
    deliveries.write("t.csv", "t,at,who\n1,2026-01-01,A\n")
    deliveries.take_in(sources)
    deliveries.write("t.csv", "t,at,who\n1,2026-01-01,B\n")
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(1, 1, 0, 0)]
    assert deliveries.values("tickets", "source_record_id") == ["B"]


@pytest.fixture
def mailed(deliveries):
    def mailed(records: str, tickets: str, as_of: str = "2026-11-01") -> list[tuple]:
        deliveries.write("records.csv", "id,mail,changed\n" + records)
        deliveries.write("others.csv", "id,mail,changed\n99,only@erp.example,2026-01-01\n")
        deliveries.write("orders.csv", "t,at,mail\n" + tickets)
        fields = {"source_record_id": "id", "email": "mail", "updated_at": "changed"}
        sources = {
            "shop": {
                "customers": {"path": "records.csv", "fields": fields},
                "tickets": {
                    "path": "orders.csv",
                    "fields": {"ticket_id": "t", "bought_at": "at", "buyer_email": "mail"},
                },
            },
            "erp": {"customers": {"path": "others.csv", "fields": fields}},
        }
        deliveries.take_in(sources, as_of=as_of)
        rows = deliveries.rows("tickets", "ticket_id, record_source, source_record_id")
        return [tuple(row.values()) for row in rows]

    return mailed


def test_an_address_is_the_record_of_the_same_source_that_has_it(mailed):
    records = "7,Ana@a.example,2026-01-01\n8,b@a.example,2026-01-01\n"
    orders = "1,2026-02-01,ana@A.example\n2,2026-02-01,only@erp.example\n3,2026-02-01,\n"
    assert mailed(records, orders) == [("1", "shop", "7"), ("2", None, None), ("3", None, None)]


def test_an_address_of_several_is_the_record_updated_last_as_known_then(mailed):
    records = "7,a@a.example,2026-01-01\n8,a@a.example,2026-05-01\n"
    assert mailed(records, "1,2026-02-01,a@a.example\n") == [("1", "shop", "8")]


def test_a_later_run_finds_the_record_that_came_late(mailed):
    assert mailed("7,z@a.example,2026-01-01\n", "1,2026-02-01,a@a.example\n") == [("1", None, None)]
    records = "7,z@a.example,2026-01-01\n8,a@a.example,2026-03-01\n"
    assert mailed(records, "1,2026-02-01,a@a.example\n") == [("1", "shop", "8")]
