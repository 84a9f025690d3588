"""Dates and numbers are read in the format a file writes them in, or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.engine import Engine
from crmlib.params import EntitySource
from crmlib.sources.formats import Formats, find_formats, prepared_name, read_as
from crmlib.tables import Column


def read(
    engine: Engine, kind: str, values: list, timezone: str = "UTC", arrow: pa.DataType | None = None, **dialect
) -> tuple[list, list, Formats]:
    """Values read, rules broken, and the formats found, of one field."""
    column = Column("field", kind, "", values=dialect.pop("allowed", ()), null=dialect.pop("null", True))
    engine.register(
        "said", pa.table({"row": range(1, len(values) + 1), "field": pa.array(values, arrow or pa.string())})
    )
    said_as = engine.columns("said")["field"]
    texts = [column] if said_as == "VARCHAR" else []
    formats = find_formats(engine, "said", texts, EntitySource(path="x", dialect=dialect))
    reading = read_as(column, said_as, formats, timezone)
    prepared = f"SELECT *, {reading.prepared or 'NULL'} AS {prepared_name('field')} FROM said"
    broken = f"CASE WHEN field IS NOT NULL AND value IS NULL THEN {reading.rule or 'NULL'} END"
    rows = engine.rows(f"SELECT {reading.value} AS value, {broken} AS rule FROM ({prepared}) ORDER BY row")
    return [row["value"] for row in rows], [row["rule"] for row in rows], formats


DAY = date(2026, 2, 1)


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-02-01", "2026-02-28"],
        ["01/02/2026", "28/02/2026"],
        ["1/2/2026", "28/2/2026"],
        ["02/01/2026", "02/28/2026"],
        ["01-02-2026", "28-02-2026"],
        ["01.02.2026", "28.02.2026"],
        ["20260201", "20260228"],
        ["2026/02/01", "2026/02/28"],
        ["01/02/26", "28/02/26"],
        ["01/02/2026 23:59", "28/02/2026 00:00"],
    ],
)
def test_the_format_of_a_date_is_found_out(engine, texts):
    values, rules, formats = read(engine, "date", texts)
    assert values == [DAY, date(2026, 2, 28)]
    assert rules == [None, None]
    assert formats.sniffed[0].startswith("field %")


def test_a_date_that_may_be_either_has_the_day_first(engine):
    assert read(engine, "date", ["01/02/2026"])[0] == [DAY]


def test_one_telling_date_decides_for_its_column(engine):
    assert read(engine, "date", ["02/01/2026"] * 50 + ["02/13/2026"])[0][0] == DAY


def test_a_format_that_is_given_is_not_sniffed(engine):
    values, rules, formats = read(engine, "date", ["02/01/2026", "13/02/2026"], date="%m/%d/%Y")
    assert values == [DAY, None]
    assert rules == [None, "not_a_date"]
    assert formats.sniffed == ()


def test_a_given_format_with_a_clock_is_taken_as_it_is(engine):
    values, rules, _ = read(engine, "time", ["01.02.2026 10h30", "01.02.2026"], date="%d.%m.%Y %Hh%M")
    assert values == [datetime(2026, 2, 1, 10, 30, tzinfo=UTC), None]
    assert rules == [None, "not_a_date"]


@pytest.mark.parametrize(
    "text", ["never", "2026-02-30", "0000-00-00", "2026-13-01", "1026-02-01", "9999-12-31", "10:30", "2026"]
)
def test_what_is_no_date_is_a_fault(engine, text):
    values, rules, _ = read(engine, "date", ["2026-02-01", text])
    assert values == [DAY, None]
    assert rules == [None, "not_a_date"]


MOMENT = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "timezone"),
    [
        ("2026-07-01 10:30:00", "Europe/Madrid"),
        ("2026-07-01 09:30:00", "Atlantic/Canary"),
        ("2026-07-01 10:30", "Europe/Madrid"),
        ("2026-07-01T10:30:00.000", "Europe/Madrid"),
        ("2026-07-01T10:30", "Europe/Madrid"),
        ("01/07/2026 10:30 AM", "Europe/Madrid"),
        ("2026-07-01T08:30:00Z", "Europe/Madrid"),
        ("2026-07-01T08:30Z", "Europe/Madrid"),
        ("2026-07-01 08:30:00 UTC", "Europe/Madrid"),
        ("2026-07-01 10:30:00+02:00", "Atlantic/Canary"),
        ("2026-07-01 10:30:00+0200", "Atlantic/Canary"),
        ("2026-07-01 10:30:00 +0200", "Atlantic/Canary"),
        ("2026-07-01 10:30:00+02", "Atlantic/Canary"),
        ("2026-07-01T10:30+02:00", "Atlantic/Canary"),
        ("2026-07-01 10:30:00.000000+02:00", "Atlantic/Canary"),
    ],
)
def test_a_time_is_read_where_its_source_is_or_where_it_says(engine, text, timezone):
    assert read(engine, "time", [text], timezone)[0] == [MOMENT]


def test_winter_and_summer_time_are_told_apart(engine):
    values, _, _ = read(engine, "time", ["2026-01-01 10:30:00", "2026-07-01 10:30:00"], "Europe/Madrid")
    assert values == [datetime(2026, 1, 1, 9, 30, tzinfo=UTC), MOMENT]


def test_clocks_may_differ_in_one_column(engine):
    texts = ["2026-07-01T08:30:00", "2026-07-01T08:30:00.000000", "2026-07-01", "2026-07-01T08:30:00Z"]
    values, rules, _ = read(engine, "time", texts)
    assert values == [MOMENT, MOMENT, datetime(2026, 7, 1, tzinfo=UTC), MOMENT]
    assert rules == [None] * 4


def test_the_day_of_a_time_with_a_zone_is_the_local_one(engine):
    assert read(engine, "date", ["2026-01-31T23:30:00Z", "2026-02-01T22:30:00Z"], "Europe/Madrid")[0] == [DAY, DAY]


@pytest.mark.parametrize(
    ("kind", "arrow", "value", "expected"),
    [
        ("date", pa.date32(), DAY, DAY),
        ("date", pa.timestamp("us"), datetime(2026, 2, 1, 23), DAY),
        ("date", pa.timestamp("us", tz="UTC"), datetime(2026, 1, 31, 23, 30, tzinfo=UTC), DAY),
        ("date", pa.int64(), 20260201, DAY),
        ("time", pa.timestamp("ns"), datetime(2026, 7, 1, 10, 30), MOMENT),
        ("time", pa.timestamp("us", tz="UTC"), MOMENT, MOMENT),
        ("time", pa.date32(), date(2026, 7, 1), datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("money", pa.float64(), 1.5, Decimal("1.50")),
        ("money", pa.decimal128(12, 4), Decimal("1.5"), Decimal("1.50")),
        ("money", pa.int32(), 3, Decimal("3.00")),
        ("float", pa.int8(), 3, 3.0),
        ("int", pa.int32(), 3, 3),
        ("int", pa.float64(), 3.0, 3),
        ("bool", pa.bool_(), True, True),
        ("bool", pa.int8(), 0, False),
        ("texts", pa.list_(pa.string()), ["a", "", "b"], ["a", "b"]),
    ],
)
def test_a_typed_column_is_read_by_its_type(engine, kind, arrow, value, expected):
    from crmlib.params import FieldFrom
    from crmlib.sources.mapping import text_of

    column = Column("field", kind, "")
    engine.register("given", pa.table({"row": [1], "c": pa.array([value], arrow)}))
    text = text_of(FieldFrom(source_columns="c"), engine.columns("given"), None, column)
    engine.view("said", f"SELECT row, {text} AS field FROM given")
    said_as = engine.columns("said")["field"]
    formats = find_formats(engine, "said", [column] if said_as == "VARCHAR" else [], EntitySource(path="x"))
    reading = read_as(column, said_as, formats, "Europe/Madrid")
    prepared = f"SELECT *, {reading.prepared or 'NULL'} AS {prepared_name('field')} FROM said"
    assert engine.row(f"SELECT {reading.value} AS value FROM ({prepared})") == {"value": expected}


@pytest.mark.parametrize("value", [date(9999, 12, 31), date(1, 1, 1)])
def test_a_typed_date_out_of_reach_is_a_fault(engine, value):
    values, rules, _ = read(engine, "date", [DAY, value], arrow=pa.date32())
    assert (values, rules) == ([DAY, None], [None, "not_a_date"])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["12.50", "3"], ["12.50", "3.00"]),
        (["12,50", "3"], ["12.50", "3.00"]),
        (["1.234,50", "1.234"], ["1234.50", "1234.00"]),
        (["1,234.50", "1,234"], ["1234.50", "1234.00"]),
        (["1 234,50", "1 234,50"], ["1234.50", "1234.50"]),
        (["1 234,5", "2"], ["1234.50", "2.00"]),
        (["1'234.50"], ["1234.50"]),
        (["-12,50", "12,50-", "+12,50"], ["-12.50", "-12.50", "12.50"]),
        (["12,50 €", "€ 1.234,50"], ["12.50", "1234.50"]),
        (["EUR 12.50", "12.50 EUR", "$3.00", "£4.10"], ["12.50", "12.50", "3.00", "4.10"]),
        ([".5", "5."], ["0.50", "5.00"]),
        (["1.5e2", "1E-1"], ["150.00", "0.10"]),
        (["0,125", "0,375"], ["0.13", "0.38"]),
        (["1234567,8"], ["1234567.80"]),
    ],
)  # fmt: skip
def test_amounts_are_read_in_the_sign_their_column_shows(engine, texts, expected):
    values, rules, _ = read(engine, "money", texts)
    assert rules == [None] * len(texts)
    assert values == [Decimal(value) for value in expected]


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (["12,50", "7,10", "12.5"], [None, None, "not_a_number"]),
        (["12.50", "7.10", "12,5"], [None, None, "not_a_number"]),
        (["12,50", "1.23.456,00"], [None, "not_a_number"]),
        (["12.50", "1.2.3"], [None, "not_a_number"]),
        (["12.50", "twelve", "-", "1-2"], [None, "not_a_number", "not_a_number", "not_a_number"]),
        (["12.50", "10000000"], [None, "impossible_amount"]),
        (["12.50", "-99999999999.00"], [None, "impossible_amount"]),
        (["12.50", "nan", "inf"], [None, "not_a_number", "not_a_number"]),
        (["12.50", "9999999.99"], [None, None]),
    ],
)
def test_what_does_not_fit_the_columns_format_is_a_fault_and_never_another_number(engine, texts, rules):
    values, found, _ = read(engine, "money", texts)
    assert found == rules
    assert [value is None for value in values] == [rule is not None for rule in rules]


def test_the_decimal_sign_is_that_of_params_where_it_is_given(engine):
    values, rules, formats = read(engine, "money", ["1.234", "12,5", "12.5"], decimal=",")
    assert values == [Decimal("1234.00"), Decimal("12.50"), None]
    assert rules[2] == "not_a_number"
    assert formats.sniffed == ()


def test_each_field_has_its_own_decimal_sign_and_the_undecided_that_of_most(engine):
    engine.register(
        "said",
        pa.table({"row": [1, 2], "cost": ["1,50", "2,75"], "latitude": ["28.4636", "27.92"], "sales": ["1.234", "5"]}),
    )
    columns = [Column("cost", "money", ""), Column("latitude", "float", ""), Column("sales", "money", "")]
    formats = find_formats(engine, "said", columns[:1] + columns[2:], EntitySource(path="x"))
    assert formats.decimals == {"cost": ",", "sales": ","}
    formats = find_formats(engine, "said", columns, EntitySource(path="x"))
    assert (formats.decimals["cost"], formats.decimals["latitude"]) == (",", ".")
    assert formats.sniffed == ("decimal ,", "decimal .")


def test_a_number_that_is_none_is_nothing_or_a_fault_in_typed_files(engine):
    values, rules, _ = read(engine, "money", [1.0, 1e12, None], arrow=pa.float64())
    assert values == [Decimal("1.00"), None, None]
    assert rules == [None, "impossible_amount", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sí", True),
        ("S", True),
        ("x", True),
        ("1", True),
        ("YES", True),
        ("no", False),
        ("N", False),
        ("0", False),
        ("maybe", None),
    ],
)
def test_yes_and_no(engine, text, expected):
    values, rules, _ = read(engine, "bool", [text])
    assert values == [expected]
    assert rules == [None if expected is not None else "not_yes_or_no"]


@pytest.mark.parametrize("text", ["a, b", "a;b", "a|b", "a ::: b", "a,,b,"])
def test_several_values_in_one_cell(engine, text):
    assert read(engine, "texts", [text])[0] == [["a", "b"]]


def test_a_value_of_a_list_is_one_of_it(engine):
    values, rules, _ = read(engine, "text", ["Male", "H"], allowed=("male", "female"))
    assert (values, rules) == (["male", None], [None, None])
    values, rules, _ = read(engine, "text", ["Male", "H"], allowed=("male", "female"), null=False)
    assert rules == [None, "unknown_value"]


def test_a_sample_of_many_rows_gives_the_format(engine):
    texts = ["01/02/2026"] * 60_000
    texts[29_999::3] = ["02/13/2026"] * len(texts[29_999::3])
    values, _, formats = read(engine, "date", texts)
    assert formats.sniffed == ("field %m/%d/%Y",)
    assert values[0] == date(2026, 1, 2)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.decimals(-9_999_999, 9_999_999, places=2, allow_nan=False), min_size=1, max_size=20),
    st.sampled_from([(",", "."), (".", ","), (",", " "), (".", "'"), (",", "")]),
    st.sampled_from(["{}", "{} €", "EUR {}"]),
)
def test_what_is_written_is_read(amounts, signs, around):
    decimal, thousands = signs
    texts = []
    for amount in amounts:
        text = f"{amount:,.2f}".translate(str.maketrans({",": thousands, ".": decimal}))
        texts.append(around.format(text))
    engine = Engine(threads=1, memory_limit="200MB")
    values, rules, _ = read(engine, "money", texts)
    engine.close()
    assert rules == [None] * len(texts)
    assert values == amounts
