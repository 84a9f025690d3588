"""Rooms 05 and 06, cell by cell, on tickets no model was made for: a stated fallback or a clear sentence."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crmlib.errors import NothingToDo
from crmlib.params import Params, dump_params
from crmlib.room import WRITER_VARIABLE, Room
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore

AS_OF = date(2026, 11, 1)
ROOMS = ("05_purchase_patterns", "06_churn_and_value")
ZONE = ZoneInfo("Atlantic/Canary")


@dataclass
class Visit:
    """What both rooms said and left: the texts of their cells, and the sentence of a room that had nothing to do."""

    folder: RunFolder
    said: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def frame(self, name: str) -> pd.DataFrame:
        return Room(self.folder, "07_segments").frame(name)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def run_cells(root: Path, name: str, run_dir: Path, said: list[str]) -> None:
    """Run a notebook's cells here, keeping what each would show as text."""
    names: dict[str, object] = {}
    for cell in json.loads((root / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names["run_dir"] = str(run_dir)
        shown = None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), names)
        if shown is not None:
            said.append(str(shown))


@pytest.fixture
def visit(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Visit]:
    """Give tickets (customer, bought_at, amount) to both rooms."""

    def visit(tickets: pd.DataFrame, as_of: date = AS_OF, stores: pa.Table | None = None) -> Visit:
        params = {
            "run": {"name": "odd", "as_of_date": str(as_of), "timezone": str(ZONE)},
            "sources": {"till": {"owner": "IT", "tickets": {"path": "a.csv", "fields": {"ticket_id": "A"}}}},
        }
        manifest = {
            "as_of_date": str(as_of),
            "base": None,
            "params": dump_params(Params.model_validate(params)),
            "params_file": "/x/p.yaml",
            "inputs": {},
        }
        folder = RunStore(tmp_path / "runs").create("odd", "odd", manifest)
        monkeypatch.setenv(WRITER_VARIABLE, folder.manifest()["writer"])
        Room(folder, "01_intake").write("tickets", as_tickets(tickets))
        if stores is not None:
            Room(folder, "01_intake").write("stores", stores)
        Room(folder, "03_deduplication").write("identities", identify(tickets))
        made = Visit(folder)
        for name in ROOMS:
            try:
                run_cells(root, name, folder.path, made.said)
            except NothingToDo as error:
                made.left[name] = str(error)
        return made

    return visit


