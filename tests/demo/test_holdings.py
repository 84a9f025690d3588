from __future__ import annotations

import numpy as np
import pytest

from crmlib.demo.holdings import CODES, RECORD_SETS, SOURCES, draw_holdings
from tests.demo.conftest import AS_OF_DATE

NUMBER = np.arange(10_000)
ENTERED_ON = np.datetime64("2021-05-04") + NUMBER % 1_900


@pytest.fixture(scope="module")
def holdings():
    return draw_holdings(5, NUMBER, ENTERED_ON, AS_OF_DATE)


def test_shares_are_a_distribution_with_28_percent_duplicates() -> None:
    shares = np.array([share for _, share in RECORD_SETS])
    records = np.array([sum(counts) for counts, _ in RECORD_SETS])
    assert shares.sum() == pytest.approx(1)
    assert records.min() == 1
    assert 1 - 1 / (shares @ records) == pytest.approx(0.28, abs=0.005)


def test_everybody_has_a_record(holdings) -> None:
    assert len(np.unique(np.concatenate([holding.person for holding in holdings.values()]))) == len(NUMBER)
    assert set(holdings) == set(SOURCES)


def test_codes_are_unique_and_tell_nothing_of_the_person(holdings) -> None:
    for holding in holdings.values():
        assert len(np.unique(holding.code)) == len(holding)
        assert 0 <= holding.code.min() <= holding.code.max() < CODES
        assert (np.diff(holding.code) > 0).all()
        assert abs(np.corrcoef(holding.code, holding.person)[0, 1]) < 0.05
        neighbours = (holding.person[1:] == holding.person[:-1]).sum()
        assert neighbours <= 3


def test_records_are_made_before_they_are_changed_and_before_the_end(holdings) -> None:
    for holding in holdings.values():
        assert (holding.created_on >= ENTERED_ON[holding.person]).all()
        assert (holding.updated_on >= holding.created_on).all()
        assert (holding.updated_on <= np.datetime64(AS_OF_DATE)).all()
