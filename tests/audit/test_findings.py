"""Each check finds its defect, where it stands and what it costs, and blames no source for what it never collects."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crmlib.audit.reading import AuditFile, Check
from crmlib.params import ENTITIES
from crmlib.tables import CONTRACTS
from tests.audit.conftest import NEW, OLD, consent, fill, load, record, ticket

# 43789121 mod 23 = 19, the twentieth check letter: L (Royal Decree 1553/2005)
DEFECTS = [
    ("email", "filled", {"email": "ana@shop.example"}, {"email": None}),
    ("email", "valid", {"email": "ana@shop.example"}, {"email": "ana@@shop"}),
    ("email", "valid", {"email": "ana@shop.example"}, {"email": "test@shop.example"}),
    ("email", "spelt", {"email": "ana@shop.example"}, {"email": "ana@gmial.com"}),
    ("phone", "filled", {"phone": "928123456"}, {"phone": None}),
    ("phone", "valid", {"phone": "928123456"}, {"phone": "12"}),
    ("phone", "valid", {"phone": "+34 628 12 34 56"}, {"phone": "000000000"}),
    ("phone", "valid", {"phone": "928123456"}, {"phone": "528123456"}),
    ("national_id", "valid", {"national_id": "43789121L"}, {"national_id": "43789121A"}),
    ("name", "filled", {"full_name": "Ana Gil"}, {"full_name": None}),
    ("name", "valid", {"full_name": "Ana Gil"}, {"full_name": "NO TIENE"}),
    ("name", "whole", {"given_name": "Ana", "surnames": "Gil"}, {"given_name": "Ana"}),
    ("birth_date", "plausible", {"birth_date": date(1980, 1, 1)}, {"birth_date": date(2030, 1, 1)}),
    ("birth_date", "plausible", {"birth_date": date(1980, 1, 1)}, {"birth_date": date(1900, 1, 1)}),
    ("birth_date", "filled", {"birth_date": date(1980, 1, 1)}, {"birth_date": None}),
    (
        "birth_date",
        "before_registration",
        {"birth_date": date(1980, 1, 1), "created_at": NEW},
        {"birth_date": date(2021, 1, 1), "created_at": OLD},
    ),
    ("postcode", "valid", {"postcode": "35200"}, {"postcode": "99999"}),
    (
        "postcode",
        "fits_province",
        {"postcode": "35200", "province": "Las Palmas"},
        {"postcode": "28001", "province": "Las Palmas"},
    ),
    ("address_line", "real", {"address_line": "Calle Mayor 1"}, {"address_line": "Sin dirección"}),
    ("address_line", "real", {"address_line": "Calle Mayor 1"}, {"address_line": "xxx"}),
    ("address_line", "real", {"address_line": "Calle Mayor 1"}, {"address_line": "---"}),
    ("record", "fresh", {}, {"updated_at": OLD}),
    ("record", "reachable", {"email": "ana@shop.example"}, {"email": "ana@@shop", "phone": "12"}),
    ("gender", "filled", {"gender": "female"}, {"gender": None}),
]


@pytest.mark.parametrize(
    ("field", "check", "good", "bad"), DEFECTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_defect_is_found_where_it_stands(database, field, check, good, bad):
    records = [record("erp", "1", **good), record("erp", "2", **bad), record("erp", "3", **good)]
    found = database.fill(source_records=records).findings()["erp", field, check]
    assert (found["rows"], found["failing"], found["examples"]) == (3, 1, ["erp.csv, row 2"])
    assert found["owner"] == "IT"
    assert found["remedy"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", ["A@shop.example", "a@shop.example", "b@shop.example"]),
        ("phone", ["928 123 456", "+34 928123456", "928123457"]),
        ("national_id", ["12345678z", "12345678Z", "87654321X"]),
        ("loyalty_card", ["C1", "C1", "C2"]),
    ],
)
def test_what_two_records_of_one_source_share_is_found(database, field, values):
    records = [record("erp", str(i), **{field: value}) for i, value in enumerate(values)]
    # another source may know the same person
    records += [record("shop", "9", **{field: values[2]}), record("erp", "none")]
    found = database.fill(source_records=records).findings()
    assert (found["erp", field, "own"]["rows"], found["erp", field, "own"]["failing"]) == (3, 2)
    assert (found["shop", field, "own"]["rows"], found["shop", field, "own"]["failing"]) == (1, 0)


def test_no_source_is_blamed_for_what_it_never_collects(database):
    records = [record("erp", "1", full_name="Ana Gil", email="a@b.example"), record("shop", "1", loyalty_card="C1")]
    found = database.fill(source_records=records).findings()
    assert {(source, field) for source, field, check in found if check == "filled"} == {
        ("erp", "name"),
        ("erp", "email"),
        ("shop", "loyalty_card"),
    }


def test_a_company_needs_no_name_of_a_person(database):
    records = [record("erp", "1", full_name="Ana Gil"), record("erp", "2", company="Firma SL")]
    found = database.fill(source_records=records).findings()
    assert found["erp", "name", "filled"]["failing"] == 0
    assert found["erp", "name", "whole"]["rows"] == 1


def test_a_day_that_systems_write_by_default_is_told_by_how_often_it_comes(database):
    others = [record("erp", str(100 + i), birth_date=date(1970, 2, i + 1)) for i in range(20)]
    once = [record("erp", "1", birth_date=date(1970, 1, 1))]
    often = [record("erp", str(i), birth_date=date(1970, 1, 1)) for i in range(8)]
    assert database.fill(source_records=others + once).findings()["erp", "birth_date", "plausible"]["failing"] == 0
    assert database.fill(source_records=others + often).findings()["erp", "birth_date", "plausible"]["failing"] == 8


def test_sources_that_say_different_things_of_one_person_disagree(database):
    ana = {"national_id": "43789121L", "gender": "female"}
    records = [
        record("erp", "1", birth_date=date(1980, 1, 1), **ana),
        record("shop", "1", birth_date=date(1980, 1, 2), **ana),
        record("erp", "2", birth_date=date(1990, 1, 1)),
    ]
    found = database.fill(source_records=records).findings()
    for source in ("erp", "shop"):
        assert (found[source, "birth_date", "agrees"]["rows"], found[source, "birth_date", "agrees"]["failing"]) == (
            1,
            1,
        )
        assert found[source, "gender", "agrees"]["failing"] == 0


def test_the_base_tells_which_records_are_one_person(database):
    records = [record("erp", "1", postcode="35200"), record("shop", "7", postcode="38001")]
    database.fill(source_records=records)
    assert ("erp", "postcode", "agrees") not in database.findings()
    identities = [{"source": s, "source_record_id": k, "customer_id": "c1"} for s, k in (("erp", "1"), ("shop", "7"))]
    database.base["identities"] = fill(database.engine, "identities", identities, "base_identities")
    assert database.findings()["erp", "postcode", "agrees"]["failing"] == 1


def test_last_years_sales_hang_on_the_records_that_fail(database):
    tickets = [
        ticket("1", "10", record_source="erp", source_record_id="1"),
        ticket("2", "5.50", record_source="erp", source_record_id="1", bought_on=date(2025, 11, 2)),
        ticket("3", "99", record_source="erp", source_record_id="1", bought_on=date(2025, 11, 1)),
        ticket("4", "7", record_source="erp", source_record_id="2"),
        ticket("5", "3", record_source="shop", source_record_id="1"),
    ]
    records = [record("erp", "1", email=None), record("erp", "2", email="a@b.example")]
    judged = database.fill(source_records=records, tickets=tickets)
    assert judged.findings()["erp", "email", "filled"]["revenue_at_risk"] == Decimal("15.50")
    assert "name the record" in database.judge().ascribed


def test_with_a_base_a_customers_sales_stand_behind_each_record_and_are_counted_once(database):
    records = [record("erp", "1"), record("erp", "2"), record("erp", "3", email="a@b.example"), record("card", "9")]
    tickets = [ticket("1", "10", record_source="card", source_record_id="9")]
    identities = [
        {"source": s, "source_record_id": k, "customer_id": c}
        for s, k, c in (("erp", "1", "c1"), ("erp", "2", "c1"), ("erp", "3", "c2"), ("card", "9", "c1"))
    ]
    database.fill(source_records=records, tickets=tickets)
    database.base["identities"] = fill(database.engine, "identities", identities, "base_identities")
    assert database.findings()["erp", "email", "filled"]["revenue_at_risk"] == Decimal("10.00")
    assert "customer" in database.judge().ascribed


def test_who_agreed_and_cannot_be_contacted_is_counted(database):
    records = [record("erp", str(i), email="ana@@shop") for i in range(1, 6)] + [
        record("erp", "6", email="eva@b.example")
    ]
    events = [
        consent("erp", "1"),
        consent("erp", "2", "sms"),
        consent("erp", "3"),
        consent("erp", "3", decision="withdrawn", happened_at=datetime(2026, 10, 2, tzinfo=UTC)),
        # at the same moment a withdrawal counts
        consent("erp", "4"),
        consent("erp", "4", decision="withdrawn") | {"source": "other"},
        consent("erp", "6"),
    ]
    found = database.fill(source_records=records, consent_events=events).findings()
    assert found["erp", "email", "valid"]["not_contactable"] == 1
    assert found["erp", "email", "valid"]["blocks"] == ["email", "ads"]
    contactable = found["erp", "email", "contactable_for_marketing"]
    assert (contactable["rows"], contactable["failing"]) == (6, 5)
    assert found["erp", "sms", "contactable_for_marketing"]["failing"] == 6


def test_tickets_are_judged(database):
    tickets = [
        ticket("1", store_id="S1", record_source="erp", source_record_id="1"),
        ticket("2", None, store_id="S9"),
        ticket("3", store_id=None),
    ]
    stores = [{"store_id": "S1", "source": "erp", "updated_at": OLD}]
    found = database.fill(source_records=[record("erp", "1")], tickets=tickets, stores=stores).findings()
    assert (
        found["pos", "source_record_id", "named"]["failing"],
        found["pos", "source_record_id", "named"]["rows"],
    ) == (2, 3)
    assert found["pos", "source_record_id", "named"]["revenue_at_risk"] == Decimal("10")
    assert found["pos", "amount", "filled"]["failing"] == 1
    assert found["pos", "store_id", "filled"]["failing"] == 1
    assert (found["pos", "store_id", "known"]["failing"], found["pos", "store_id", "known"]["rows"]) == (1, 2)


def test_without_a_list_of_stores_nothing_is_said_of_them(database):
    found = database.fill(source_records=[record("erp", "1")], tickets=[ticket("1", store_id="S1")]).findings()
    assert ("pos", "store_id", "known") not in found


def test_tickets_that_come_apart_from_their_day_are_told(database):
    tickets = [ticket(str(i)) for i in range(1, 5)] + [ticket("5", delivery="late.csv")]
    found = database.fill(source_records=[record("erp", "1")], tickets=tickets).findings()[
        "pos", "bought_at", "in_turn"
    ]
    assert (found["failing"], found["examples"]) == (1, ["late.csv, row 5"])


def test_a_card_without_a_record_is_told_where_records_hold_cards(database):
    tickets = [ticket("1", loyalty_card="C1", record_source="erp", source_record_id="1")]
    tickets.append(ticket("2", loyalty_card="C9", record_source="card", source_record_id="C9"))
    database.fill(source_records=[record("erp", "1", loyalty_card="C1")], tickets=tickets)
    assert database.findings()["pos", "loyalty_card", "held"]["failing"] == 1
    database.fill(source_records=[record("erp", "1")], tickets=tickets)
    assert ("pos", "loyalty_card", "held") not in database.findings()


def test_what_intake_refused_or_met_twice_is_told_by_delivery(database):
    rejected = [
        {"source": "erp", "entity": "customers", "delivery": "erp.csv", "row": row, "field": field, "rule": rule}
        for row, field, rule in ((4, "birth_date", "not_a_date"), (5, "source_record_id", "conflicting_key"))
    ]
    repeated = [{"source": "erp", "entity": "customers", "delivery": "erp.csv", "row": 7}]
    ledger = [load("erp", "erp.csv", rows=10), load("erp", "erp2.csv", rows=10, day=2)]
    found = database.fill(
        source_records=[record("erp", "1")], rejected_rows=rejected, repeated_rows=repeated, intake_ledger=ledger
    ).findings()
    for field, check, row in (
        ("birth_date", "readable", 4),
        ("source_record_id", "unambiguous", 5),
        ("row", "once", 7),
    ):
        one = found["erp", field, check]
        assert (one["rows"], one["failing"], one["examples"]) == (20, 1, [f"erp.csv, row {row}"])


def test_a_delivery_that_came_after_the_as_of_date_is_not_looked_at(database):
    rejected = [
        {"source": "erp", "entity": "customers", "delivery": "later.csv", "row": 4, "field": "x", "rule": "missing"}
    ]
    later = load("erp", "later.csv") | {"delivered_at": datetime(2026, 11, 5, tzinfo=UTC)}
    database.fill(source_records=[record("erp", "1")], rejected_rows=rejected, intake_ledger=[later])
    assert not [one for one in database.findings() if one[2] == "readable"]


def test_rows_ahead_of_their_delivery_and_corrected_versions_are_told(database):
    database.fill(source_records=[record("erp", "1")], intake_ledger=[load("pos", "tickets.csv", entity="tickets")])
    ahead = datetime(2026, 10, 20, tzinfo=UTC)
    stored = [ticket("1"), ticket("1") | {"updated_at": datetime(2026, 10, 1, 1, tzinfo=UTC)}]
    stored += [ticket("3") | {"bought_at": ahead, "bought_on": ahead.date()}]
    database.store("tickets", stored, superseded=1)
    found = database.findings()
    assert found["pos", "bought_at", "not_ahead"]["examples"] == ["tickets.csv, row 3"]
    assert found["pos", "ticket_id", "final"]["failing"] == 1


def test_findings_are_parted_by_store_and_day_of_delivery(database):
    records = [record("erp", "1", home_store_id="S1"), record("erp", "2", home_store_id="S2", email="a@b.example")]
    database.fill(source_records=records, intake_ledger=[load("erp", "erp.csv")])
    parts = {
        (row["part"], row["value"]): (row["rows"], row["failing"])
        for row in database.engine.rows(f"FROM {database.judge().parts}")
        if (row["field"], row["check"]) == ("email", "filled")
    }
    assert parts == {("store", "S1"): (1, 1), ("store", "S2"): (1, 0), ("delivered_on", "2026-10-01"): (2, 1)}


def test_a_finding_changes_against_the_base(database):
    one, two = record("erp", "1", email="a@b.example"), record("erp", "2")
    database.fill(source_records=[one, two])
    database.base["audit_findings"] = database.engine.register(
        "base_findings", database.engine.arrow(f"FROM {database.judge().findings}")
    )
    database.fill(source_records=[one, two, record("erp", "3", email="c@b.example"), record("shop", "1")])
    found = database.findings()
    assert found["erp", "email", "filled"]["change"] == pytest.approx(1 / 3 - 1 / 2)
    assert found["shop", "record", "fresh"]["change"] is None


def test_checks_of_a_users_own_are_run(database):
    made = [
        {"check": "short", "pattern": "[A-Z]{3}[0-9]+"},
        {"check": "listed", "among": ["ABC1", "ABC2"]},
        {"check": "odd", "holds": "length(loyalty_card) = 4", "where": "updated_at < $as_of_date", "sources": ["erp"]},
    ]
    checks = [Check(entity="customers", field="loyalty_card", says="fail", **one) for one in made]
    records = [record("erp", "1", loyalty_card="ABC1"), record("erp", "2", loyalty_card="x"), record("shop", "1")]
    found = database.fill(source_records=records).findings(AuditFile(checks=checks))
    assert {key: (one["rows"], one["failing"]) for key, one in found.items()} == {
        ("erp", "loyalty_card", "short"): (2, 1),
        ("erp", "loyalty_card", "listed"): (2, 1),
        ("erp", "loyalty_card", "odd"): (2, 1),
    }


def test_findings_and_parts_are_what_their_contracts_say(database):
    database.fill(source_records=[record("erp", "1")])
    judged = database.judge()
    for made, table in ((judged.findings, "audit_findings"), (judged.parts, "audit_parts")):
        assert set(database.engine.columns(made)) == {column.name for column in CONTRACTS[table].columns}


def test_every_entity_can_be_checked(database):
    checks = [Check(entity=entity, field="updated_at", check="given", rule="filled", says="x") for entity in ENTITIES]
    rows = {table: [{"source": "erp", "updated_at": NEW}] for table in ENTITIES.values()}
    database.fill(**rows)
    entities = database.engine.rows(f"SELECT entity FROM {database.judge(AuditFile(checks=checks)).findings}")
    assert {row["entity"] for row in entities} == set(ENTITIES)
