"""Names, towns, streets and occupations of the made registers, the most frequent first."""

from __future__ import annotations

import csv
from pathlib import Path


def _read(name: str) -> list[tuple[str, str]]:
    with (Path(__file__).parent / "words.csv").open(encoding="utf-8") as lines:
        return [(row["word"], row["also"]) for row in csv.DictReader(lines) if row["list"] == name]


def _words(name: str) -> tuple[str, ...]:
    return tuple(word for word, _ in _read(name))


def _lists(name: str) -> dict[str, tuple[str, ...]]:
    return {word: tuple(also.split("|")) for word, also in _read(name)}


GERMAN_GIVEN = _words("german_given")
GERMAN_SURNAMES = _words("german_surnames")
GERMAN_STEMS = _words("german_stems")
GERMAN_ENDINGS = _words("german_endings")
ENGLISH_MEN = _words("english_men")
ENGLISH_WOMEN = _words("english_women")
ENGLISH_SURNAMES = _words("english_surnames")
ENGLISH_STEMS = _words("english_stems")
ENGLISH_ENDINGS = _words("english_endings")
ENGLISH_NICKNAMES = _lists("english_nicknames")
#: With the letters of their postcodes.
ENGLISH_TOWNS = _read("english_towns")
OCCUPATIONS = _words("occupations")
SPANISH_MEN = _words("spanish_men")
SPANISH_WOMEN = _words("spanish_women")
SPANISH_SURNAMES = _words("spanish_surnames")
SPANISH_STEMS = _words("spanish_stems")
SPANISH_ENDINGS = _words("spanish_endings")
SPANISH_STREETS = _words("spanish_streets")
SPANISH_NICKNAMES = _lists("spanish_nicknames")
#: With the two digits of their province.
SPANISH_TOWNS = _read("spanish_towns")
