"""What SQL takes for plainly right is right by the rules of the fields, whatever people type."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmlib.audit import plain
from crmlib.engine import Engine
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


@given(st.lists(st.builds("{}@{}".format, LOCALS, DOMAINS), **LIST))
@MANY
def test_a_plain_address_is_valid_if_its_provider_is(engine, values):
    for value, found in zip(values, told(engine, values, plain.is_plain_email("v")), strict=True):
        if found:
            provider = value.split("@")[1]
            assert normalise_email(value).valid == normalise_email(f"nombre.apellido@{provider}").valid, value


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


@pytest.mark.parametrize("country", ["ES", "PL", "IT", "BR", "US", "GB"])
def test_numbers_of_other_plans_are_plain_only_where_they_are_right(engine, country):
    values = [str(number) for number in range(100_000_000, 999_999_999, 7_777_777)]
    for value, found in zip(
        values, told(engine, values, plain.phone_e164(plain.phone_national("v", country), country)), strict=True
    ):
        if found is not None:
            assert normalise_phone(value, country)[::2] == (found, True), value


def test_most_numbers_of_the_plan_are_plain(engine):
    values = ["928 123 456", "+34 628123456", "0034628123457", "'+34628123458", "628.12.34.59"]
    assert None not in told(engine, values, plain.phone_e164(plain.phone_national("v", "ES"), "ES"))


@given(st.lists(st.from_regex(r"\A[0-9XYZ][0-9]{6,8}[A-Z]\Z"), **LIST))
@MANY
def test_a_plain_national_id_has_its_letter(engine, values):
    right = ["12345678Z", "43789121L", "X1234567L", "00000000T", "Y1234567X"]
    for value, found in zip(values + right, told(engine, values + right, plain.national_id("v", "ES")), strict=True):
        if found:
            assert normalise_national_id(value, "ES").valid, value
    assert told(engine, ["43789121L", "43789121A"], plain.national_id("v", "ES")) == [True, False]


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
