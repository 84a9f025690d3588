from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.demo.columns import as_text
from crmlib.demo.files import CsvFile, ParquetFiles


def test_pieces_become_one_file_with_one_heading(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.csv"
    with CsvFile(path, delimiter=";", encoding="cp1252") as file:
        file.write({"A": as_text(["1", "2"]), "NOMBRE": as_text(["PEÑA; S.L.", 'con "comillas"'])})
        file.write({"A": as_text(["3"]), "NOMBRE": as_text([""])})
    assert b"PE\xd1A" in path.read_bytes()
    with path.open(encoding="cp1252", newline="") as file_again:
        rows = list(csv.reader(file_again, delimiter=";"))
    assert rows == [["A", "NOMBRE"], ["1", "PEÑA; S.L."], ["2", 'con "comillas"'], ["3", ""]]


def test_a_broken_row_has_a_cell_too_many(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with CsvFile(path) as file:
        file.write({name: as_text(["a", "b"]) for name in "VWXYZ"}, broken={1})
    widths = [len(line.split(",")) for line in path.read_text(encoding="utf-8").splitlines()]
    assert widths == [5, 5, 6]


def test_parquet_files_grow(tmp_path: Path) -> None:
    with ParquetFiles(tmp_path / "pos") as files:
        for value in (1, 2):
            files.write("a", pa.table({"x": [value]}))
        files.write("b", pa.table({"x": [3]}))
    assert pq.read_table(tmp_path / "pos" / "a.parquet")["x"].to_pylist() == [1, 2]
    assert pq.read_table(tmp_path / "pos" / "b.parquet")["x"].to_pylist() == [3]
