"""Landing: whatever an entity's origin is, what it delivers lies as files on this machine when it is read.

What the base run took in already, and reads the same today, is not fetched again: its ledger says so.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, quote
from crmlib.errors import InputError
from crmlib.origins import Access
from crmlib.params import EntitySource
from crmlib.sources.cursors import Cursor
from crmlib.sources.databases import Database
from crmlib.sources.readers import find_files
from crmlib.sources.servers import RemoteFile, open_server, path_on_server
from crmlib.sources.services import Answerer

#: Changes when files are read otherwise than before: then what was known is read again.
READING = "1"


@dataclass(frozen=True)
class Landed:
    """One delivery on this machine.

    Parameters
    ----------
    path : Path or None
        Where it lies; None if it is known and was not fetched again.
    load : str
        Its name in the ledger.
    hash : str
    reached : str or None
        How far a cursor came, or the state of a file on a server.
    known : list of dict
        The base's rows of the ledger, where it took in exactly this; of an archive one for each member.
    """

    path: Path | None
    load: str
    hash: str
    reached: str | None = None
    known: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Landing:
    """Where deliveries land, and what is known of earlier ones.

    Parameters
    ----------
    folder : Path
        Personal data: for this run alone.
    params_file : Path
    as_of_date : date
    ledger : dict
        Source, entity, load -> the base's row of ``intake_ledger``.
    hash_of : callable
        Gives the hash of a file of this machine.
    rejected : callable, optional
        Gives the rows of a source's entity that the base run rejected, as JSON.
    """

    folder: Path
    params_file: Path
    as_of_date: date
    hash_of: Callable[[Path], str]
    ledger: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    rejected: Callable[[str, str], list[str]] | None = None

    def land(self, source: str, entity: str, given: EntitySource, where: str, read_with: str) -> Iterator[Landed]:
        """Land what one entity of a source delivers.

        Parameters
        ----------
        source, entity : str
        given : EntitySource
        where : str
            The key in the params, for errors.
        read_with : str
            Hash of how it is read; what was read otherwise is read again.

        Raises
        ------
        InputError
            If the origin is not there, refuses, or breaks off.
        """
        if given.path is None:
            yield self._land_answer(source, entity, given, where)
            yield from self._land_rejected(source, entity, given, where)
        elif is_on_server(given.path):
            yield from self._land_from_server(source, entity, given, where, read_with)
        else:
            paths = find_files(self.params_file, given.path, where)
            if any(sign in given.path for sign in "*?["):
                _check_links(paths, where)
            names = Counter(path.name for path in paths)
            loads = {path: path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in paths}
            content = {path: self.hash_of(path) for path in paths}
            known = {
                path: self._find_known(source, entity, load, read_with, hash=content[path])
                for path, load in loads.items()
            }
            late = self._find_late(given, [loads[path] for path in paths if not known[path]])
            for path, load in loads.items():
                if known[path] and self._delivered_on(given, load) <= late:
                    yield Landed(None, load, content[path], None, known[path])
                else:
                    yield Landed(path, load, content[path])

    def _delivered_on(self, given: EntitySource, load: str) -> date:
        return day_in_name(load) or given.delivered_on or self.as_of_date

    def _find_late(self, given: EntitySource, loads: list[str]) -> date:
        """The day of the earliest delivery that is new: what came after it may say anew what was said before."""
        return min((self._delivered_on(given, load) for load in loads), default=date.max)

    def _land_answer(self, source: str, entity: str, given: EntitySource, where: str) -> Landed:
        """A query's or a service's answer, from where the last one ended."""
        before = [row for (s, e, _), row in self.ledger.items() if (s, e) == (source, entity) and row["reached"]]
        reached = [Cursor.read(row["reached"]) for row in before]
        since = Cursor.furthest(None, [cursor.value for cursor in reached if cursor is not None], where)
        asker = ask(given, self.params_file, where)
        kind, ending = ("query", "parquet") if given.sql is not None else ("answer", "jsonl")
        path = self._place(source, entity, where) / f"{kind}.{ending}"
        came = asker.fetch(path, since if has_cursor(given) else None)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return Landed(path, f"{kind} as of {self.as_of_date}", content, str(came) if came is not None else None)

    def _land_rejected(self, source: str, entity: str, given: EntitySource, where: str) -> Iterator[Landed]:
        """What an incremental source's earlier answers held that could not be read: it is not answered again."""
        if self.rejected is None or not has_cursor(given):
            return
        path = self._place(source, entity, where) / "rejected.jsonl"
        rows = self.rejected(source, entity)
        if rows:
            path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
            content = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            yield Landed(path, f"rejected before {self.as_of_date}", content)

    def _land_from_server(
        self, source: str, entity: str, given: EntitySource, where: str, read_with: str
    ) -> Iterator[Landed]:
        folder = self._place(source, entity, where)
        with ExitStack() as stack:
            server = stack.enter_context(
                open_server(str(given.path), given.access or Access(), self.params_file, where)
            )
            found = server.find(path_on_server(str(given.path)))
            names = Counter(file.name for file in found)
            loads = [file.name if names[file.name] == 1 else _name_with_folder(file) for file in found]
            known = [
                self._find_known(source, entity, load, read_with, reached=file.state)
                for file, load in zip(found, loads, strict=True)
            ]
            late = self._find_late(given, [load for load, rows in zip(loads, known, strict=True) if not rows])
            for number, (file, load, rows) in enumerate(zip(found, loads, known, strict=True)):
                if rows and self._delivered_on(given, load) <= late:
                    yield Landed(None, load, rows[0]["hash"], file.state, rows)
                    continue
                path = folder / str(number) / file.name
                path.parent.mkdir()
                server.fetch(file, path)
                with path.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
                yield Landed(path, load, digest, file.state)

    def _find_known(self, source: str, entity: str, load: str, read_with: str, **same: str) -> list[dict[str, Any]]:
        """The base's rows of a delivery that is still the same, and would be read the same; else nothing."""
        rows = [
            row
            for (its_source, its_entity, its_load), row in self.ledger.items()
            if (its_source, its_entity) == (source, entity) and (its_load == load or its_load.startswith(f"{load}/"))
        ]
        wanted = {"read_with": read_with, **same}
        return rows if all(row[name] == value for row in rows for name, value in wanted.items()) else []

    def _place(self, source: str, entity: str, where: str) -> Path:
        place = self.folder / hashlib.sha256(where.encode()).hexdigest()[:8] / source / entity
        place.mkdir(parents=True, exist_ok=True)
        return place


