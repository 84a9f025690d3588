"""Margins by hand: by category, over all, and not at all."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib.behaviour.margins import CATEGORY_MARGINS, MARGIN_SHARES, OVERALL_MARGIN, add_margin
from crmlib.engine import Engine
from tests.made_tables import at, make_tables

VALUES = pd.DataFrame({"customer_id": ["a", "b", "c"], "clv_12m": [100.0, 200.0, 50.0]})
TICKET = {
    "source": "till",
    "ticket_id": "t1",
    "bought_at": at("2026-01-01"),
    "amount": 100,
    "updated_at": at("2026-01-01"),
}
LINES = [
    {"source": "till", "ticket_id": "t1", "line": 1, "product_id": "bread", "quantity": 10, "amount": 50},
    {"source": "till", "ticket_id": "t1", "line": 2, "product_id": "wine", "quantity": 1, "amount": 50},
]
PRODUCTS = [
    {"source": "erp", "product_id": "bread", "category": "Bakery", "cost": 2},
    {"source": "erp", "product_id": "wine", "category": "Cellar", "cost": 40},
]


@pytest.fixture
def costed(engine: Engine) -> Engine:
    make_tables(engine, tickets=[TICKET], ticket_lines=LINES, products=PRODUCTS)
    engine.execute(
        "CREATE TABLE purchase_summary AS SELECT * FROM (VALUES ('a', MAP {'Bakery': 0.75, 'Cellar': 0.25}), "
        "('b', MAP {'Cellar': 0.5, 'Toys': 0.5}), ('c', NULL)) AS t(customer_id, category_shares)"
    )
    return engine


def test_each_customer_has_the_margin_of_what_is_bought(costed: Engine) -> None:
    """Bakery earns 60 %, the cellar 20 %, both together 40 %; a category without costs is left out."""
    found = add_margin(costed, VALUES)
    assert found["margin_12m"].to_list() == pytest.approx([100 * (0.75 * 0.6 + 0.25 * 0.2), 200 * 0.2, 50 * 0.4])


def test_without_costs_the_tickets_own_margin_holds_for_all(costed: Engine) -> None:
    make_tables(costed, "ticket_lines", tickets=[TICKET | {"margin": 30}])
    assert add_margin(costed, VALUES)["margin_12m"].to_list() == pytest.approx([30, 60, 15])


def test_where_nothing_tells_a_margin_none_is_told(costed: Engine) -> None:
    make_tables(costed, "ticket_lines", tickets=[TICKET])
    assert "margin_12m" not in add_margin(costed, VALUES)
    assert "margin_12m" not in add_margin(costed, VALUES[["customer_id"]])


@pytest.mark.parametrize("step", [CATEGORY_MARGINS, OVERALL_MARGIN, MARGIN_SHARES], ids=lambda step: step.name)
def test_the_steps_can_be_written_as_spark_sql(step) -> None:
    assert step.spark.startswith(("SELECT", "WITH"))
