"""What SQL takes for plainly right or wrong is so by the rules of the fields, whatever people type."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmlib.audit import plain
from crmlib.engine import Engine
from crmlib.fields.dates import normalise_birth_date
from crmlib.fields.emails import normalise_email
from crmlib.fields.names import normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone

MANY = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
#: Lists are judged at once: a query for each value would be slow.
LIST = {"min_size": 20, "max_size": 60}


def told(engine: Engine, values: list[str], expression: str) -> list:
    engine.register("typed", pa.table({"place": range(len(values)), "v": values}))
    return [row["told"] for row in engine.rows(f"SELECT {expression} AS told FROM typed ORDER BY place")]


LOCALS = st.one_of(
    st.text("ab.+_-1%", min_size=1, max_size=8), st.sampled_from(["test", "ana.gil", "t.e.s.t", "no", "xx+1", "nada"])
)
DOMAINS = st.one_of(st.text("ab-1.", min_size=1, max_size=9), st.sampled_from(["correo.example", "gmail.com", "a.b"]))


@given(st.lists(st.one_of(st.builds("{}@{}".format, LOCALS, DOMAINS), st.text('ab@."<>+ ', max_size=9)), **LIST))
@MANY
def test_a_plain_address_is_valid_if_its_provider_is_and_a_plainly_wrong_one_never_is(engine, values):
    for value, found in zip(values, told(engine, values, plain.tell_email("v")), strict=True):
        if found:
            provider = value.split("@")[1]
            assert normalise_email(value).valid == normalise_email(f"nombre.apellido@{provider}").valid, value
        if found is False:
            assert not normalise_email(value).valid, value


def test_most_addresses_are_plainly_right_or_wrong(engine):
    values = ["ana.gil@correo.example", "ana@@correo.example", "ana", "ana@b@c.example", "ñandú@correo.example"]
    assert told(engine, values, plain.tell_email("v")) == [True, False, False, False, None]


PHONES = st.one_of(
    st.from_regex(r"\A'?(\+34|0034|34)?[ .-]?[5-9][0-9 .-]{7,11}\Z"),
    st.integers(100_000_000, 999_999_999).map(str),
    st.sampled_from(
        ["600000000", "612345678", "000000000", "123456789", "911111111", "+34 928 12 34 56", "34928123456"]
    ),
)


@given(st.lists(PHONES, **LIST))
@MANY
def test_a_plain_number_is_that_of_the_plan(engine, values):
    for value, found in zip(
        values, told(engine, values, plain.phone_e164(plain.phone_national("v", "ES"), "ES")), strict=True
    ):
        if found is not None:
            assert normalise_phone(value, "ES")[::2] == (found, True), value


@given(st.lists(PHONES, **LIST))
@MANY
def test_digits_of_no_plan_are_no_number(engine, values):
    for value, wrong in zip(values, told(engine, values, plain.is_wrong_phone("v", "ES")), strict=True):
        assert not (wrong and normalise_phone(value, "ES") != (None, None, False)), value
    assert told(engine, ["528123456", "928123456"], plain.is_wrong_phone("v", "ES")) == [True, False]


@pytest.mark.parametrize("country", ["ES", "PL", "IT", "BR", "US", "GB"])
def test_numbers_of_other_plans_are_plain_only_where_they_are_right(engine, country):
    values = [str(number) for number in range(100_000_000, 999_999_999, 7_777_777)]
    for value, found in zip(
        values, told(engine, values, plain.phone_e164(plain.phone_national("v", country), country)), strict=True
    ):
        if found is not None:
            assert normalise_phone(value, country)[::2] == (found, True), value
    for value, wrong in zip(values, told(engine, values, plain.is_wrong_phone("v", country)), strict=True):
        assert not (wrong and normalise_phone(value, country).valid), value


def test_most_numbers_of_the_plan_are_plain(engine):
    values = ["928 123 456", "+34 628123456", "0034628123457", "'+34628123458", "628.12.34.59"]
    assert None not in told(engine, values, plain.phone_e164(plain.phone_national("v", "ES"), "ES"))


@given(st.lists(st.from_regex(r"\A[0-9XYZ][0-9]{6,8}[A-Z]\Z"), **LIST))
@MANY
def test_of_a_plain_national_id_the_letter_is_told(engine, values):
    values += ["12345678Z", "43789121L", "X1234567L", "00000000T", "Y1234567X", "11111111H", "X1111111G"]
    for value, found in zip(values, told(engine, values, plain.tell_national_id("v", "ES")), strict=True):
        if found is not None:
            assert normalise_national_id(value, "ES").valid == found, value
    some = ["43789121L", "43789121A", "B12345678"]
    assert told(engine, some, plain.tell_national_id("v", "ES")) == [True, False, None]


WORDS = st.sampled_from(
    [
        "Ana",
        "José",
        "de",
        "la",
        "Gil",
        "x",
        "NO",
        "TIENE",
        "Sr",
        "Ñandú",
        "SL",
        "Bar",
        "desconocido",
        "Mª",
        "O'Neill",
        "",
    ]
)
PARTS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


@given(st.lists(st.tuples(PARTS, PARTS), **LIST))
@MANY
def test_a_plain_name_is_one(engine, names):
    engine.register("typed", pa.table({"n": range(len(names)), "g": [g for g, _ in names], "s": [s for _, s in names]}))
    rows = engine.rows(
        f"SELECT {plain.is_plain_part('g')} AND {plain.is_plain_part('s')} AS told FROM typed ORDER BY n"
    )
    for (given_name, surnames), row in zip(names, rows, strict=True):
        if row["told"]:
            assert normalise_name(None, given_name, surnames).valid, (given_name, surnames)


WHOLE = st.lists(
    st.one_of(WORDS, st.sampled_from(["María", "Luz", "García,", "Fco", "Łucja", "del"])), min_size=1, max_size=5
)


@given(st.lists(WHOLE.map(" ".join), **LIST))
@MANY
def test_a_plain_whole_name_holds_a_given_name_and_a_surname(engine, values):
    for value, found in zip(values, told(engine, values, plain.is_plain_whole_name("v")), strict=True):
        if found:
            assert normalise_name(value).valid, value


def test_most_whole_names_are_plain(engine):
    values = ["Ana Gil", "GIL PEÑA, ANA", "Begoña Santana del Pino", "Ana María", "Ana", "Cliente Varios"]
    assert told(engine, values, plain.is_plain_whole_name("v")) == [True, True, True, False, False, False]


@given(st.lists(st.dates(date(1750, 1, 1), date(2100, 1, 1)), **LIST))
@MANY
def test_a_day_of_birth_is_told(engine, days):
    engine.register("typed", pa.table({"place": range(len(days)), "v": days}))
    as_of_date = date(2026, 11, 1)
    rows = engine.rows(f"SELECT {plain.tell_birth_date('v', as_of_date)} AS told FROM typed ORDER BY place")
    for day, row in zip(days, rows, strict=True):
        worked = normalise_birth_date(day, as_of_date)
        assert row["told"] == (worked.valid or (worked.defect == "default" and day.year >= 1906)), day
