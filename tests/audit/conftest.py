"""A small database whose defects are known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from crmlib.engine import Engine
from crmlib.params import Params
from crmlib.tables import CONTRACTS

AS_OF = date(2026, 11, 1)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
NEW = datetime(2026, 10, 1, tzinfo=UTC)


def _typed(engine: Engine, table: str, rows: list[dict]) -> None:
    """A table of a contract, columns that are absent being empty."""
    columns = [column for column in CONTRACTS[table].columns if "<" not in column.name]
    engine.register("given", pa.Table.from_pylist([{c.name: row.get(c.name) for c in columns} for row in rows]))
    casts = ", ".join(f'CAST("{c.name}" AS {c.sql_type}) AS "{c.name}"' for c in columns)
    engine.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {casts} FROM given")


def record(source: str, key: str, **more) -> dict:
    return {"source": source, "source_record_id": key, "updated_at": NEW, **more}


def ticket(key: str, amount: str | None = "10", **more) -> dict:
    day = more.pop("bought_on", date(2026, 10, 1))
    return {
        "source": "pos",
        "ticket_id": key,
        "amount": None if amount is None else Decimal(amount),
        "bought_on": day,
        "bought_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "updated_at": NEW,
        **more,
    }


@pytest.fixture
def database(engine):
    """Make the tables that room 02 reads."""

    def database(records: list[dict], tickets: list[dict] | None = None, stores: list[dict] | None = None) -> Engine:
        _typed(engine, "source_records", records)
        for table, rows in (("tickets", tickets), ("stores", stores), ("audit_findings", None), ("audit_scores", None)):
            _typed(engine, table, rows or [{}])
            if not rows:
                engine.execute(f"DELETE FROM {table}")
        return engine

    return database


@pytest.fixture
def params() -> Params:
    return Params.model_validate(
        {
            "run": {"name": "demo", "as_of_date": "2026-11-01"},
            "sources": {
                "erp": {"owner": "IT", "customers": {"path": "a", "fields": {"source_record_id": "a"}}},
                "shop": {"owner": None, "customers": {"path": "a", "fields": {"source_record_id": "a"}}},
            },
            "audit": {"stale_after_days": 730},
        }
    )
