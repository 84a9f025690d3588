"""Tickets of their lines, consents of the records that state them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

LINES = {
    "path": "lines*.csv",
    "fields": {
        "ticket_id": "t",
        "line": "line",
        "bought_at": "at",
        "source_record_id": "who",
        "product_id": "p",
        "quantity": "q",
        "amount": "amount",
    },
}
HEADING = "t,line,at,who,p,q,amount\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tickets(deliveries) -> list[tuple]:
    rows = deliveries.rows("tickets", "ticket_id, updated_at, source_record_id, bought_at, amount, items")
    return [(r["ticket_id"], r["source_record_id"], r["bought_at"], r["amount"], r["items"]) for r in rows]


def test_where_only_lines_are_delivered_tickets_are_their_sums(deliveries):
    deliveries.write(
        "lines.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n1,2,2026-01-01,A,y,1,2.5\n2,1,2026-01-02,,x,1,-3\n"
    )
    deliveries.take_in({"pos": {"ticket_lines": LINES}})
    assert tickets(deliveries) == [
        ("1", "A", at("2026-01-01"), Decimal("7.50"), 3.0),
        ("2", None, at("2026-01-02"), Decimal("-3.00"), 1.0),
    ]
    assert deliveries.values("tickets", "record_source") == ["pos", None]
    assert deliveries.ledger() == [(3, 3, 0, 0)]


def test_lines_beside_tickets_make_none(deliveries):
    deliveries.write("lines.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n")
    deliveries.write("tickets.csv", "t,at,amount\n1,2026-01-01,4.99\n")
    fields = {"ticket_id": "t", "bought_at": "at", "amount": "amount"}
    deliveries.take_in({"pos": {"ticket_lines": LINES, "tickets": {"path": "tickets.csv", "fields": fields}}})
    assert deliveries.values("tickets", "amount") == [Decimal("4.99")]


def test_a_line_that_comes_twice_or_is_rejected_does_not_count(deliveries):
    deliveries.write(
        "lines1.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n1,1,2026-01-01,A,x,2,5\n1,2,2026-01-01,A,y,1,never\n"
    )
    deliveries.write("lines2.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n2,1,2026-01-02,B,x,1,1\n2,1,2026-01-02,B,x,1,9\n")
    deliveries.take_in({"pos": {"ticket_lines": LINES}})
    assert tickets(deliveries) == [("1", "A", at("2026-01-01"), Decimal("5.00"), 2.0)]


def test_a_line_that_comes_later_is_added_to_its_ticket(deliveries):
    sources = {"pos": {"ticket_lines": LINES}}
    deliveries.write("lines.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n2,1,2026-01-01,B,x,1,1\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    deliveries.write("lines.csv", HEADING + "1,2,2026-01-01,A,y,1,2\n")
    deliveries.take_in(sources)
    assert [(row[0], row[3], row[4]) for row in tickets(deliveries)] == [
        ("1", Decimal("5.00"), 2.0),
        ("1", Decimal("7.00"), 3.0),
        ("2", Decimal("1.00"), 1.0),
    ]
    assert deliveries.ledger() == [(1, 1, 0, 0)]


def test_a_corrected_line_changes_its_ticket(deliveries):
    sources = {"pos": {"ticket_lines": LINES}}
    deliveries.write("lines.csv", HEADING + "1,1,2026-01-01,A,x,2,5\n1,2,2026-01-01,A,y,1,2\n")
    deliveries.take_in(sources)
    deliveries.write("lines.csv", HEADING + "1,1,2026-01-01,A,x,2,6\n1,2,2026-01-01,A,y,1,2\n")
    deliveries.take_in(sources)
    assert [row[3] for row in tickets(deliveries)] == [Decimal("8.00")]


def test_the_same_lines_twice_change_nothing(deliveries):
    sources = {"pos": {"ticket_lines": LINES}}
    deliveries.write("lines.csv", HEADING + "1,1,2026-01-01,A,x,0.1,5\n1,2,2026-01-01,A,y,0.2,2\n")
    deliveries.take_in(sources, as_of="2026-10-01")
    before = deliveries.rows("tickets"), deliveries.rows("ticket_lines")
    deliveries.take_in(sources)
    assert (deliveries.rows("tickets"), deliveries.rows("ticket_lines")) == before


def test_lines_without_numbers_are_numbered_in_their_order(deliveries):
    deliveries.write("lines.csv", "t,at,amount\n1,2026-01-01,5\n2,2026-01-01,7\n1,2026-01-01,6\n")
    fields = {"ticket_id": "t", "bought_at": "at", "amount": "amount"}
    deliveries.take_in({"pos": {"ticket_lines": {"path": "lines.csv", "fields": fields}}})
    assert deliveries.rows("ticket_lines", "ticket_id, line, amount") == [
        {"ticket_id": "1", "line": 1, "amount": Decimal("5.00")},
        {"ticket_id": "1", "line": 2, "amount": Decimal("6.00")},
        {"ticket_id": "2", "line": 1, "amount": Decimal("7.00")},
    ]


PROOF = "stated with the record, form f1, from 10.0.0.1"
SHOP = {
    "path": "c.csv",
    "fields": {"source_record_id": "id", "consent.email.marketing": "mail", "consent.sms.marketing": "sms"},
}


@pytest.fixture
def state(deliveries):
    def state(rows: str, as_of: str = "2026-11-01", **more: str) -> list[tuple]:
        heading = ["id", "mail", "sms", *more.values()]
        deliveries.write("c.csv", ",".join(heading) + "\n" + rows)
        deliveries.take_in({"shop": {"customers": {**SHOP, "fields": {**SHOP["fields"], **more}}}}, as_of=as_of)
        rows = deliveries.rows("consent_events", "source_record_id, happened_at, channel, purpose, decision")
        return [(r["source_record_id"], r["channel"], r["decision"], str(r["happened_at"].date())) for r in rows]

    return state


def test_a_record_states_its_consents(state, deliveries):
    assert state("1,yes,no\n2,,yes\n") == [
        ("1", "email", "granted", "2026-11-01"),
        ("1", "sms", "withdrawn", "2026-11-01"),
        ("2", "sms", "granted", "2026-11-01"),
    ]
    assert {row["evidence"] for row in deliveries.rows("consent_events")} == {"stated with the record, without a date"}
    assert {row["record_source"] for row in deliveries.rows("consent_events")} == {"shop"}


def test_a_consent_that_is_stated_again_is_no_new_event(state, deliveries):
    first = state("1,yes,no\n", as_of="2026-09-01")
    assert state("1,yes,no\n", as_of="2026-10-01") == first
    assert deliveries.ledger() == [(1, 0, 0, 1)]


def test_a_withdrawal_is_never_lost_though_the_record_is_the_same(state, deliveries):
    state("1,yes,no\n2,yes,no\n", as_of="2026-09-01")
    records = deliveries.rows("source_records")
    assert state("1,no,no\n2,yes,no\n", as_of="2026-10-01") == [
        ("1", "email", "granted", "2026-09-01"),
        ("1", "sms", "withdrawn", "2026-09-01"),
        ("1", "email", "withdrawn", "2026-10-01"),
        ("2", "email", "granted", "2026-09-01"),
        ("2", "sms", "withdrawn", "2026-09-01"),
    ]
    assert deliveries.ledger() == [(2, 1, 0, 1)]
    assert deliveries.rows("source_records") == records
    assert ("1", "email", "granted", "2026-11-01") in state("1,yes,no\n2,yes,no\n", as_of="2026-11-01")


def test_a_consent_happened_when_the_record_was_updated_or_when_it_says(state):
    dated = {"updated_at": "changed"}
    assert state("1,yes,,2026-03-01\n", **dated) == [("1", "email", "granted", "2026-03-01")]
    assert ("2", "sms", "granted", "2026-02-01") in state("2,,yes,2026-02-01\n", **{"consent.at": "said"})


def test_an_updated_record_with_the_same_consents_adds_none(state):
    dated = {"updated_at": "changed", "full_name": "name"}
    first = state("1,yes,,2026-03-01,Ana\n", **dated)
    assert state("1,yes,,2026-03-01,Ana\n1,yes,,2026-05-01,Ana G\n1,no,,2026-06-01,Ana G\n", **dated) == [
        *first,
        ("1", "email", "withdrawn", "2026-06-01"),
    ]


def test_a_consent_that_tells_its_time_is_kept_once(state, deliveries):
    told = {"consent.at": "said"}
    first = state("1,yes,,2026-03-01\n", as_of="2026-09-01", **told)
    assert deliveries.values("consent_events", "evidence") == ["stated with the record"]
    assert state("1,yes,,2026-03-01\n", as_of="2026-10-01", **told) == first
    assert deliveries.ledger() == [(1, 0, 0, 1)]
    assert state("1,yes,,2026-04-01\n", as_of="2026-11-01", **told) == [*first, ("1", "email", "granted", "2026-04-01")]
    assert deliveries.ledger() == [(1, 1, 0, 0)]


def test_a_consent_has_its_proof(state, deliveries):
    details = {
        "consent.at": "said", "consent.form": "form", "consent.ip": "ip", "consent.double_opt_in": "double",
        "consent.confirmed_at": "confirmed", "consent.legal_basis": "basis",
        "consent.email.marketing.wording_version": "wording", "consent.wording_version": "wordings",
    }  # fmt: skip
    state(
        "1,yes,no,2026-03-01,f1,10.0.0.1,yes,2026-03-02 10:00:00,consent,w1,w2\n2,yes,,2026-03-01,f1,,yes,,,,\n",
        **details,
    )
    columns = "source_record_id, channel, evidence, legal_basis, wording_version"
    assert [tuple(row.values()) for row in deliveries.rows("consent_events", columns)] == [
        ("1", "email", f"{PROOF}, confirmed 2026-03-02 10:00:00 UTC", "consent", "w1"),
        ("1", "sms", f"{PROOF}, confirmed 2026-03-02 10:00:00 UTC", "consent", "w2"),
        ("2", "email", "stated with the record, form f1, not confirmed", None, None),
    ]


def test_a_row_may_tell_of_a_consent_and_of_its_end(state, deliveries):
    more = {"consent.at": "left", "consent.email.marketing.granted_at": "joined", "consent.ip": "ip"}
    assert state("1,no,,2026-05-01,2026-03-01,10.0.0.1\n2,no,,2026-05-01,,\n", **more) == [
        ("1", "email", "granted", "2026-03-01"),
        ("1", "email", "withdrawn", "2026-05-01"),
        ("2", "email", "withdrawn", "2026-05-01"),
    ]
    proofs = deliveries.rows("consent_events", "source_record_id, decision, evidence")
    assert [row["evidence"] for row in proofs] == [
        "stated with the record, from 10.0.0.1",
        *["stated with the record"] * 2,
    ]


def test_a_rejected_record_states_nothing(state):
    assert state("1,yes,no\n2,perhaps,no\n,yes,no\n3,yes,\n3,no,\n") == [
        ("1", "email", "granted", "2026-11-01"),
        ("1", "sms", "withdrawn", "2026-11-01"),
    ]


def test_a_withdrawal_delivered_apart_is_not_undone_by_a_record_that_says_what_it_said(deliveries):
    """The shop's record still says yes, as it did before the person withdrew by another way."""
    shop = {"customers": SHOP, "consents": {
        "path": "events.csv",
        "fields": {"source_record_id": "id", "channel": "ch", "purpose": "pu", "decision": "de", "happened_at": "at"},
    }}  # fmt: skip
    deliveries.write("c.csv", "id,mail,sms\n1,yes,\n")
    deliveries.take_in({"shop": {"customers": SHOP}}, as_of="2026-09-01")
    deliveries.write("events.csv", "id,ch,pu,de,at\n1,email,marketing,withdrawn,2026-09-15\n")
    deliveries.take_in({"shop": shop}, as_of="2026-10-01")
    events = deliveries.rows("consent_events", "happened_at, decision")
    assert [row["decision"] for row in events] == ["granted", "withdrawn"]
