"""The golden record: which value wins, where it came from, and what stays together."""

from __future__ import annotations

import random
from datetime import date

import pytest

from crmlib.identity import golden, survivorship, usable
from crmlib.identity.consolidation import (
    summarise_completeness,
    summarise_consolidation,
    summarise_rules,
    summarise_sources,
    trace_example,
)
from crmlib.identity.golden import consolidate_customers
from tests.identity.made_customers import AS_OF, NEW, OLD, choose, consolidate, provenance
from tests.made_tables import at, make_tables


@pytest.mark.parametrize(
    ("field", "older", "newer", "golden"),
    [
        ("email", "old@correo.example", "New@Correo.example", "new@correo.example"),
        ("email", "old@correo.example", None, "old@correo.example"),
        ("email", "old@correo.example", "no address", "old@correo.example"),
        ("phone", "+34 600 11 22 33", "611223344", "+34611223344"),
        ("phone", "600112233", "000000000", "+34600112233"),
        ("national_id", "48.312.765-T", "48312765A", "48312765T"),
        ("national_id", "12345678Z", None, None),
        ("birth_date", date(1980, 5, 6), date(1900, 1, 1), date(1980, 5, 6)),
        ("birth_date", date(1980, 5, 6), date(1981, 5, 6), date(1981, 5, 6)),
        ("gender", "female", None, "female"),
        ("postcode", "35001", "99999", "35001"),
        ("postcode", "38001", "8001", "08001"),
        ("language", "ES", None, "es"),
        ("employee", True, False, False),
        ("loyalty_card", "111", "222", "222"),
    ],
)
def test_the_newest_value_that_can_be_used_wins(engine, field, older, newer, golden):
    found = consolidate(engine, {field: older}, {field: newer})["c1"][field]
    assert (found.date() if hasattr(found, "date") else found) == golden


def test_what_was_delivered_last_is_not_what_is_newest(engine):
    customers = consolidate(
        engine,
        {"email": "now@correo.example", "updated_at": at("2026-05-01")},
        {"email": "then@correo.example", "updated_at": at("2024-05-01")},
    )
    assert customers["c1"]["email"] == "now@correo.example"
    assert provenance(engine)["email"]["source_record_id"] == "r0"


def test_every_value_says_where_it_is_from(engine):
    consolidate(
        engine,
        {"source": "erp", "full_name": "PEREZ GARCIA, ANA", "email": "ana@correo.example", "phone": "600112233"},
        {"source": "shop", "given_name": "Ana", "surnames": "Pérez", "email": "bea@correo.example"},
        {"source": "shop", "email": "carla@correo.example"},
    )
    found = provenance(engine)
    assert set(found) == {"given_name", "surname_1", "surname_2", "contact_type", "email", "phone"}
    assert (found["email"]["source"], found["email"]["source_record_id"]) == ("shop", "r2")
    assert found["email"]["alternatives"] == 2
    assert found["email"]["rule"] == "latest"
    assert (found["phone"]["source"], found["phone"]["alternatives"]) == ("erp", 0)
    assert found["surname_2"]["source"] == "erp"
    assert engine.row("SELECT full_name FROM customers")["full_name"] == "Ana Pérez Garcia"


def test_an_address_is_taken_whole(engine):
    home = {"address_line": "Calle Mayor 5", "postcode": "35001", "municipality": "Las Palmas"}
    customer = consolidate(engine, home, {"postcode": "35001"})["c1"]
    assert (customer["address_line"], customer["municipality"]) == ("Calle Mayor 5", "Las Palmas")
    moved = consolidate(engine, home, {"postcode": "38001"})["c1"]
    assert (moved["address_line"], moved["postcode"], moved["municipality"]) == (None, "38001", None)
    assert moved["province"] == "Santa Cruz de Tenerife"
    both = consolidate(
        engine, home, {"street_type": "Calle", "street": "Sol", "house_number": "3", "postcode": "38001"}
    )
    assert (both["c1"]["address_line"], both["c1"]["postcode"]) == ("Calle Sol 3", "38001")
    assert provenance(engine)["address_line"]["rule"] == "address_of_latest_postcode"


def test_an_island_is_told_by_the_postcode(engine):
    known = [{"postcode": "35001", "island": "Gran Canaria", "latitude": 28.1, "longitude": -15.4}]
    customer = consolidate(engine, {"postcode": "35001"}, postcodes=known)["c1"]
    assert (customer["island"], customer["latitude"], customer["longitude"]) == ("Gran Canaria", 28.1, -15.4)


def test_a_card_without_a_record_is_a_customer(engine):
    bought = [
        {"record_source": "card", "source_record_id": "777", "bought_at": at(day), "amount": 5}
        for day in ("2025-02-01", "2025-03-01")
    ]
    whose = [{"source": "card", "source_record_id": "777", "customer_id": "c9"}]
    customers = consolidate(engine, {"email": "ana@correo.example"}, tickets=bought, identities=whose)
    assert set(customers) == {"c1", "c9"}
    assert (customers["c9"]["loyalty_card"], customers["c9"]["records"]) == ("777", 0)
    assert (customers["c9"]["first_seen"], customers["c9"]["last_seen"]) == (at("2025-02-01"), at("2025-03-01"))
    assert customers["c9"]["sources"] == ["card"]


