"""The audit of many records against the intake of the same, and against a profiler's own run over the same table.

Run as ``python -m tests.benchmarks.audit --rows 1000000``. The profiler is ydata-profiling, if a Python that has it is
named: ``--peer /path/to/venv/bin/python`` (it asks for older packages than the locks hold, so a venv of its own).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path

import yaml

from crmlib.audit.findings import judge
from crmlib.audit.reading import read_checks
from crmlib.room import Room
from crmlib.run_folder import RunFolder
from tests.benchmarks.intake import COLUMNS, Timed, intake, timed, write_file

#: What differs from the intake's file: names of letters and ids with their own letter, but for one record in fifty.
LETTERS = "translate(CAST({} AS VARCHAR), '0123456789', 'abcdefghij')"
RIGHT = {
    "given_name": f"'Nombre' || {LETTERS.format('i * 7919 % 4001')}",
    "surname_1": f"'Apellido' || {LETTERS.format('i * 104729 % 20011')}",
    "surname_2": f"'Segundo' || {LETTERS.format('i * 15485863 % 20021')}",
    "national_id": "lpad(CAST(i % 99999999 AS VARCHAR), 8, '0') || "
    "CASE WHEN i % 50 = 0 THEN 'I' ELSE 'TRWAGMYFPDXBNJZSQVHLCKE'[CAST(i % 99999999 % 23 AS INT) + 1] END",
    "email": "'persona' || i || CASE WHEN i % 50 = 1 THEN '@@' ELSE '@' END || 'correo.example'",
    "phone": "CASE WHEN i % 50 = 2 THEN '5' ELSE '6' END || lpad(CAST(i % 99999999 AS VARCHAR), 8, '0')",
}
#: The same with the whole name in one field, as an ERP has it.
WHOLE_NAME = f"{RIGHT['given_name']} || ' ' || {RIGHT['surname_1']} || ' ' || {RIGHT['surname_2']}"
#: Its own way, or the fastest: without plots of interactions and without correlations.
PROFILE = """
import sys
import pandas as pd
from ydata_profiling import ProfileReport
frame = pd.read_parquet(sys.argv[1])
frame = frame.dropna(axis=1, how="all").drop(columns=["tags", "interests"], errors="ignore")
ProfileReport(frame, minimal=sys.argv[2] == "minimal", progress_bar=False).to_json()
"""


def audit(folder: Path) -> None:
    """What room 02 computes of the run that the intake left."""
    room = Room(RunFolder(folder / "runs" / "first"), "02_database_audit")
    checks = read_checks(room.params.audit, room.params_file, list(room.params.sources))
    judged = judge(
        room.engine, checks, room.params, room.as_of_date, room.cutoff,
        stored=room.stored, superseded=room.superseded, base=room.base_table,
    )  # fmt: skip
    counted = room.engine.row(f"SELECT count(*) AS n, sum(failing) AS failing FROM {judged.findings}")
    print(f"    {counted['n']} findings, {counted['failing']:,} failing values", flush=True)


def time_profile(python: str, table: Path, way: str) -> Timed:
    """How long the profiler's own run over a table takes, in a process of its own."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([python, "-c", PROFILE, str(table), way], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{f'ydata-profiling ({way})':28}{seconds:>9.1f} s{used:>9.1f} s of the processors", flush=True)
    return Timed(seconds, used)


def main() -> None:
    """Read the command line, run the benchmark."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit")
    reader.add_argument("--rows", type=int, default=200_000, help="records")
    reader.add_argument("--one-name", action="store_true", help="the whole name in one field")
    reader.add_argument("--peer", help="a Python that has ydata-profiling")
    reader.add_argument("--whole", action="store_true", help="the profiler's own way, in place of its fastest")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = COLUMNS | RIGHT
        if given.one_name:
            parts = ("given_name", "surname_1", "surname_2")
            columns = {"full_name": WHOLE_NAME} | {field: made for field, made in columns.items() if field not in parts}
        write_file(folder / "customers.csv", given.rows, columns)
        entity = {
            "path": "customers.csv",
            "fields": {field: field.upper() for field in columns},
            "values": {"gender": {"H": "male", "M": "female"}},
        }
        run = {"name": "bench", "as_of_date": date(2026, 11, 1), "timezone": "Atlantic/Canary"}
        run["engine"] = {"threads": 2, "memory_limit": "4GB"}
        (folder / "params.yaml").write_text(yaml.safe_dump({"run": run, "sources": {"erp": {"customers": entity}}}))
        print(f"{given.rows:,} records, {len(columns)} fields")
        taken = timed("intake", intake, folder, "first", None)
        audited = timed("audit", audit, folder)
        print(f"audit / intake {audited.beside(taken)}")
        if given.peer:
            table = folder / "runs" / "first" / "tables" / "source_records.parquet"
            profiled = time_profile(given.peer, table, "whole" if given.whole else "minimal")
            print(f"ydata-profiling / audit {profiled.beside(audited)}")


if __name__ == "__main__":
    main()
