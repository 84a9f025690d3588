"""Suppression lists: whom of the customers an entry means, however its key is written."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest

from crmlib.errors import InputError
from crmlib.identity.usable import normalise_customer_records
from crmlib.permission import suppression
from crmlib.permission.suppression import find_listed_customers, summarise_lists
from tests.made_tables import at, make_tables

RECORDS = [
    {"source_record_id": "r1", "email": "Ana@Correo.example", "phone": "600 11 22 33", "loyalty_card": "299001"},
    {"source_record_id": "r2", "email": "ana.vieja@correo.example", "national_id": "48.312.765-T"},
    {"source_record_id": "r3", "email": "luis@correo.example", "phone": "922112233"},
]
CUSTOMERS = {"r1": "c1", "r2": "c1", "r3": "c2"}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def find(engine, *entries, records=RECORDS):
    make_tables(
        engine,
        source_records=[{"source": "crm", "updated_at": at("2026-01-01")} | record for record in records],
        identities=[
            {"source": "crm", "source_record_id": record, "customer_id": customer}
            for record, customer in CUSTOMERS.items()
        ],
        suppressions=[
            {"source": "lists", "list": "robinson", "listed_on": date(2026, 2, 1), "owner": "Legal"} | entry
            for entry in entries
        ],
    )
    normalise_customer_records(engine, date(2026, 11, 1), "ES")
    rows = engine.rows(f"FROM {find_listed_customers(engine, 'ES')} ORDER BY customer_id, list")
    return [(row["customer_id"], row["list"]) for row in rows]


@pytest.mark.parametrize(
    ("key_kind", "key", "customer"),
    [
        ("email", "ana@correo.example", "c1"),
        ("email", " ANA@correo.EXAMPLE", "c1"),
        ("email", sha256("ana@correo.example"), "c1"),
        ("email", sha256("ana@correo.example").upper(), "c1"),
        ("email", sha256("ANA@CORREO.EXAMPLE"), "c1"),
        ("email", sha256("ana.vieja@correo.example"), "c1"),
        ("EMAIL", "luis@correo.example", "c2"),
        ("phone", "+34600112233", "c1"),
        ("phone", "600.112.233", "c1"),
        ("phone", sha256("+34600112233"), "c1"),
        ("phone", sha256("0034600112233"), "c1"),
        ("phone", sha256("34600112233"), "c1"),
        ("phone", sha256("600112233"), "c1"),
        ("national_id", "48312765t", "c1"),
        ("national_id", sha256("48312765T"), "c1"),
        ("national_id", sha256("48312765t"), "c1"),
        ("loyalty_card", "299001", "c1"),
        ("source_record_id", "crm:r3", "c2"),
        ("email", "someone@correo.example", None),
        ("email", "no address", None),
        ("email", sha256("600112233"), None),
        ("phone", "ana@correo.example", None),
        ("source_record_id", "r3", None),
        ("tax number", "48312765T", None),
    ],
)
def test_an_entry_means(engine, key_kind, key, customer):
    expected = [(customer, "robinson")] if customer else []
    assert find(engine, {"key_kind": key_kind, "key": key}) == expected


def test_a_record_id_is_of_the_lists_own_source(engine):
    assert find(engine, {"source": "crm", "key_kind": "source_record_id", "key": "r3"}) == [("c2", "robinson")]


def test_a_record_that_says_employee_counts_as_a_list(engine):
    records = [RECORDS[0] | {"employee": True}, RECORDS[1] | {"employee": False}, RECORDS[2]]
    assert find(engine, records=records) == [("c1", "employee")]


def test_a_customer_stands_once_on_a_list(engine):
    entries = [
        {"key_kind": "email", "key": "ana@correo.example"},
        {"key_kind": "phone", "key": "600112233", "source": "other"},
        {"key_kind": "phone", "key": "600112233", "list": "internal"},
    ]
    assert find(engine, *entries) == [("c1", "internal"), ("c1", "robinson")]


def test_lists_are_told_with_their_owner_and_what_is_wrong_with_them(engine):
    find(
        engine,
        {"key_kind": "email", "key": "ana@correo.example"},
        {"key_kind": "email", "key": "no address", "listed_on": date(2026, 3, 1)},
        {"key_kind": "tax number", "key": "48312765T"},
    )
    (told,) = summarise_lists(engine, {"lists": "Data protection"}).to_dict("records")
    assert (told["list"], told["owner"], told["entries"], told["unusable"], told["customers"]) == (
        "robinson", "Legal", 3, 2, 1,
    )  # fmt: skip
    assert told["newest"].date() == date(2026, 3, 1)


@pytest.mark.parametrize(
    "step",
    [suppression.LISTED_KEYS, suppression.KNOWN_KEYS, suppression.KNOWN_RECORDS, suppression.LISTED_CUSTOMERS],
    ids=lambda step: step.name,
)
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))


def test_a_list_that_names_no_owner_is_its_sources_owners(engine):
    find(engine, {"key_kind": "email", "key": "ana@correo.example", "owner": None})
    assert summarise_lists(engine, {"lists": "Data protection"})["owner"].tolist() == ["Data protection"]
    assert summarise_lists(engine, {})["owner"].isna().all()


def test_a_list_whose_keys_are_of_another_kind_is_refused(engine):
    phones = [{"key_kind": "email", "key": f"60011223{number}"} for number in range(6)]
    told = "The list robinson of lists: none of its 6 keys can be of the kind 'email'"
    with pytest.raises(InputError, match=told) as caught:
        find(engine, *phones)
    assert "6001" not in str(caught.value)


def test_a_few_slips_in_a_list_stop_nothing(engine):
    slips = [{"key_kind": "email", "key": f"60011223{number}"} for number in range(6)]
    assert find(engine, *slips, {"key_kind": "email", "key": "luis@correo.example"}) == [("c2", "robinson")]
    assert find(engine, *slips[:2]) == []
