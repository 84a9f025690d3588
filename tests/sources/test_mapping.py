"""What a file's columns mean."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crmlib.errors import InputError
from crmlib.params import FieldFrom
from crmlib.sources.mapping import check_columns, check_patterns, columns_of, text_of
from crmlib.tables import Column


def said(engine, field: FieldFrom, words=None, **columns) -> list:
    engine.register("given", pa.table({name: pa.array(values) for name, values in columns.items()}))
    return [row["t"] for row in engine.rows(f"SELECT {text_of(field, engine.columns('given'), words)} AS t FROM given")]


def test_a_text_is_trimmed_and_an_empty_one_is_nothing(engine):
    assert said(engine, FieldFrom(source_columns="a"), a=["  x ", "   ", "", None]) == ["x", None, None, None]


def test_columns_are_joined_without_the_empty_ones(engine):
    field = FieldFrom(source_columns=["a", "b"], join=", ")
    assert said(engine, field, a=["x", None, None], b=["y", "y", None]) == ["x, y", "y", None]


def test_the_first_column_that_is_filled_can_be_taken(engine):
    field = FieldFrom(source_columns=["a", "b"], take="first", extract="^'?(.*)$")
    assert said(engine, field, a=[" ", "'z", ""], b=["'x y", "x", None]) == ["x y", "z", None]


def test_a_part_is_extracted(engine):
    field = FieldFrom(source_columns="a", extract=r"rec-(\d+)-")
    assert said(engine, field, a=["rec-12-org", "other", None]) == ["12", None, None]


def test_a_fixed_value_stands_in_every_row(engine):
    assert said(engine, FieldFrom(value=True), a=["1", "2"]) == ["true", "true"]
    assert said(engine, FieldFrom(value="it's"), a=["1"]) == ["it's"]
    assert said(engine, FieldFrom(value=7), a=["1"]) == ["7"]


def test_words_are_put_into_ours_whatever_their_case(engine):
    words = {"H": "male", "Mujer": "female", "X": None, "sí": True}
    values = ["h", "MUJER", "x", "SÍ", "other"]
    assert said(engine, FieldFrom(source_columns="a"), words, a=values) == ["male", "female", None, "true", "other"]


def test_words_follow_the_extraction(engine):
    field = FieldFrom(source_columns="a", extract="^(.)")
    assert said(engine, field, {"h": "male"}, a=["Hombre"]) == ["male"]


def test_a_whole_number_is_written_without_a_point(engine):
    field = FieldFrom(source_columns="a")
    assert said(engine, field, a=[38007.0, 1.5, float("nan"), None]) == ["38007", "1.5", None, None]
    assert said(engine, field, a=[7, 12345678901234567]) == ["7", "12345678901234567"]


@pytest.mark.parametrize(
    ("kind", "values", "typed"),
    [
        ("money", [1.5, float("nan")], True),
        ("text", [1.5, 2.5], False),
        ("date", [1, 2], False),
        ("bool", [True, False], True),
    ],
)
def test_a_typed_column_stays_typed_where_it_fits(engine, kind, values, typed):
    engine.register("given", pa.table({"a": values}))
    text = text_of(FieldFrom(source_columns="a"), engine.columns("given"), None, Column("f", kind, ""))
    engine.view("said", f"SELECT {text} AS t FROM given")
    assert (engine.columns("said")["t"] == engine.columns("given")["a"]) is typed


def test_no_number_of_a_typed_file_is_nothing(engine):
    engine.register("given", pa.table({"a": [1.5, float("nan")]}))
    text = text_of(FieldFrom(source_columns="a"), engine.columns("given"), None, Column("f", "money", ""))
    assert [row["t"] for row in engine.rows(f"SELECT {text} AS t FROM given")] == [1.5, None]


def test_odd_headings_are_columns_too(engine):
    heading = 'it\'s a "heading"; DROP TABLE'
    assert said(engine, FieldFrom(source_columns=heading), **{heading: ["x"]}) == ["x"]


def test_every_missing_column_is_told_with_the_nearest():
    fields = {"email": FieldFrom(source_columns="EMIAL"), "full_name": FieldFrom(source_columns=["NOMBRE", "ZZZ"])}
    with pytest.raises(InputError) as caught:
        check_columns(fields, ["EMAIL", "PUNTOS"], ["EMAIL", "NOMBRE", "COD"], "a.csv", "sources.erp.customers")
    assert str(caught.value).splitlines() == [
        "sources.erp.customers: the file a.csv has no column 'EMIAL'. Did you mean 'EMAIL'?",
        "sources.erp.customers: the file a.csv has no column 'ZZZ'. It has: EMAIL, NOMBRE, COD.",
        "sources.erp.customers: the file a.csv has no column 'PUNTOS'. It has: EMAIL, NOMBRE, COD.",
    ]


def test_a_wrong_delimiter_is_suspected_where_the_heading_is_one_column():
    with pytest.raises(InputError, match="one single column: is the delimiter right"):
        check_columns({"email": FieldFrom(source_columns="b")}, [], ["a;b;c"], "a.csv", "x")


@pytest.mark.parametrize("extract", ["(?=a)(.)", r"(a)\1"])
def test_a_pattern_that_the_engine_does_not_know_is_told(engine, extract):
    fields = {"phone": FieldFrom.model_construct(source_columns="a", extract=extract, value=None, join=" ")}
    with pytest.raises(InputError, match=r"customers\.fields\.phone\.extract: this regular expression"):
        check_patterns(engine, fields, None, "sources.erp.customers")


@pytest.mark.parametrize("date", ["dd/mm/yyyy", "%Q", ""])
def test_what_is_no_format_of_dates_is_told(engine, date):
    with pytest.raises(InputError, match=r"x.dialect.date: this is no format of dates"):
        check_patterns(engine, {}, date, "x")
    check_patterns(engine, {}, "%d/%m/%Y", "x")


def test_the_columns_of_a_field():
    assert columns_of(FieldFrom(source_columns="a")) == ["a"]
    assert columns_of(FieldFrom(source_columns=["a", "b"])) == ["a", "b"]
    assert columns_of(FieldFrom(value=1)) == []


@pytest.mark.parametrize(
    ("decimal", "row", "found"),
    [
        (".", "2.50,3,0.5", 7.0),
        (".", "2.50,3,", 7.5),
        (",", '"1.002,50",2,"0,5"', 2004.5),
    ],
)
def test_a_formula_is_worked_out(deliveries, decimal, row, found):
    deliveries.write("t.csv", f"price,pieces,off,at\n{row},2026-01-01\n")
    tickets = {
        "path": "t.csv",
        "dialect": {"decimal": decimal, "delimiter": ","},
        "fields": {"bought_at": "at", "amount": {"formula": "{price} * {pieces} - {off}"}},
    }
    deliveries.take_in({"till": {"tickets": tickets}})
    assert deliveries.rows("tickets", "CAST(amount AS DOUBLE) AS amount") == [{"amount": found}]


def test_a_formula_over_what_is_no_number_rejects_its_row(deliveries):
    deliveries.write("t.csv", "price,pieces,at\n2,3,2026-01-01\n2,x,2026-01-01\n")
    fields = {"bought_at": "at", "amount": {"formula": "{price} * {pieces}"}}
    deliveries.take_in({"till": {"tickets": {"path": "t.csv", "fields": fields}}})
    assert deliveries.ledger() == [(2, 1, 1, 0)]
    assert deliveries.rejected() == [(2, "amount", "not_a_number")]


def test_a_formula_names_columns_that_are_there(deliveries):
    deliveries.write("t.csv", "price,at\n2,2026-01-01\n")
    fields = {"bought_at": "at", "amount": {"formula": "{price} * {peices}"}}
    with pytest.raises(InputError, match=r"has no column 'peices'"):
        deliveries.take_in({"till": {"tickets": {"path": "t.csv", "fields": fields}}})
