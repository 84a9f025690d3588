"""The small tables beside these rooms: names and nicknames, street types, provinces, lists of words."""

from __future__ import annotations

import csv
from importlib.resources import files


def read_rows(name: str) -> list[dict[str, str]]:
    """Read a table of this package, such as ``nicknames.csv``: one dictionary per row."""
    with files("crmlib.fields").joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_words(name: str) -> frozenset[str]:
    """Read one list of ``words.csv``, such as ``title``."""
    return frozenset(row["word"] for row in read_rows("words.csv") if row["list"] == name)
