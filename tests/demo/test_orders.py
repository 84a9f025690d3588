from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from crmlib.demo.retailer import DemoSummary


def read(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    return pd.DataFrame(rows, columns=heading)


@pytest.fixture(scope="module")
def lines(data: Path) -> pd.DataFrame:
    return read(data / "shop" / "orders_20261101.csv")


@pytest.fixture(scope="module")
def heads(lines: pd.DataFrame) -> pd.DataFrame:
    return lines[~lines["Name"].duplicated()]


def cents(cells: pd.Series) -> pd.Series:
    return (cells.astype(float) * 100).round().astype(int)


def test_what_is_the_orders_stands_on_its_first_row_alone(lines: pd.DataFrame, heads: pd.DataFrame) -> None:
    following = lines[lines["Name"].duplicated()]
    assert len(following) > len(heads)
    own = [heading for heading in lines if not heading.startswith("Lineitem") and heading not in ("Name", "Vendor")]
    assert (following[own] == "").all(axis=None)
    assert (heads[["Email", "Created at", "Total", "Id"]] != "").all(axis=None)
    assert (lines[["Lineitem quantity", "Lineitem price", "Lineitem sku", "Vendor"]] != "").all(axis=None)
    rows = lines["Name"].map(lines["Name"].value_counts())
    assert (lines.groupby("Name").ngroup().diff().fillna(0) != 0).sum() == len(heads) - 1 or rows.max() > 1


def test_totals_are_the_sums_of_the_lines(lines: pd.DataFrame, heads: pd.DataFrame) -> None:
    gross = cents(lines["Lineitem price"]) * lines["Lineitem quantity"].astype(int)
    net = (gross - cents(lines["Lineitem discount"])).groupby(lines["Name"]).sum()
    told = heads.set_index("Name")
    assert (cents(told["Subtotal"]) == net[told.index]).all()
    assert (cents(told["Total"]) == cents(told["Subtotal"]) + cents(told["Shipping"])).all()
    discount = cents(lines["Lineitem discount"]).groupby(lines["Name"]).sum()
    assert (cents(told["Discount Amount"]) == discount[told.index]).all()
    refunded = cents(told["Refunded Amount"])
    assert ((refunded > 0) == (told["Financial Status"] == "partially_refunded")).all()
    assert (refunded <= cents(told["Subtotal"])).all()
    assert refunded.any()


def test_orders_come_from_the_shops_customers(heads: pd.DataFrame, data: Path, retailer: DemoSummary) -> None:
    customers = read(data / "shop" / "customers.csv")
    assert set(heads["Email"]) <= set(customers["Email"])
    assert customers["Total Orders"].astype(int).sum() == len(heads) == retailer.orders
    assert cents(customers["Total Spent"]).sum() == cents(heads["Total"]).sum()
    accepts = customers.drop_duplicates("Email", keep=False).set_index("Email")["Accepts Email Marketing"]
    known = heads[heads["Email"].isin(accepts.index)]
    assert (known["Accepts Marketing"] == known["Email"].map(accepts)).all()


def test_orders_are_in_the_order_of_time_on_the_islands_clock(heads: pd.DataFrame) -> None:
    moments = pd.to_datetime(heads["Created at"], format="%Y-%m-%d %H:%M:%S %z", utc=True)
    assert moments.is_monotonic_increasing
    local = moments.dt.tz_convert("Atlantic/Canary").dt.strftime("%Y-%m-%d %H:%M:%S")
    assert (heads["Created at"].str[:19] == local).all()
    assert moments.max() < pd.Timestamp("2026-11-02", tz="Atlantic/Canary")
    fulfilled = heads["Fulfilled at"][heads["Fulfilled at"] != ""]
    assert pd.to_datetime(fulfilled, format="%Y-%m-%d %H:%M:%S %z", utc=True).max() < pd.Timestamp(
        "2026-11-02", tz="UTC"
    )
    assert ((heads["Fulfilled at"] == "") == (heads["Fulfillment Status"] == "unfulfilled")).all()
