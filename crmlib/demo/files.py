"""CSV and Parquet, written piece by piece, the same bytes for the same pieces."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.demo.columns import Columns


class CsvFile:
    """A text file that grows; the first piece brings the headings.

    Parameters
    ----------
    path : Path
    delimiter, encoding : str
    """

    def __init__(self, path: Path, delimiter: str = ",", encoding: str = "utf-8") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding=encoding, newline="")
        self._writer = csv.writer(self._file, delimiter=delimiter, lineterminator="\r\n")
        self._headings: list[str] = []

    def write(self, columns: Columns, broken: Collection[int] = ()) -> None:
        """Add rows.

        Parameters
        ----------
        columns : Columns
        broken : collection of int
            Places of rows that are written with a cell too many, as by a tool that does not quote.
        """
        if not self._headings:
            self._headings = list(columns)
            self._writer.writerow(self._headings)
        cells = [columns[heading].tolist() for heading in self._headings]
        for place, row in enumerate(zip(*cells, strict=True)):
            self._writer.writerow((*row[:4], "", *row[4:]) if place in broken else row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()


class ParquetFiles:
    """Parquet files of one folder that grow, each opened when its first rows come."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def write(self, name: str, table: pa.Table) -> None:
        """Add rows to a file of the folder; its name goes without the ending."""
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", table.schema, compression="zstd")
        self._writers[name].write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for writer in self._writers.values():
            writer.close()