def read_ledger(engine: Engine, base: str | None) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The base's ledger by source, entity and load; of a load that was delivered again, the latest."""
    if base is None:
        return {}
    rows = engine.rows(f"FROM {quote(base)} ORDER BY delivered_at, taken_in_as_of, hash")
    return {(row["source"], row["entity"], row["load"]): row for row in rows}


def day_in_name(load: str) -> date | None:
    """The day that the name of a delivery tells; None if it tells none."""
    name = load.split(".zip/")[0].rsplit("/", 1)[-1]
    named = re.search(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", name)
    try:
        return date(int(named[1]), int(named[2]), int(named[3])) if named else None
    except ValueError:
        return None


def has_cursor(given: EntitySource) -> bool:
    """Whether an origin is asked for what is new alone."""
    return bool((given.sql is not None and given.sql.cursor) or (given.rest is not None and given.rest.cursor))


def is_on_server(path: str) -> bool:
    """Whether a path of the params is an address."""
    return "://" in path


def ask(given: EntitySource, params_file: Path, where: str) -> Database | Answerer:
    """Who answers for an entity that is no file: a database, or a web service."""
    if given.sql is not None:
        return Database(given.sql, params_file, f"{where}.sql")
    assert given.rest is not None
    return Answerer(given.rest, params_file, f"{where}.rest")


def describe_reading(*parts: str) -> str:
    """A hash of everything on which it depends how a delivery is read."""
    return hashlib.sha256("\0".join((READING, *parts)).encode()).hexdigest()[:16]


def _check_links(paths: list[Path], where: str) -> None:
    """A link among delivered files that leads out of their folder is not followed."""
    for path in paths:
        if path.is_symlink() and path.parent.resolve() not in path.resolve().parents:
            raise InputError(f"{where}: {path.name} is a link that leads out of its folder; deliver the file itself.")


def _name_with_folder(file: RemoteFile) -> str:
    return "/".join(file.path.rstrip("/").split("/")[-2:])
