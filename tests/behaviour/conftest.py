"""What the tests of behaviour share: CDNOW's log, and tickets as intake leaves them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from crmlib.behaviour.purchases import summarise_calibration_and_holdout
from crmlib.engine import Engine

TICKETS = """
    SELECT source, ticket_id, record_source, CAST(source_record_id AS VARCHAR) AS source_record_id,
           CAST(bought_at AS TIMESTAMPTZ) AS bought_at, CAST(bought_at AS DATE) AS bought_on,
           CAST(store_id AS VARCHAR) AS store_id, CAST(channel AS VARCHAR) AS channel,
           CAST(amount AS DECIMAL(18, 2)) AS amount, CAST(discount AS DECIMAL(18, 2)) AS discount,
           CAST(items AS DOUBLE) AS items, CAST(status AS VARCHAR) AS status
    FROM delivered
"""
COLUMNS = {
    "source": "till",
    "record_source": "till",
    "store_id": None,
    "channel": None,
    "amount": 10.0,
    "discount": None,
    "items": None,
    "status": None,
}


def load_log(
    tickets: pd.DataFrame,
    lines: pd.DataFrame | None = None,
    products: pd.DataFrame | None = None,
    engine: Engine | None = None,
) -> Engine:
    """Make the tables that room 05 reads of tickets (source_record_id, bought_at, and what else is given)."""
    engine = engine or Engine(threads=2, memory_limit="2GB")
    tickets = tickets.assign(**{name: value for name, value in COLUMNS.items() if name not in tickets})
    if "ticket_id" not in tickets:
        tickets = tickets.assign(ticket_id=[f"t{number}" for number in range(len(tickets))])
    engine.register("delivered", tickets)
    engine.execute(f"CREATE OR REPLACE TABLE tickets AS {TICKETS}")
    engine.execute(
        "CREATE OR REPLACE TABLE identities AS SELECT DISTINCT record_source AS source, source_record_id, "
        "'c' || source_record_id AS customer_id FROM tickets WHERE source_record_id IS NOT NULL"
    )
    if lines is None:
        lines = pd.DataFrame({"source": ["till"], "ticket_id": ["none"], "product_id": ["none"], "amount": [0.0]})
    if products is None:
        products = pd.DataFrame({"product_id": ["none"], "category": ["none"]})
    engine.register("delivered_lines", lines)
    engine.execute(
        "CREATE OR REPLACE TABLE ticket_lines AS "
        "SELECT * REPLACE (CAST(amount AS DECIMAL(18, 2)) AS amount) FROM delivered_lines"
    )
    engine.register("products", products)
    return engine


@pytest.fixture
def deliver(engine: Engine) -> Callable[..., Engine]:
    return partial(load_log, engine=engine)


@pytest.fixture(scope="session")
def cdnow_log() -> pd.DataFrame:
    """CDNOW's sample of 2,357 customers: source_record_id, bought_at, amount."""
    package = find_spec("lifetimes")  # whose import would be felt by other tests
    text = Path(package.submodule_search_locations[0], "datasets", "CDNOW_sample.txt").read_text()
    rows = [line.split() for line in text.splitlines() if line.strip()]
    log = pd.DataFrame([(row[1], row[2], row[4]) for row in rows], columns=["source_record_id", "day", "amount"])
    return pd.DataFrame(
        {
            "source_record_id": log["source_record_id"],
            "bought_at": pd.to_datetime(log["day"]),
            "amount": log["amount"].astype(float),
        }
    )


@pytest.fixture
def cdnow(deliver: Callable[..., Engine], cdnow_log: pd.DataFrame) -> Engine:
    return deliver(cdnow_log)


@pytest.fixture
def cdnow_39(cdnow: Engine) -> pd.DataFrame:
    """Calibration to 1997-09-30, holdout of the 39 weeks after it: the literature's split."""
    return summarise_calibration_and_holdout(cdnow, date(1997, 9, 30), date(1998, 6, 30))
