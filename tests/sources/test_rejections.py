"""What was rejected is told without a value, and written out for those who mend it."""

from __future__ import annotations

import csv
import stat

import pytest
from typer.testing import CliRunner

from crmlib.cli import app
from crmlib.engine import literal
from crmlib.errors import InputError
from crmlib.runs import RunStore
from crmlib.sources.rejections import summarise_rejected, tell_rejected, write_rejected

TICKETS = {"path": "t*.csv", "fields": {"ticket_id": "t", "bought_at": "at", "amount": "paid"}}


@pytest.fixture
def run(deliveries):
    """A run that took in two sources with faults, its tables in a folder of runs."""
    deliveries.write("t1.csv", "t,at,paid\n1,2026-01-01,5\n2,never,5\n3,soon,5\n4,2026-01-01,much\n5,5\n")
    deliveries.write("c.csv", "id,name,born\n1,Ana Secret,1980-01-01\n2,Eva Secret,31/31/80\n")
    customers = {"path": "c.csv", "fields": {"source_record_id": "id", "full_name": "name", "birth_date": "born"}}
    deliveries.take_in({"pos": {"tickets": TICKETS}, "erp": {"customers": customers}})
    folder = RunStore(deliveries.folder / "runs").create("first", "test", {"as_of_date": "2026-11-01", "base": None})
    engine = deliveries.engine
    for table, place in (("rejected_rows_made", "tables"), ("quarantine", "private")):
        (folder.path / place).mkdir(exist_ok=True)
        path = folder.path / place / "rejected_rows.parquet"
        engine.execute(f"COPY (FROM {table}) TO {literal(str(path))}")
    deliveries.run = folder
    return deliveries


def test_faults_are_counted_by_delivery_field_and_rule(run):
    table = run.run.path / "tables" / "rejected_rows.parquet"
    faults = summarise_rejected(run.engine, table, None)
    assert [(fault["source"], fault["field"], fault["rows"], fault["numbers"]) for fault in faults] == [
        ("erp", "birth_date", 1, [2]),
        ("pos", "bought_at", 2, [2, 3]),
        ("pos", "amount", 1, [4]),
        ("pos", "row", 1, [5]),
    ]
    assert [fault["source"] for fault in summarise_rejected(run.engine, table, "erp")] == ["erp"]
    told = tell_rejected(faults)
    assert told[1].startswith("pos tickets, t1.csv: 2 rows, bought_at: This is not a date")
    assert told[1].endswith("Rows 2, 3")
    assert not any("Secret" in line or "never" in line for line in told)


def test_of_many_rows_only_the_first_numbers_are_told():
    fault = {"source": "s", "entity": "tickets", "delivery": "t", "field": "f", "reason": "R.", "rows": 1200}
    assert tell_rejected([{**fault, "numbers": [1, 2]}]) == ["s tickets, t: 1,200 rows, f: R. Rows 1, 2, …"]


def test_the_rows_are_written_as_they_were_delivered_for_their_owner_alone(run):
    path = run.folder / "mend.csv"
    held = run.run.path / "private" / "rejected_rows.parquet"
    assert write_rejected(run.engine, held, None, path) == 5
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["field"], row["at"], row["name"], row["line"]) for row in rows] == [
        ("2", "birth_date", "", "Eva Secret", ""),
        ("2", "bought_at", "never", "", ""),
        ("3", "bought_at", "soon", "", ""),
        ("4", "amount", "2026-01-01", "", ""),
        ("5", "row", "", "", "5,5"),
    ]
    with pytest.raises(InputError, match="there is such a file already"):
        write_rejected(run.engine, held, None, path)


def test_the_command_tells_and_writes(run):
    runs = ["--runs-dir", str(run.folder / "runs")]
    told = CliRunner().invoke(app, ["rejected", "first", "--source", "pos", *runs])
    assert told.exit_code == 0
    assert "pos tickets, t1.csv: 2 rows, bought_at" in told.output
    assert "erp" not in told.output
    assert "--to FILE.csv" in told.output
    written = CliRunner().invoke(app, ["rejected", "first", "--to", str(run.folder / "out.csv"), *runs])
    assert "5 rows as they were delivered" in written.output
    assert "Secret" not in written.output


def test_without_a_run_named_the_newest_that_took_anything_in_is_told(run):
    runs = ["--runs-dir", str(run.folder / "runs")]
    assert "Run first:" in CliRunner().invoke(app, ["rejected", *runs]).output
    nothing = CliRunner().invoke(app, ["rejected", "--runs-dir", str(run.folder / "none")])
    assert "no run has taken anything in yet" in str(nothing.exception)


def test_what_is_mended_at_the_source_is_taken_up(run):
    run.write("t1.csv", "t,at,paid\n1,2026-01-01,5\n2,2026-01-02,5\n3,soon,5\n4,2026-01-01,6\n5,2026-01-01,5\n")
    run.take_in({"pos": {"tickets": TICKETS}})
    assert run.ledger() == [(5, 3, 1, 1)]
    assert run.rejected() == [(3, "bought_at", "not_a_date")]
    assert run.values("tickets", "ticket_id") == ["1", "2", "4", "5"]


def test_what_is_mended_in_the_mapping_is_taken_up(run):
    born = {"from": "born", "if_wrong": "empty"}
    fields = {"source_record_id": "id", "full_name": "name", "birth_date": born}
    run.take_in({"erp": {"customers": {"path": "c.csv", "fields": fields}}})
    assert run.ledger() == [(2, 1, 0, 1)]
    assert [row["delivery"] for row in run.rows("rejected_rows")] == ["t1.csv"] * 4
