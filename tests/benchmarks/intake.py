"""Intake of a large CSV file against DuckDB's bare read-and-write of the same file, and the same delivery once more.

Run as ``python -m tests.benchmarks.intake --rows 5000000``. Every part runs in a process of its own, so that its peak
memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import yaml

from crmlib.files import hash_file
from crmlib.params import dump_params, load_params
from crmlib.room import Room
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore
from crmlib.sources.intake import take_in

#: Field -> the expression that makes its column of a row number.
COLUMNS = {
    "source_record_id": "'C' || i",
    "given_name": "'Nombre' || (i * 7919 % 4001)",
    "surname_1": "'Apellido' || (i * 104729 % 20011)",
    "surname_2": "'Segundo' || (i * 15485863 % 20021)",
    "national_id": "lpad(CAST(i % 99999999 AS VARCHAR), 8, '0') || 'T'",
    "email": "'persona' || i || '@correo.example'",
    "phone": "'6' || lpad(CAST(i % 99999999 AS VARCHAR), 8, '0')",
    "birth_date": "strftime(DATE '1940-01-01' + CAST(i * 31 % 24000 AS INT), '%d/%m/%Y')",
    "gender": "CASE i % 3 WHEN 0 THEN 'H' WHEN 1 THEN 'M' ELSE '' END",
    "language": "'es'",
    "address_line": "'Calle Mayor ' || (i % 300) || ', ' || (i % 9) || 'º'",
    "postcode": "CAST(35000 + i % 600 AS VARCHAR)",
    "municipality": "'Municipio ' || (i % 90)",
    "province": "CASE i % 2 WHEN 0 THEN 'Las Palmas' ELSE 'Santa Cruz de Tenerife' END",
    "country": "'ES'",
    "home_store_id": "'T' || (i % 40)",
    "loyalty_card": "'29' || lpad(CAST(i AS VARCHAR), 11, '0')",
    "origin": "CASE i % 4 WHEN 0 THEN 'online' ELSE 'store' END",
    "created_at": "strftime(TIMESTAMP '2019-01-01' + INTERVAL 1 MINUTE * (i % 3000000), '%d/%m/%Y %H:%M')",
    "updated_at": "strftime(TIMESTAMP '2025-01-01' + INTERVAL 1 MINUTE * (i % 800000), '%d/%m/%Y %H:%M')",
}


def write_file(path: Path, rows: int, expressions: Mapping[str, str] = COLUMNS) -> None:
    """Write a CSV of customers, as an ERP would."""
    columns = ", ".join(f"{made} AS {name.upper()}" for name, made in expressions.items())
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"COPY (SELECT {columns} FROM range({rows}) AS r(i)) TO '{path}' (DELIMITER ';', HEADER)")


def read_and_write(folder: Path) -> None:
    """DuckDB's own: the file read with its types found out, and written as Parquet."""
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(folder / "spill")})
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"COPY (FROM '{folder}/customers.csv') TO '{folder}/bare.parquet' (COMPRESSION zstd)")


def intake(folder: Path, run_id: str, base: str | None) -> None:
    """What room 01 does: take in, and write every table."""
    params_file = folder / "params.yaml"
    params = load_params(params_file)
    manifest = {
        "as_of_date": "2026-11-01",
        "seed": 1,
        "base": base,
        "params_file": str(params_file),
        "params": dump_params(params),
        "inputs": {},
    }
    room = Room(RunStore(folder / "runs").create(run_id, "bench", manifest), "01_intake")
    before = (room.base_table, room.base_private("rejected_rows"))
    made = take_in(room.engine, params, params_file, room.cutoff, hash_file, *before, room.private_folder("landed"))
    room.write_many(made.tables, made.in_order)
    room.keep_private("rejected_rows", made.quarantine)
    (row,) = room.engine.rows("SELECT rows_read, rows_accepted, rows_unchanged FROM intake_ledger")
    print("   ", ", ".join(f"{name.removeprefix('rows_')} {count:,}" for name, count in row.items()), flush=True)


def measure(queue: multiprocessing.Queue, work: Callable[..., None], given: tuple[object, ...]) -> None:
    """Seconds, seconds of the processors, and peak memory (GB) of a call, in this process."""
    begun, used = time.perf_counter(), time.process_time()
    work(*given)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    queue.put((seconds, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2))


class Timed(NamedTuple):
    """How long a call took: seconds, and seconds of all processors, which neighbours on the machine change less."""

    seconds: float
    processors: float

    def beside(self, other: Timed) -> str:
        """Both as ratios."""
        return f"{self.seconds / other.seconds:.2f} ({self.processors / other.processors:.2f} of the processors)"


def timed(name: str, work: Callable[..., None], *given: object) -> Timed:
    """Run a call in a process of its own; print and give how long it took."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(queue, work, given))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{name} failed.")
    seconds, used, peak = queue.get()
    print(f"{name:28}{seconds:>9.1f} s{used:>9.1f} s of the processors{peak:>8.2f} GB", flush=True)
    return Timed(seconds, used)


def main() -> None:
    """Read the command line, run the benchmark."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.intake")
    reader.add_argument("--rows", type=int, default=500_000, help="rows of the file")
    rows = reader.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_file(folder / "customers.csv", rows)
        size = (folder / "customers.csv").stat().st_size / 1e6
        print(f"{rows:,} rows, {len(COLUMNS)} fields, {size:,.0f} MB")
        entity = {
            "path": "customers.csv",
            "fields": {field: field.upper() for field in COLUMNS},
            "values": {"gender": {"H": "male", "M": "female"}},
        }
        settings = {
            "run": {
                "name": "bench",
                "as_of_date": date(2026, 11, 1),
                "timezone": "Atlantic/Canary",
                "engine": {"threads": 2, "memory_limit": "1500MB"},
            },
            "sources": {"erp": {"customers": entity}},
        }
        (folder / "params.yaml").write_text(yaml.safe_dump(settings))
        bare = timed("DuckDB's read and write", read_and_write, folder)
        first = timed("intake", intake, folder, "first", None)
        RunFolder(folder / "runs" / "first").update(lambda manifest: manifest.update(status="complete"))
        again = timed("the same delivery again", intake, folder, "again", "first")
        print(f"intake / DuckDB {first.beside(bare)}; again / first {again.beside(first)}")


if __name__ == "__main__":
    main()
