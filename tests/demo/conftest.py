from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crmlib.demo.campaigns import Campaign, list_campaigns
from crmlib.demo.defects import DefectLog
from crmlib.demo.people import People, make_people
from crmlib.demo.piece import Piece, make_piece
from crmlib.demo.retailer import DemoSummary, write_retailer
from crmlib.demo.season import Season
from crmlib.demo.story import Story, tell_story

AS_OF_DATE = date(2026, 11, 1)
SEASON = Season.until(AS_OF_DATE)


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


@pytest.fixture(scope="session")
def piece(people: People) -> Piece:
    return make_piece(3, people, SEASON, AS_OF_DATE)


@pytest.fixture(scope="session")
def campaigns() -> list[Campaign]:
    return list_campaigns(SEASON)


@pytest.fixture(scope="session")
def story(piece: Piece, campaigns: list[Campaign]) -> Story:
    return tell_story(
        piece, campaigns, {source: DefectLog(source, "customers") for source in ("shop", "erp", "loyalty")}
    )
