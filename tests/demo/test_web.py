from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from crmlib.demo.story import Story
from crmlib.demo.web import UNKNOWN_PRODUCT
from crmlib.demo.words import read_products
from crmlib.tables import CONTRACTS
from tests.demo.conftest import SEASON

SECONDS_PER_DAY = 86_400


@pytest.fixture(scope="module")
def events(data: Path) -> pd.DataFrame:
    table = pq.read_table(data / "web" / "events.parquet")
    assert table.schema.names == ["event_id", "event", "user_id", "client_id", "sku", "occurred_at"]
    assert str(table.schema.field("occurred_at").type) == "timestamp[ms, tz=UTC]"
    return table.to_pandas()


def test_events_are_those_of_the_contract(events: pd.DataFrame) -> None:
    known = CONTRACTS["web_events"].column("event")
    assert known is not None
    assert set(events["event"]) == set(known.values)
    assert events["event_id"].is_unique
    assert events["occurred_at"].max() < pd.Timestamp("2026-11-02", tz="Atlantic/Canary")


def test_unknown_products_are_the_planted_ones(events: pd.DataFrame, truth: Path) -> None:
    unknown = events[~events["sku"].isin(read_products().product_id.tolist())]
    assert set(unknown["sku"]) == {UNKNOWN_PRODUCT}
    planted = pq.read_table(truth / "defects.parquet").to_pandas().query("source == 'web'")
    assert set(unknown["event_id"]) == set(planted["row_key"])


def test_a_visit_goes_from_view_to_its_end(events: pd.DataFrame) -> None:
    order = {name: place for place, name in enumerate(["category", "search", "view", "cart", "checkout", "abandon"])}
    events = events.sort_values(["client_id", "occurred_at"])
    step = events["event"].map(order)
    same = events["client_id"] == events["client_id"].shift()
    assert (step.diff()[same] > 0).all()
    visits = events.groupby("client_id")["event"].agg(set)
    assert not any({"checkout", "abandon"} <= visit for visit in visits)
    assert all("cart" in visit for visit in visits if visit & {"checkout", "abandon"})
    assert (visits.map(lambda visit: "abandon" in visit)).sum() > 100


def test_orders_end_in_checkouts_of_known_customers(events: pd.DataFrame, data: Path) -> None:
    checkouts = events[events["event"] == "checkout"]
    assert checkouts["user_id"].notna().all()
    with (data / "shop" / "customers.csv").open(encoding="utf-8") as file:
        ids = {line.split(",")[0].removeprefix("'") for line in file}
    assert set(events["user_id"].dropna()) <= ids
    assert events["user_id"].isna().mean() > 0.2


def test_carts_are_left_by_account_holders_while_they_are_customers(story: Story) -> None:
    carts, reach = story.carts, story.reach
    assert (np.diff(carts.second) >= 0).all()
    assert (reach.account_day[carts.person] <= carts.day).all()
    assert (carts.day < np.maximum(SEASON.days, 0)).all()
    stop = SEASON.day_of(story.piece.rhythm.stop, story.piece.rhythm.island)
    assert (carts.day <= stop[carts.person]).all()
    assert len(carts.person) > 200
