"""Files whose mapping is to be guessed: each is read as intake would read it, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crmlib.engine import Engine, quote
from crmlib.errors import InputError
from crmlib.params import Dialect, EntitySource
from crmlib.sources.archives import open_members
from crmlib.sources.guessing.beginnings import NO_HEADING, count_rows_above
from crmlib.sources.guessing.completion import complete, find_values
from crmlib.sources.guessing.contents import Contents, look_at
from crmlib.sources.guessing.guesses import Guess, guess_entities
from crmlib.sources.hidden import drop_secrets
from crmlib.sources.presets import find_generation, list_presets, read_preset
from crmlib.sources.readers import read_file
from crmlib.sources.reading import ReadFile, drop_read
from crmlib.sources.unfolding import list_unfolded

#: Rows that are looked at.
LOOKED_AT_ROWS = 1_000
#: Layouts that many systems share: their columns are better named one by one.
GENERIC = "generic_"
#: Share of cells that no heading is from which a first row is none.
NO_HEADING_SHARE = 0.3


@dataclass(frozen=True)
class Guessed:
    """What one file, or one member of an archive, is taken for.

    Parameters
    ----------
    path : Path
    member : str
        Empty for a file that is no archive.
    entity : str
        Empty if nothing was recognised.
    preset : str or None
        A known layout, in which case there are no guesses.
    guesses : dict of str to Guess
    values : dict of str to dict
        Field -> word -> what it means.
    unknown : dict of str to list of str
        Field -> words that nobody could tell.
    headings, unused, secret : tuple of str
        All of the file's, those nothing is made of, and those that are never taken in.
    dialect : dict of str to str or int
        How it is written, as far as that was found out.
    rows_with : str or None
        Column that is filled in the entity's own rows alone.
    """

    path: Path
    member: str
    entity: str
    preset: str | None
    guesses: dict[str, Guess]
    values: dict[str, dict[str, str | bool]]
    unknown: dict[str, list[str]]
    headings: tuple[str, ...]
    unused: tuple[str, ...]
    secret: tuple[str, ...]
    dialect: dict[str, str | int]
    rows_with: str | None = None


def guess_file(engine: Engine, path: Path) -> Iterator[Guessed]:
    """Guess what a file holds: one answer for each entity that is found in it.

    Parameters
    ----------
    engine : Engine
    path : Path

    Raises
    ------
    InputError
        If it cannot be read, or has no heading.
    """
    where = path.name
    with open_members(path, None, where) as members:
        for member, file in members.items():
            above = count_rows_above(engine, file, where)
            whole = read_file(engine, file, None, Dialect(skip_rows=above), "guessed_from", where)
            read, secret = drop_secrets(engine, whole)
            columns = look_at_columns(engine, read)
            drop_read(engine, read)
            check_heading(list(columns), where)
            # letters of no other alphabet may come yet: what seems UTF-8 is looked at each time
            found = {name: str(getattr(read.dialect, name)) for name in read.sniffed if name != "sheet"}
            dialect: dict[str, str | int] = {name: value for name, value in found.items() if value != "utf-8"}
            if above:
                dialect["skip_rows"] = above
            yield from guess_columns(path, member, file.name, columns, secret, dialect)


def look_at_columns(engine: Engine, read: ReadFile) -> dict[str, Contents]:
    """Heading -> what the cells of its column look like."""
    texts = ", ".join(f"CAST({quote(name)} AS VARCHAR) AS {quote(name)}" for name in read.columns)
    rows = engine.rows(f"SELECT {texts} FROM {quote(read.sample)} LIMIT {LOOKED_AT_ROWS}") if read.columns else []
    # a row in which nothing stands says nothing of any column
    rows = [row for row in rows if any(row.values())]
    return {name: look_at([row[name] for row in rows], kind) for name, kind in read.columns.items()}


def check_heading(headings: list[str], file_name: str) -> None:
    """Refuse a file whose first row is one of data: it would be told as headings.

    Raises
    ------
    InputError
        Naming the file, and none of its cells.
    """
    found = look_at(headings)
    if sum(found.share(kind) for kind in NO_HEADING) > NO_HEADING_SHARE:
        raise InputError(
            f"{file_name}: its first row seems to be data, not headings. Add a heading, or map it by hand and name its "
            "columns under dialect: header:."
        )


def guess_columns(
    path: Path,
    member: str,
    name: str,
    columns: dict[str, Contents],
    secret: tuple[str, ...],
    dialect: dict[str, str | int],
) -> Iterator[Guessed]:
    """Guess what a file holds from its columns: a known layout, else field by field."""
    headings = tuple(columns)
    presets = [preset for preset in list_presets() if not preset.startswith(GENERIC) and _fits(preset, list(headings))]
    for preset in presets:
        entity = read_preset(preset, name).entity
        yield Guessed(path, member, entity, preset, {}, {}, {}, headings, (), secret, dialect)
    if presets:
        return
    several = guess_entities(columns, name if member else path.name)
    if not several:
        yield Guessed(path, member, "", None, {}, {}, {}, headings, headings, secret, dialect)
    for matched in several:
        guesses = complete(matched, columns, name)
        values, unknown = find_values(matched.entity, guesses, columns)
        used = {column for guess in guesses.values() for column in guess.columns}
        unused = tuple(heading for heading in headings if heading not in used)
        # of an order with its lines, what is the order's stands on its first row alone
        whole = guesses.get("bought_at") if len(several) > 1 and matched.entity == "tickets" else None
        rows_with = whole.columns[0] if whole is not None and columns[whole.columns[0]].filled < 1 else None
        yield Guessed(
            path, member, matched.entity, None, guesses, values, unknown, headings, unused, secret, dialect, rows_with
        )


def _fits(name: str, headings: list[str]) -> bool:
    delivery, preset = EntitySource(path="x", preset=name), read_preset(name, "x")
    try:
        find_generation(delivery, preset, list_unfolded(headings, preset.unfold), "x", "x")
    except InputError:
        return False
    return True
