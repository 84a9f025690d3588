from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.dates import OLDEST_AGE, normalise_birth_date

TODAY = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("value", "defect"),
    [
        (date(1900, 1, 1), "default"),
        (date(1970, 1, 1), "default"),
        (date(1899, 12, 30), "default"),
        (TODAY + timedelta(days=1), "future"),
        (date(1850, 5, 5), "too_old"),
    ],
)
def test_impossible_dates(value, defect):
    assert normalise_birth_date(value, TODAY) == (None, defect, False)


def test_nothing_is_no_defect():
    assert normalise_birth_date(None, TODAY) == (None, None, False)


@given(st.dates(date(1800, 1, 1), date(2100, 1, 1)))
def test_a_valid_date_is_kept_and_stays_valid(value):
    once = normalise_birth_date(value, TODAY)
    assert once.date in (None, value)
    assert once.valid is (once.date is not None) is (once.defect is None)
    if once.valid:
        assert normalise_birth_date(once.date, TODAY) == once
        assert TODAY.year - OLDEST_AGE <= value.year
        assert value <= TODAY
