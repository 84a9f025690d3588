"""One run's folder: where its parts lie, and its manifest."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmlib.errors import InputError
from crmlib.files import lock, write_atomically

PRIVATE_MODE = 0o700
Manifest = dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """One run's folder.

    Parameters
    ----------
    path : Path
        ``runs/<run_id>``.
    """

    path: Path

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def tables(self) -> Path:
        """Parquet files; personal data."""
        return self.path / "tables"

    @property
    def notebooks(self) -> Path:
        """Executed notebooks; no personal data."""
        return self.path / "notebooks"

    @property
    def report(self) -> Path:
        """Pages; safe to forward."""
        return self.path / "report"

    @property
    def private(self) -> Path:
        """Exports, raw tracebacks, rejected rows; personal data."""
        return self.path / "private"

    def manifest(self) -> Manifest:
        """The run's manifest, as it stands now.

        Raises
        ------
        InputError
            If there is none that can be read.
        """
        try:
            read: Manifest = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            raise InputError(f"{self.path}: this is no run folder (it has no readable manifest.json).") from None
        return read

    def update(self, change: Callable[[Manifest], object]) -> None:
        """Change the manifest; a reader sees the old or the new one, never a half."""
        manifest = self.manifest()
        change(manifest)
        write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the run's own lock, so that no second process writes to it.

        Raises
        ------
        ConflictError
            If another process holds it.
        """
        with lock(self.path / ".lock", f"The run {self.run_id} is being written by another process."):
            yield


def clear_unfinished(folder: RunFolder) -> None:
    """Delete what a killed process left half-written."""
    for path in sorted(folder.path.rglob(".*"), reverse=True):
        if path.name == ".lock":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_folders(folder: RunFolder) -> None:
    """Make the parts; tables and private ones are for the owner alone."""
    for path in (folder.tables, folder.notebooks, folder.report, folder.private):
        path.mkdir(parents=True, exist_ok=True)
    for path in (folder.tables, folder.private):
        path.chmod(PRIVATE_MODE)


def name_unfinished(_folder: str, names: list[str]) -> set[str]:
    """What of a folder a killed process may have left half-written, as `shutil.copytree` asks."""
    return {name for name in names if name.startswith(".")}
