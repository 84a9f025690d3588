"""What is kept: every run, draft and unfinished run of a folder, and the files in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from crmlib.engine import literal, quote
from crmlib.permission.erasure import Meant, Removal, find_delivered, find_removal
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore

#: Column of ``private/`` that holds rows as they were delivered.
DELIVERED = "delivered"


@dataclass(frozen=True)
class KeptTable:
    """A Parquet file of a run.

    Parameters
    ----------
    folder : RunFolder
    path : Path
    columns : tuple of str
    """

    folder: RunFolder
    path: Path
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The contract's name, or what ``private/`` calls it."""
        parent = self.path.parent
        return self.path.stem if parent in (self.folder.tables, self.folder.private) else parent.name

    @property
    def place(self) -> str:
        """Where it lies in its run."""
        return str(self.path.relative_to(self.folder.path))

    @property
    def rows(self) -> str:
        """Its rows, as SQL names them."""
        return f"{scan_file(self.path)} AS held"

    @property
    def inode(self) -> tuple[int, int]:
        """The file itself: the same for all its names."""
        return read_inode(self.path)

    def find_removal(self, meant: Meant, expired: Mapping[str, str]) -> Removal | None:
        """Which of its rows are a person's, or kept too long by the condition for its table; None if none could be."""
        if DELIVERED in self.columns and self.path.is_relative_to(self.folder.private):
            return find_delivered(DELIVERED)
        in_tables = self.path.is_relative_to(self.folder.tables)
        return find_removal(self.name, self.columns, meant, expired.get(self.name) if in_tables else None)


def list_runs(store: RunStore) -> list[RunFolder]:
    """Every run: the published one first, then by as-of date the latest, unfinished ones and drafts last."""
    latest = store.latest()

    def place(entry: tuple[int, RunFolder]) -> tuple[bool, bool, bool, str, int]:
        number, folder = entry
        manifest = folder.manifest()
        published = latest is not None and folder.run_id == latest.run_id
        draft, complete = "draft_of" in manifest, manifest["status"] == "complete"
        return published, not draft, complete, str(manifest["as_of_date"]), number

    return [folder for _, folder in sorted(enumerate(store.all()), key=place, reverse=True)]


def list_tables(folder: RunFolder) -> Iterator[KeptTable]:
    """Every Parquet file of a run."""
    for path in sorted(folder.path.rglob("*.parquet")):
        if path.name[0] != ".":
            yield KeptTable(folder, path, tuple(pq.read_schema(path).names))


def list_documents(folder: RunFolder) -> list[Path]:
    """Every other file of a run: pages, notebooks, exports, tracebacks, manifest."""
    return sorted(
        path for path in folder.path.rglob("*") if path.is_file() and path.suffix != ".parquet" and path.name[0] != "."
    )


def scan_file(path: Path) -> str:
    """A Parquet file as SQL reads it."""
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"


def read_inode(path: Path) -> tuple[int, int]:
    """The file itself: the same for all its names."""
    state = path.stat()
    return state.st_dev, state.st_ino


def list_files(runs: list[RunFolder], name: str) -> list[Path]:
    """The files of a table in some runs, with all their versions; one that several runs hold is named once."""
    files: dict[tuple[int, int], Path] = {}
    for folder in runs:
        path = folder.tables / f"{name}.parquet"
        if path.is_file():
            files.setdefault(read_inode(path), path)
    return list(files.values())


def find_table(folder: RunFolder, name: str) -> str | None:
    """A table of a run as SQL reads it, with all its versions; None if it is not there."""
    path = folder.tables / f"{name}.parquet"
    return scan_file(path) if path.is_file() else None


def show_as_today(path: Path, names: tuple[str, ...]) -> str:
    """Columns of a file that may have been written before some of them were known."""
    held = set(pq.read_schema(path).names)
    return ", ".join(quote(name) if name in held else f"NULL AS {quote(name)}" for name in names)
