from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from crmlib.report.formats import axis_format, format_value, is_number


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (1234567, "", "1,234,567"),
        (1234.5, "", "1,234.5"),
        (0.1234, "", "0.12"),
        (0.00123, "", "0.0012"),
        (3.0, "", "3"),
        (1234.567, "0", "1,235"),
        (1234.567, "0.00", "1,234.57"),
        (0.1234, "%", "12%"),
        (0.1234, "0.0%", "12.3%"),
        (0.0, "%", "0%"),
        (0.004, "%", "<1%"),
        (0.00004, "0.0%", "<0.1%"),
        (0.0006, "0.0%", "0.1%"),
        (0.9971, "%", ">99%"),
        (0.9971, "0.0%", "99.7%"),
        (1.0, "%", "100%"),
        (-0.05, "%", "−5%"),
        (12345.6, "€", "€12,346"),
        (12345.6, "EUR", "€12,346"),
        (12345.6, "EUR.2", "€12,345.60"),
        (Decimal("-33.25"), "USD.2", "−$33.25"),
        (5, "PLN", "5 zł"),
        (5, "CHF", "5 CHF"),
        (-3.14159, "0.0", "−3.1"),
        (-0.0001, "0.0", "0.0"),
        (3.14159, "+0.0", "+3.1"),
        (-3.14159, "+0.0", "−3.1"),
        (0, "+0", "0"),
        (float("inf"), "0", "∞"),
        (float("-inf"), "0", "−∞"),
        (date(2026, 11, 1), "", "2026-11-01"),
        (pd.Timestamp("2026-11-01 12:30:59"), "", "2026-11-01 12:30"),
        (datetime(2026, 11, 1, 12, 30), "date", "2026-11-01"),
        (True, "", "yes"),
        (np.bool_(False), "", "no"),
        (np.int64(1200), "", "1,200"),
        (["a", "b"], "", "a, b"),
        ("text", "0.0", "text"),
        (2026, "text", "2026"),
    ],
)
def test_a_value_is_written_for_a_reader(value, form, written):
    assert format_value(value, form) == written


@pytest.mark.parametrize("nothing", [None, float("nan"), np.nan, pd.NA, pd.NaT, Decimal("NaN")])
@pytest.mark.parametrize("form", ["", "0.0", "%", "EUR", "date"])
def test_nothing_is_a_dash(nothing, form):
    assert format_value(nothing, form) == "–"


def test_an_axis_shows_the_decimals_it_needs():
    assert [axis_format("")(value, None) for value in (0, 0.5, 1, 1500)] == ["0", "0.50", "1", "1,500"]
    assert axis_format("%")(0.25, None) == "25%"


@pytest.mark.parametrize(("value", "number"), [(1, True), (1.5, True), (Decimal(1), True), (True, False), ("1", False)])
def test_numbers_are_told_from_texts(value, number):
    assert is_number(value) is number
