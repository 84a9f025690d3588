"""Beginnings: how many rows stand above the heading of a file, such as a title, or the groups its columns are in."""

from __future__ import annotations

import re
from pathlib import Path

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.guessing.contents import look_at
from crmlib.sources.readers import kind_of, peek_columns

#: The most rows that are looked for above a heading.
MOST_ABOVE = 8
#: Share of columns without a name from which a first row is hardly the heading.
HARDLY = 0.25
#: Kinds of cell that no heading is.
NO_HEADING = ("email", "time", "number", "national_id")
#: What a column without a name is called.
_NAMELESS = re.compile(r"column_\d+")


def count_rows_above(engine: Engine, path: Path, where: str) -> int:
    """Count the rows above a file's heading: 0, unless its first row names few columns and a later one names them all.

    Parameters
    ----------
    engine : Engine
    path : Path
    where : str
        For errors.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if kind_of(path, None) not in ("csv", "tsv", "excel"):
        return 0
    first = peek_columns(engine, path, None, Dialect(), where)
    if len(first) > 1 and _count_nameless(first) < HARDLY * len(first):
        return 0
    for above in range(1, MOST_ABOVE + 1):
        try:
            names = peek_columns(engine, path, None, Dialect(skip_rows=above), where)
        except InputError:
            continue  # an empty row
        if len(names) > 1 and len(names) >= len(first) and _are_headings(names):
            return above
    return 0


def _are_headings(names: list[str]) -> bool:
    found = look_at(names)
    return _count_nameless(names) == 0 and not any(found.share(kind) for kind in NO_HEADING)


def _count_nameless(names: list[str]) -> int:
    return sum(_NAMELESS.fullmatch(name) is not None for name in names)