def as_tickets(tickets: pd.DataFrame) -> pa.Table:
    rows = [
        {
            "source": "till", "ticket_id": f"t{number}", "record_source": "till", "source_record_id": row.customer,
            "store_id": "s1", "bought_at": row.bought_at.to_pydatetime(), "bought_on": row.bought_at.date(),
            "amount": Decimal(f"{row.amount:.2f}"), "updated_at": datetime(2020, 1, 1, tzinfo=ZONE),
        }
        for number, row in enumerate(tickets.itertuples())
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def identify(tickets: pd.DataFrame) -> pd.DataFrame:
    known = tickets["customer"].unique()
    return pd.DataFrame({"source": "till", "source_record_id": known, "customer_id": "c" + known, "household_id": "h"})


def draw(customers: int = 300, seed: int = 1, first: date = date(2025, 5, 1), last: date = AS_OF) -> pd.DataFrame:
    """Customers who come every two to six weeks, at noon, some of whom cease to."""
    random = np.random.default_rng(seed)
    days = (last - first).days
    rows = []
    for customer in range(customers):
        rate, stays = random.uniform(14, 42), random.geometric(0.08)
        bought = random.uniform(0, days / 2) + np.cumsum(np.append(0.0, random.gamma(2, rate / 2, stays)))
        rows += [
            (f"p{customer}", first + timedelta(days=int(day)), random.uniform(5, 80)) for day in bought if day < days
        ]
    log = pd.DataFrame(rows, columns=["customer", "bought_at", "amount"])
    noon = pd.to_datetime(log["bought_at"]) + pd.Timedelta(hours=12)
    return log.assign(bought_at=noon.dt.tz_localize(ZONE))


def check_tables(visit: Visit) -> pd.DataFrame:
    """Chances are chances, nothing is infinite, stages and values are of the same customers; gives the values."""
    values, stages = visit.frame("customer_value"), visit.frame("lifecycle")
    assert set(values["customer_id"]) <= set(stages["customer_id"])
    chances = values.filter(regex=r"^(p_alive|p_buy_\d+d|churn_probability)$").astype(float)
    assert ((chances >= 0) & (chances <= 1)).all(axis=None)
    counts = values.filter(regex=r"^(expected_purchases_\d+d|expected_value|clv_\w+)$").astype(float)
    counts = counts.dropna(axis="columns", how="all")  # money, where no amounts are known
    assert (np.isfinite(counts) & (counts >= 0)).all(axis=None)
    window = stages.dropna(subset=["next_purchase_from", "next_purchase_to"])
    assert (window["next_purchase_from"] <= window["next_purchase_median"]).all()
    assert (window["next_purchase_median"] <= window["next_purchase_to"]).all()
    return values


@pytest.mark.full
def test_an_ordinary_base_has_all_tables(visit: Callable[..., Visit]) -> None:
    found = visit(draw())
    assert not found.left
    assert len(check_tables(found)) == 300
    assert len(found.frame("backtest")) > 0


def test_nobody_comes_back(visit: Callable[..., Visit]) -> None:
    found = visit(draw().drop_duplicates("customer"))
    assert list(found.left) == ["06_churn_and_value"]
    assert "bought on two days or more" in found.left["06_churn_and_value"]
    assert "too few to tell how regular purchases are" in found.text
    assert found.frame("customer_value").empty


def test_a_single_customer(visit: Callable[..., Visit]) -> None:
    found = visit(draw().query("customer == 'p1'"))
    assert "1 customers bought on two days or more" in found.left["06_churn_and_value"]
    assert len(found.frame("purchase_summary")) == 1
    assert found.frame("lifecycle").empty


def test_all_on_one_day(visit: Callable[..., Visit]) -> None:
    found = visit(draw().assign(bought_at=pd.Timestamp("2026-10-01 12:00", tz=ZONE)))
    assert "0 customers bought on two days or more" in found.left["06_churn_and_value"]
    assert (found.frame("purchase_summary")["frequency"] == 0).all()


def test_returns_alone(visit: Callable[..., Visit]) -> None:
    found = visit(draw().assign(amount=-5.0))
    assert set(found.left) == set(ROOMS)
    assert "every ticket is anonymous or a return" in found.left["05_purchase_patterns"]
    assert found.frame("purchase_summary").empty


@pytest.mark.full
def test_purchases_worth_nothing(visit: Callable[..., Visit]) -> None:
    """Amounts of nothing are purchases; there is no money to forecast, and the page says so."""
    found = visit(draw().assign(amount=0.0))
    assert not found.left
    values = check_tables(found)
    assert "No amounts are delivered" in found.text
    assert values["clv_12m"].isna().all()


@pytest.mark.full
def test_closed_months(visit: Callable[..., Visit]) -> None:
    tickets = draw(600)
    closed = tickets["bought_at"].between(pd.Timestamp("2026-02-01", tz=ZONE), pd.Timestamp("2026-05-01", tz=ZONE))
    found = visit(tickets[~closed])
    assert not found.left
    check_tables(found)
    assert "No known customer bought from 2026-02-01 to 2026-04-30 (89 days)" in found.text


def test_before_the_store_opened(visit: Callable[..., Visit]) -> None:
    opened = {
        "store_id": "s1",
        "source": "erp",
        "opened_on": date(2025, 9, 1),
        "updated_at": datetime(2020, 1, 1, tzinfo=ZONE),
    }
    tickets = draw(40).query("customer in ['p1', 'p2', 'p3']")
    early = int((tickets["bought_at"] < pd.Timestamp("2025-09-01", tz=ZONE)).sum())
    found = visit(tickets, stores=pa.Table.from_pylist([opened]))
    assert early
    assert f"{early} tickets of store s1 bear dates from 2025-" in found.text
    assert found.frame("purchase_summary")["tickets"].sum() == len(tickets)


def test_before_the_first_ticket(visit: Callable[..., Visit]) -> None:
    found = visit(draw(50), as_of=date(2024, 1, 1))
    assert set(found.left) == set(ROOMS)


@pytest.mark.full
def test_the_hour_that_comes_twice(visit: Callable[..., Visit]) -> None:
    """A purchase day is the day where the shop is, in winter and in summer time, and one at night is of its own day."""
    tickets = draw(200)
    night = pd.DataFrame(
        {
            "customer": ["p1", "p1", "p1"],
            "bought_at": pd.to_datetime(["2026-10-24T22:30Z", "2026-10-25T00:30Z", "2026-10-25T23:30Z"]).tz_convert(
                ZONE
            ),
            "amount": 10.0,
        }
    )
    found = visit(pd.concat([tickets[tickets["customer"] != "p1"], night]))
    assert not found.left
    summary = found.frame("purchase_summary").set_index("customer_id").loc["cp1"]
    assert (summary["frequency"], summary["recency"], summary["tickets"]) == (1, 1, 3)
    check_tables(found)
