"""Search files, and refuse those that hold personal data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from crmlib.engine import Engine, quote
from crmlib.errors import PersonalDataError
from crmlib.report.guard import candidates
from crmlib.report.guard.lookups import (
    ADDRESS_WORDS,
    ALLOWED,
    COUNTED_PLACE,
    LOOKUPS,
    NAME_WORDS,
    PASSAGE_WORDS,
    PHRASES,
)
from crmlib.report.guard.passages import UNREADABLE, read_passages

#: Places named in the message of a failed check.
NAMED = 12
#: Tables the search makes, and drops again: they hold what the files say.
MADE = (
    "guard_passages",
    "guard_words",
    "guard_phrases",
    "guard_emails",
    "guard_phones",
    "guard_national_ids",
    "guard_allowed_texts",
    "guard_allowed",
    *(lookup.keys.name for lookup in LOOKUPS.values()),
)


@dataclass(frozen=True)
class GuardedColumn:
    """Columns of a table that hold a personal value.

    Parameters
    ----------
    table : str
        A table or view of the engine.
    columns : tuple of str
        One column, or several that make one value together (given name and surnames; street and number).
    kind : {"email", "phone", "national_id", "name", "address"}
        What they hold.
    """

    table: str
    columns: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class AllowedColumn:
    """A column whose texts may stand in a page, even where they are somebody's name (products, stores, places)."""

    table: str
    column: str


@dataclass(frozen=True, order=True)
class Hit:
    """Where personal data stands, and of what kind; never what it is."""

    file: Path
    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.name}, {self.place} ({self.kind})"


def scan(
    files: Iterable[Path],
    engine: Engine,
    values: Sequence[GuardedColumn],
    allowed: Iterable[str] = (),
    allowed_columns: Sequence[AllowedColumn] = (),
) -> list[Hit]:
    """Search files for personal data.

    Parameters
    ----------
    files : iterable of Path
        Pages, executed notebooks, manifests, logs.
    engine : Engine
        Holds the tables; gets and loses tables named ``guard_…``.
    values : sequence of GuardedColumn
        Where the tables hold personal values. A given name alone is none: hand it in with the surnames.
    allowed : iterable of str
        Texts that excuse what also stands in them (the params').
    allowed_columns : sequence of AllowedColumn
        Columns of such texts (names of products, stores, places).

    Returns
    -------
    list of Hit
        By file and place; empty when nothing was found.
    """
    places: dict[tuple[str, bool], set[tuple[Path, str]]] = {}
    hits: set[Hit] = set()
    for file in files:
        for passage in read_passages(file):
            if passage.kind == UNREADABLE:
                hits.add(Hit(file, passage.place, UNREADABLE))
            else:
                places.setdefault((passage.text, passage.kind == "joined"), set()).add((file, passage.place))
    try:
        _register_candidates(engine, list(places))
        _register_allowed(engine, allowed, allowed_columns)
        found = {kind: _look_up(engine, kind, [each for each in values if each.kind == kind]) for kind in LOOKUPS}
    finally:
        engine.execute("DROP VIEW IF EXISTS guard_values")
        for table in MADE:
            engine.execute(f"DROP TABLE IF EXISTS {quote(table)}")
    standing = list(places.values())
    hits |= {
        Hit(file, place, kind)
        for kind, passages in found.items()
        for passage in passages
        for file, place in standing[passage]
    }
    return sorted(hits)


def check(
    files: Iterable[Path],
    engine: Engine,
    values: Sequence[GuardedColumn],
    allowed: Iterable[str] = (),
    allowed_columns: Sequence[AllowedColumn] = (),
) -> None:
    """Refuse files that hold personal data; see `scan`.

    Raises
    ------
    PersonalDataError
        Names file, place and kind of what was found, never the value.
    """
    hits = scan(files, engine, values, allowed, allowed_columns)
    if not hits:
        return
    named = "; ".join(map(str, hits[:NAMED])) + ("; …" if len(hits) > NAMED else "")
    raise PersonalDataError(
        f"Nothing is published: {len(hits)} place(s) hold personal data or cannot be searched: {named}. Take what "
        "shows it out of the notebook, or, if it is a public text, name it in the params."
    )


def _register_candidates(engine: Engine, passages: Sequence[tuple[str, bool]]) -> None:
    texts = pa.table(
        {
            "passage": pa.array(range(len(passages)), pa.int64()),
            "text": pa.array([text for text, _ in passages], pa.string()),
            "joined": pa.array([joined for _, joined in passages], pa.bool_()),
        }
    )
    engine.register("guard_passages", texts)
    engine.run(PASSAGE_WORDS)
    engine.run(PHRASES, longest=max(NAME_WORDS, ADDRESS_WORDS))
    pieces = [(number, text) for number, (text, joined) in enumerate(passages) if not joined]
    finders = {
        "guard_emails": candidates.find_emails,
        "guard_phones": candidates.find_phones,
        "guard_national_ids": candidates.find_national_ids,
    }
    for table, find in finders.items():
        rows = sorted({(number, key) for number, text in pieces for key in find(text)})
        engine.register(table, _keys(rows))


def _keys(rows: Sequence[tuple[int, str]]) -> pa.Table:
    return pa.table(
        {
            "passage": pa.array([number for number, _ in rows], pa.int64()),
            "key": pa.array([key for _, key in rows], pa.string()),
            "shaped": pa.array([candidates.is_email(key) for _, key in rows], pa.bool_()),
        }
    )


def _register_allowed(engine: Engine, allowed: Iterable[str], columns: Sequence[AllowedColumn]) -> None:
    engine.register("guard_allowed_texts", pa.table({"text": pa.array(list(allowed), pa.string())}))
    for each in columns:
        column = f"CAST({quote(each.column)} AS VARCHAR)"
        engine.execute(
            f"INSERT INTO guard_allowed_texts SELECT DISTINCT {column} FROM {quote(each.table)} "
            f"WHERE {column} IS NOT NULL"
        )
    engine.run(ALLOWED)


def _look_up(engine: Engine, kind: str, columns: Sequence[GuardedColumn]) -> list[int]:
    """Numbers of the passages with a candidate of this kind that stands in the tables and in no allowed text."""
    lookup = LOOKUPS[kind]
    values = " UNION ALL ".join(map(_values, columns)) or "SELECT CAST(NULL AS VARCHAR) AS value LIMIT 0"
    engine.view("guard_values", values)
    engine.run(lookup.keys)
    known = f"{lookup.key} IN (SELECT key FROM {quote(lookup.keys.name)})"
    found = engine.arrow(f"""
WITH found AS (
  SELECT DISTINCT passage, {lookup.shown} AS shown FROM {quote(lookup.candidates)}
  WHERE {known}{" OR shaped" if kind == "email" else ""}
), excused AS (
  SELECT DISTINCT shown FROM (SELECT DISTINCT shown FROM found) JOIN guard_allowed ON contains({lookup.allowed}, shown)
)
SELECT DISTINCT passage FROM found JOIN guard_passages USING (passage)
WHERE shown NOT IN (SELECT shown FROM excused) AND NOT (joined AND {COUNTED_PLACE})""")
    return [int(number) for number in found["passage"].to_pylist()]


def _values(column: GuardedColumn) -> str:
    texts = [f"CAST({quote(name)} AS VARCHAR)" for name in column.columns]
    given = " AND ".join(f"trim({text}) <> ''" for text in texts)
    return f"SELECT concat_ws(' ', {', '.join(texts)}) AS value FROM {quote(column.table)} WHERE {given}"
