"""A folder of delivered files, taken in run after run."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from crmlib.engine import Engine, quote
from crmlib.files import hash_file
from crmlib.params import Params, end_of_day, load_params
from crmlib.sources.intake import Intake, take_in
from crmlib.table_files import conform
from crmlib.tables import CONTRACTS


class Deliveries:
    """Files in a folder, and what intake makes of them; each intake builds on the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(threads=2, memory_limit="1GB")
        self.base: dict[str, str] = {}
        self.runs = 0
        self.quarantined: str | None = None
        self.intake: Intake | None = None

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def params(
        self, sources: dict[str, Any], as_of: str = "2026-11-01", timezone: str = "UTC", **sections: Any
    ) -> Params:
        run = {"name": "test", "as_of_date": as_of, "timezone": timezone}
        text = yaml.safe_dump({"run": run, "sources": sources, **sections}, sort_keys=False, allow_unicode=True)
        return load_params(self.write("params.yaml", text))

    def take_in(self, sources: dict[str, Any], as_of: str = "2026-11-01", timezone: str = "UTC") -> Intake:
        params = self.params(sources, as_of, timezone)
        cutoff = end_of_day(date.fromisoformat(as_of), timezone)
        self.intake = take_in(
            self.engine,
            params,
            self.folder / "params.yaml",
            cutoff,
            hash_file,
            self.base.get,
            self.quarantined,
            self.folder / ".landed",
        )
        self.runs += 1
        self.quarantined = self.engine.register(f"quarantined_{self.runs}", self.engine.arrow("FROM quarantine"))
        self.base = {
            table: self.engine.register(f"left_{self.runs}_{table}", self.engine.arrow(self._as_written(table, made)))
            for table, made in self.intake.tables.items()
        }
        return self.intake

    def _as_written(self, table: str, made: str) -> str:
        in_order = table in self.intake.in_order
        return conform(CONTRACTS[table], made, self.engine.columns(made), "01_intake", in_order)

    def rows(self, table: str, columns: str = "*") -> list[dict[str, Any]]:
        """What the last run left of a table, sorted."""
        return self.engine.rows(f"SELECT {columns} FROM {quote(self.base[table])} ORDER BY ALL")

    def values(self, table: str, column: str) -> list[Any]:
        """One column of what the last run left of a table, in the order of its key."""
        return [row[column] for row in self.rows(table)]

    def ledger(self) -> list[tuple[int, int, int, int]]:
        """Rows read, accepted, rejected, unchanged of each file of the last run, by the file's name."""
        columns = ["rows_read", "rows_accepted", "rows_rejected", "rows_unchanged"]
        return [tuple(map(int, row)) for row in self.intake.deliveries.sort_values("load")[columns].to_numpy()]

    def rejected(self) -> list[tuple[int, str, str]]:
        """Row, field and rule of what the last run rejected."""
        rows = self.engine.rows("SELECT row, field, rule FROM quarantine ORDER BY ALL")
        return [(row["row"], row["field"], row["rule"]) for row in rows]


@pytest.fixture
def deliveries(tmp_path) -> Deliveries:
    made = Deliveries(tmp_path)
    yield made
    made.engine.close()
