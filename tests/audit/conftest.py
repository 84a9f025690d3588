"""A small database whose defects are known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from crmlib.audit.findings import Judged, judge
from crmlib.audit.reading import AuditFile, read_checks
from crmlib.engine import Engine
from crmlib.params import ENTITIES, Params
from crmlib.tables import CONTRACTS

AS_OF = date(2026, 11, 1)
CUTOFF = datetime(2026, 11, 2, tzinfo=UTC)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
NEW = datetime(2026, 10, 1, tzinfo=UTC)
OTHERS = ("intake_ledger", "rejected_rows", "repeated_rows", "audit_findings", "audit_scores", "audit_history")


def fill(engine: Engine, table: str, rows: list[dict], name: str | None = None) -> str:
    """A table of a contract, columns that are absent being empty."""
    columns = [column for column in CONTRACTS[table].columns if "<" not in column.name]
    engine.register("given", pa.Table.from_pylist([{c.name: row.get(c.name) for c in columns} for row in rows or [{}]]))
    casts = ", ".join(f'CAST("{c.name}" AS {c.sql_type}) AS "{c.name}"' for c in columns)
    engine.execute(f"CREATE OR REPLACE TABLE {name or table} AS SELECT {casts} FROM given")
    if not rows:
        engine.execute(f"DELETE FROM {name or table}")
    return name or table


def record(source: str, key: str, **more) -> dict:
    place = {"delivery": f"{source}.csv", "delivery_row": int(key) if key.isdigit() else None}
    return {"source": source, "source_record_id": key, "updated_at": NEW, **place, **more}


def ticket(key: str, amount: str | None = "10", **more) -> dict:
    day = more.pop("bought_on", date(2026, 10, 1))
    return {
        "source": "pos",
        "ticket_id": key,
        "amount": None if amount is None else Decimal(amount),
        "bought_on": day,
        "bought_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "updated_at": NEW,
        "delivery": "tickets.csv",
        "delivery_row": int(key),
        **more,
    }


def consent(source: str, key: str, channel: str = "email", decision: str = "granted", **more) -> dict:
    return {
        "source": "consents",
        "record_source": source,
        "source_record_id": key,
        "channel": channel,
        "purpose": "marketing",
        "decision": decision,
        "happened_at": NEW,
        "updated_at": NEW,
        **more,
    }


def load(source: str, name: str, rows: int = 10, entity: str = "customers", day: int = 1) -> dict:
    moment = datetime(2026, 10, day, 23, tzinfo=UTC)
    return {"source": source, "entity": entity, "load": name, "rows_read": rows, "delivered_at": moment}


class Database:
    """The tables that room 02 reads, and what it makes of them."""

    def __init__(self, engine: Engine, params: Params) -> None:
        self.engine, self.params = engine, params
        self.stored: dict[str, str] = {}
        self.superseded: dict[str, int] = {}
        self.base: dict[str, str] = {}

    def fill(self, **tables: list[dict]) -> Database:
        for table in (*ENTITIES.values(), *OTHERS):
            fill(self.engine, table, tables.get(table, []))
        return self

    def store(self, table: str, rows: list[dict], superseded: int = 0) -> None:
        """What is stored of a table beyond what can be seen."""
        self.stored[table] = fill(self.engine, table, rows, f"stored_{table}")
        self.superseded[table] = superseded

    def judge(self, checks: AuditFile | None = None) -> Judged:
        from pathlib import Path

        found = checks or read_checks(self.params.audit, Path("params.yaml"), list(self.params.sources))
        return judge(
            self.engine, found, self.params, AS_OF, CUTOFF,
            stored=self.stored.get, superseded=self.superseded, base=self.base.get,
        )  # fmt: skip

    def findings(self, checks: AuditFile | None = None) -> dict[tuple, dict]:
        """(source, field, check) -> its finding."""
        rows = self.engine.rows(f"FROM {self.judge(checks).findings}")
        found = {(row["source"], row["field"], row["check"]): row for row in rows}
        assert len(found) == len(rows)
        return found


@pytest.fixture
def database(engine, params) -> Database:
    return Database(engine, params)


@pytest.fixture
def params() -> Params:
    customers = {"path": "a", "fields": {"source_record_id": "a"}}
    return Params.model_validate(
        {
            "run": {"name": "demo", "as_of_date": "2026-11-01"},
            "sources": {
                "erp": {"owner": "IT", "customers": customers},
                "shop": {"owner": None, "customers": customers},
            },
            "audit": {"stale_after_days": 730},
        }
    )
