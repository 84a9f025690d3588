from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crmlib.demo.people import People, make_people
from crmlib.demo.retailer import DemoSummary, write_retailer

AS_OF_DATE = date(2026, 11, 1)


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> DemoSummary:
    return write_retailer(tmp_path_factory.mktemp("demo") / "retailer", people=1_500, as_of_date=AS_OF_DATE)


@pytest.fixture(scope="session")
def data(retailer: DemoSummary) -> Path:
    return retailer.directory / "data"


@pytest.fixture(scope="session")
def truth(retailer: DemoSummary) -> Path:
    return retailer.directory / "truth"


@pytest.fixture(scope="session")
def people() -> People:
    return make_people(seed=3, first=0, count=4_000, total=4_000, as_of_date=AS_OF_DATE)