def test_lists_are_put_together_and_the_origin_is_the_first(engine):
    customer = consolidate(
        engine,
        {"tags": ["club", "a"], "interests": ["garden"], "origin": "online", "created_at": at("2025-06-01")},
        {"tags": ["club", "b"], "origin": "store", "created_at": at("2024-06-01")},
    )["c1"]
    assert customer["tags"] == ["a", "b", "club"]
    assert customer["interests"] == ["garden"]
    assert customer["origin"] == "store"
    assert customer["first_seen"] == at("2024-06-01")
    assert customer["records"] == 2


def test_a_company_is_called_by_its_name(engine):
    customer = consolidate(engine, {"full_name": "Ferretería Drago S.L."})["c1"]
    assert (customer["contact_type"], customer["full_name"]) == ("company", "Ferretería Drago S.L.")
    assert customer["given_name"] is None


def test_nobody_is_lost_and_completeness_is_counted(engine):
    consolidate(
        engine,
        {"customer": "c1", "email": "ana@correo.example"},
        {"customer": "c1", "phone": "600112233"},
        {"customer": "c2", "phone": "000000000"},
    )
    shares = summarise_completeness(engine).set_index("field")
    assert shares.loc["E-mail address", ["records", "customers"]].tolist() == pytest.approx([1 / 3, 1 / 2])
    assert shares.loc["Phone", ["records", "customers"]].tolist() == pytest.approx([1 / 3, 1 / 2])
    counts = summarise_consolidation(engine)
    assert counts == {"customers": 2, "recorded": 2, "records": 3, "joined": 1, "reachable": 1, "chosen": 0}


def test_without_records_there_is_nothing_to_complete(engine):
    make_tables(engine, "source_records", "identities", "tickets", "postcodes")
    engine.view("customers", f"FROM {consolidate_customers(engine, AS_OF, 'ES')}")
    engine.view("provenance", "FROM provenance_made")
    assert summarise_completeness(engine)["customers"].isna().all()
    assert summarise_consolidation(engine)["customers"] == 0


CHOICES = {
    "email": [None, "ana@correo.example", "bea@correo.example", "none"],
    "phone": [None, "600112233", "611223344", "0"],
    "postcode": [None, "35001", "38001"],
    "address_line": [None, "Calle Mayor 5", "Calle Sol 3"],
    "day": list(range(1, 29)),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_delivery_makes_no_difference(engine, seed):
    """And a golden value is the newest that a record gave; an address is one record's."""
    draw = random.Random(seed)
    people = [
        [{field: draw.choice(values) for field, values in CHOICES.items()} for _ in range(draw.randint(1, 5))]
        for _ in range(150)
    ]
    rows = [
        record
        | {"customer": f"c{person}", "source_record_id": f"{person}-{place}"}
        | {"updated_at": at(f"2026-01-{record['day']:02d}"), "day": None}
        for person, records in enumerate(people)
        for place, record in enumerate(records)
    ]
    rows = [{field: value for field, value in row.items() if field != "day"} for row in rows]
    golden_records = consolidate(engine, *rows)
    draw.shuffle(rows)
    assert consolidate(engine, *rows) == golden_records
    for person, records in enumerate(people):
        found = golden_records[f"c{person}"]
        told = [record for record in records if record["email"] not in (None, "none")]
        newest = max((record["day"] for record in told), default=0)
        assert found["email"] in ({record["email"] for record in told if record["day"] == newest} or {None})
        homes = {(record["address_line"], record["postcode"]) for record in records}
        assert (found["address_line"], found["postcode"]) in homes | {(None, None)}


@pytest.mark.parametrize(
    "step",
    [usable.CUSTOMER_RECORDS, usable.CONTACT_KEYS, survivorship.CHOSEN_VALUES, survivorship.VALUE_PINS,
     survivorship.RECORD_STANDING, golden.PROVENANCE, golden.CUSTOMERS_SEEN, golden.CUSTOMERS],
    ids=lambda step: step.name,
)  # fmt: skip
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))


def test_sources_are_laid_beside_the_customers_they_are(engine):
    consolidate(
        engine,
        {"source": "erp", "customer": "c1"},
        {"source": "erp", "customer": "c2"},
        {"source": "shop", "customer": "c1"},
        {"source": "shop", "customer": "c1"},
    )
    assert summarise_sources(engine).values.tolist() == [
        ["erp", 2, 2, 1, 1.0],
        ["shop", 2, 1, 0, 0.5],
        ["all together", 4, 2, 1, 1.0],
    ]


def test_an_example_is_traced_without_a_value(engine):
    choose(engine, "email", [], {"email": OLD, "phone": "600112233", "source": "erp"}, {"email": NEW, "source": "shop"})
    traced = trace_example(engine).set_index("field")
    assert traced.loc["E-mail address"].tolist() == ["B", "A", "latest"]
    assert traced.loc["Phone"].tolist() == ["A", "–", "only"]
    assert not any(value in traced.to_string() for value in (OLD, NEW, "600112233"))
    assert summarise_rules(engine).set_index("rule")["values"].to_dict() == {"latest": 1, "only": 1}
