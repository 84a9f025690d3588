from datetime import date

import pytest

from crmlib.engine import Step
from crmlib.identity.comparisons import COMPARISONS, choose_comparisons
from crmlib.identity.records import normalise_records
from tests.identity.conftest import AS_OF

BY_NAME = {comparison.name: comparison for comparison in COMPARISONS}


def label_of(engine, add_records, name, left, right):
    """The level that a pair of records falls into, by plain SQL; None where it cannot be compared."""
    add_records([left, right])
    normalise_records(engine, AS_OF, "ES")
    comparison = BY_NAME[name]
    columns = engine.columns("linkage_records")
    sides = ", ".join(f"{side}.{column} AS {column}_{side}" for side in "lr" for column in columns)
    cases = " ".join(
        f"ELSE '{level.label}'" if level.condition == "ELSE" else f"WHEN {level.condition} THEN '{level.label}'"
        for level in comparison.levels
    ).replace("'s ", "''s ")
    engine.run(
        Step(
            "pair",
            f"SELECT {sides} FROM linkage_records l JOIN linkage_records r ON l.record_no = 1 AND r.record_no = 2",
        )
    )
    return engine.row(f"SELECT CASE WHEN {comparison.unknown} THEN NULL {cases} END AS label FROM pair")["label"]


def person(given_name, surnames="Pérez Gil"):
    return {"given_name": given_name, "surnames": surnames}


@pytest.mark.parametrize(
    ("left", "right", "label"),
    [
        ("MARÍA JOSÉ", "Maria Jose", "the same"),
        ("Mª del Carmen", "María Carmen", "the same"),
        ("Paco", "Francisco", "nickname of it"),
        ("Lena", "Elena", "nickname of it"),
        ("María", "María José", "one of two given names"),
        ("Chus", "Jesús Manuel", "one of two given names"),
        ("J", "Jorge", "initial of it"),
        ("J Luis", "José Luis", "initial of it"),
        ("J. Antonio", "José", "one of two given names"),
        ("J Luis", "José Andrés", "different"),
        ("Mraia", "Maria", "similar"),
        ("Mario", "María", "different"),
        ("José Antonio", "José Luis", "different"),
        ("Ana", "Pedro", "different"),
        (None, "Pedro", None),
    ],
)
def test_given_names(engine, add_records, left, right, label):
    assert label_of(engine, add_records, "given_name", person(left), person(right)) == label


def test_given_name_and_surname_swapped(engine, add_records):
    pair = person("Zuleyka", "Betancor"), person("Betancor", "Zuleyka")
    assert label_of(engine, add_records, "given_name", *pair) == "given name and surname swapped"
    typed = person("Zuleyka", "Betancor"), person("Betancorr", "Zuleika")
    assert label_of(engine, add_records, "given_name", *typed) == "given name and surname swapped"
    assert label_of(engine, add_records, "surname_1", *typed) is None
    assert label_of(engine, add_records, "surname_1", *pair) is None, "it is counted once"


@pytest.mark.parametrize(
    ("left", "right", "first", "second"),
    [
        ("Pérez Gil", "PEREZ GIL", "the same", "the same"),
        ("Pérez Gil", "Pérez", "the same", None),
        ("Pérez Gil", "Gil", "the other''s second surname", None),
        ("Hernández Gil", "Hernandes Gil", "similar", "the same"),
        ("Pérez Gil", "Pérez Sosa", "the same", "different"),
        ("Pérez Gil", "Sosa Ruiz", "different", "different"),
    ],
)
def test_surnames(engine, add_records, left, right, first, second):
    pair = person("Ana", left), person("Eva", right)
    assert label_of(engine, add_records, "surname_1", *pair) == first.replace("''", "'")
    assert label_of(engine, add_records, "surname_2", *pair) == second


@pytest.mark.parametrize(
    ("left", "right", "label"),
    [
        (date(1980, 2, 3), date(1980, 2, 3), "the same"),
        (date(1980, 2, 3), date(1980, 3, 2), "day and month swapped, or one digit"),
        (date(1980, 2, 3), date(1990, 2, 3), "day and month swapped, or one digit"),
        (date(1980, 2, 3), date(1980, 2, 25), "two of day, month and year the same"),
        (date(1980, 2, 3), date(1993, 12, 3), "different"),
        (date(1980, 2, 3), None, None),
    ],
)
def test_birth_dates(engine, add_records, left, right, label):
    assert label_of(engine, add_records, "birth_date", {"birth_date": left}, {"birth_date": right}) == label


@pytest.mark.parametrize(
    ("name", "field", "left", "right", "label"),
    [
        ("national_id", "national_id", "54362315K", "54.362.315-k", "the same"),
        ("national_id", "national_id", "54362315K", "54362351K", "mistyped"),
        ("national_id", "national_id", "54362315K", "54362315", "mistyped"),
        ("national_id", "national_id", "54362315K", "54362316E", "different"),
        ("phone", "phone", "922123456", "+34 922 12 34 56", "the same"),
        ("phone", "phone", "922123456", "922123465", "mistyped"),
        ("phone", "phone", "922123456", "922987650", "different"),
        ("email", "email", "ana.gil@gmail.com", "anagil+x@googlemail.com", "the same mailbox"),
        ("email", "email", "ana.gil@correo.example", "ana.gil@otro.example", "same name, other provider"),
        ("email", "email", "ana.gil71@correo.example", "anna.gil71@correo.example", "mistyped name"),
        ("email", "email", "ana.gil71@correo.example", "ana.gil72@correo.example", "different"),
        ("address", "address_line", "C/ Mayor 3", "CALLE MAYOR, Nº 3", "the same"),
        ("address", "address_line", "C/ Mayor 3", "Calle Mayor 5", "same street"),
        ("address", "address_line", "C/ Castillo 3", "Calle Castilo 3", "similar street"),
        ("address", "address_line", "C/ Mayor 3", "Calle Luna 3", "different"),
        ("place", "postcode", "35001", "35001", "same postcode"),
        ("place", "postcode", "35001", "35002", "similar"),
        ("place", "postcode", "35001", "38400", "different"),
    ],
)
def test_other_fields(engine, add_records, name, field, left, right, label):
    assert label_of(engine, add_records, name, {field: left}, {field: right}) == label


def test_fields_that_are_absent_or_nearly_empty_are_left_out(engine, add_records):
    rows = [person(f"Ana {'abcdefghij'[i % 10]}x", f"Gil{'abcdefghij'[i // 10 % 10]}") for i in range(200)]
    rows[0]["email"] = "ana@correo.example"
    add_records(rows)
    normalise_records(engine, AS_OF, "ES")
    assert [comparison.name for comparison in choose_comparisons(engine)] == ["given_name", "surname_1"]


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_the_usual_shares_of_a_comparison_make_sense(comparison):
    shares = [level.m for level in comparison.levels]
    assert sum(shares) == pytest.approx(1.0, abs=0.08)
    assert shares[0] == max(shares)
    assert comparison.levels[-1].condition == "ELSE"
    assert 0 < comparison.relatives < 1
    assert len({level.label for level in comparison.levels}) == len(comparison.levels)
