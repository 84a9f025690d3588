"""CSV and Parquet, written piece by piece, the same bytes for the same pieces."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Collection, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.demo.columns import Text


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

    def write(self, columns: Mapping[str, Text | str], broken: Collection[int] = ()) -> None:
        """Add rows.

        Parameters
        ----------
        columns : mapping of str to Text or str
            Heading -> cells; a text stands in every row. At least one column is no such text.
        broken : collection of int
            Places of rows that are written with a cell too many, as by a tool that does not quote.
        """
        if not self._headings:
            self._headings = list(columns)
            self._writer.writerow(self._headings)
        rows = next(len(cells) for cells in columns.values() if not isinstance(cells, str))
        cells = [columns[heading] for heading in self._headings]
        lists = [repeat(column, rows) if isinstance(column, str) else column.tolist() for column in cells]
        for place, row in enumerate(zip(*lists, strict=True)):
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


class ZippedCsvFiles:
    """Text files that grow side by side and are packed into one zip in the end.

    Parameters
    ----------
    path : Path
        Of the zip.
    names : sequence of str
        Names of the files in it.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._parts = {name: path.parent / f"{name}.part" for name in names}
        self._files = {name: CsvFile(part) for name, part in self._parts.items()}

    def write(self, name: str, columns: Mapping[str, Text | str]) -> None:
        """Add rows to one of the files."""
        self._files[name].write(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.__exit__(kind, error, trace)
        with zipfile.ZipFile(self._path, "w") as packed:
            for name, part in self._parts.items():
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                with packed.open(entry, "w") as target, part.open("rb") as source:
                    shutil.copyfileobj(source, target)
                part.unlink()
