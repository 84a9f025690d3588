"""What a heading says, in any of six languages: how near its words are to those that a field is known by."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from importlib.resources import files

from crmlib.params import ENTITIES

LANGUAGES = ("en", "es", "pt", "it", "pl", "de")
#: What a word counts that only says of whom, where or in which form, beside one that says what.
QUALIFIER_WEIGHT = 0.3
#: The least length of an abbreviation, and the share of a word's letters that two forms of it have in common.
SHORTEST_STEM, SAME_STEM = 3, 0.75
ABBREVIATED, INFLECTED = 0.9, 0.85
#: What a word counts whose letters were left out (``qtd``, ``dt``), and one that another language spells almost so; the
#: longest of the former, the shortest of the latter, and how much alike they are.
CONTRACTED, COGNATE = 0.7, 0.8
LONGEST_CONTRACTION, SHORTEST_COGNATE, ALIKE = 4, 6, 0.78
#: What a heading counts that says of several things which one it is: ``NIF/CIF``, ``name or company``.
ONE_OF_SEVERAL = 0.95
_REMARK = re.compile(r"\(.*?\)|\[.*?\]")
_SEVERAL = re.compile(r"/|\||\b(?:or|ou|lub|oder)\b|(?<=\w) o (?=\w)", re.IGNORECASE)
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_NUMBER_SIGN = re.compile(r"\b[Nn](?:\.\s?)?[ºª°]")


@dataclass(frozen=True)
class Meaning:
    """One way in which a field of an entity is called.

    Parameters
    ----------
    field : str
    words : tuple of str
    """

    field: str
    words: tuple[str, ...]


def split_heading(heading: str) -> tuple[str, ...]:
    """The words of a heading in plain small letters, without those that say nothing.

    Parameters
    ----------
    heading : str
        As ``F_NACIM``, ``fechaNacimiento`` or ``E-mail 1 - Value``.
    """
    heading = _NUMBER_SIGN.sub("numero ", _INITIALS.sub(lambda found: found[0].replace(".", "") + " ", heading))
    parted = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Za-z])(?=\d)", " ", heading.replace("ł", "l").replace("Ł", "L"))
    plain = (
        unicodedata.normalize("NFKD", parted.replace("ß", "ss").replace("º", "o")).encode("ascii", "ignore").decode()
    )
    text = re.sub(r"\be[\W_]*mails?\b", "email", " ".join(re.findall(r"[a-z]+|\d+", plain.lower())))
    words = tuple(word for word in text.split() if word not in _list_words("empty"))
    return words or tuple(text.split())


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """Read a table of this package, such as ``values.csv``: one dictionary per row."""
    with files("crmlib.sources.guessing").joinpath(name).open(encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


@cache
def _list_words(kind: str) -> frozenset[str]:
    """Words that say nothing of what a column holds, or little."""
    return frozenset(
        word for row in read_table("little_words.csv") if row["kind"] == kind for word in row["words"].split()
    )


@cache
def list_meanings(entity: str) -> tuple[Meaning, ...]:
    """Every way in which the fields of an entity are called."""
    found = []
    for row in read_table("headings.csv"):
        if row["entities"] != "*" and entity not in row["entities"].split():
            continue
        names = [name for language in LANGUAGES for name in row[language].split("|") if name]
        found += [Meaning(row["field"], words) for words in dict.fromkeys(map(split_heading, [row["field"], *names]))]
    return tuple(found)


@lru_cache(maxsize=65_536)
def _compare_words(one: str, other: str) -> float:
    """How surely two words are forms of one: the same, an abbreviation, another ending, another language's spelling."""
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if short.isdigit() or long.isdigit() or len(short) < 2:
        return 0.0
    if len(short) >= SHORTEST_STEM and long.startswith(short):
        return ABBREVIATED
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(short))
    if common > SHORTEST_STEM and common >= SAME_STEM * len(long):
        return INFLECTED
    if common and len(short) <= LONGEST_CONTRACTION < len(long) + 1 and not set(short[1:]) & set("aeiou"):
        letters = iter(long)
        return CONTRACTED if all(letter in letters for letter in short) else 0.0
    if common > 1 and len(short) >= SHORTEST_COGNATE:
        return COGNATE if SequenceMatcher(None, one, other).ratio() >= ALIKE else 0.0
    return 0.0


@cache
def _list_near(word: str) -> frozenset[tuple[str, ...]]:
    """The words of every meaning, of whatever entity, in which a word or a form of it stands."""
    return frozenset(
        words for other, meanings in _index_meanings().items() if _compare_words(word, other) for words in meanings
    )


@cache
def _index_meanings() -> dict[str, set[tuple[str, ...]]]:
    index: dict[str, set[tuple[str, ...]]] = {}
    for entity in ENTITIES:
        for meaning in list_meanings(entity):
            for word in meaning.words:
                index.setdefault(word, set()).add(meaning.words)
    return index


def _weigh(words: tuple[str, ...]) -> dict[str, float]:
    return {word: QUALIFIER_WEIGHT if word in _list_words("qualifier") else 1.0 for word in words}


def compare(heading: tuple[str, ...], meaning: tuple[str, ...]) -> float:
    """How near the words of a heading are to those of a meaning: what they share of all they say, from 0 to 1."""
    if heading == meaning:
        return 1.0
    said, meant = _weigh(heading), _weigh(meaning)
    shared = 0.0
    left = dict(said)
    for word, weight in meant.items():
        nearest = max(left, key=lambda other: _compare_words(word, other), default=None)
        if nearest is not None and (alike := _compare_words(word, nearest)):
            shared += alike * min(weight, left.pop(nearest))
    every = sum(said.values()) + sum(meant.values()) - shared
    return min(shared / every, 0.95) if every else 0.0


@lru_cache(maxsize=4_096)
def _score_meanings(heading: str) -> dict[tuple[str, ...], float]:
    """How near a heading is to the words of each meaning that it is near at all."""
    whole = _REMARK.sub(" ", heading)
    whole = whole if split_heading(whole) else heading
    scores: dict[tuple[str, ...], float] = {}
    for worth, said in ((1.0, whole), *((ONE_OF_SEVERAL, part) for part in _SEVERAL.split(whole))):
        words = split_heading(said)
        for meaning in frozenset().union(*map(_list_near, words)):
            scores[meaning] = max(scores.get(meaning, 0.0), worth * compare(words, meaning))
    return scores


def score_fields(entity: str, heading: str) -> dict[str, float]:
    """How near a heading is to each field of an entity, where it is at all; 1 is a field's own name."""
    near = _score_meanings(heading)
    scores: dict[str, float] = {}
    for meaning in list_meanings(entity):
        score = near.get(meaning.words, 0.0)
        if score > scores.get(meaning.field, 0.0):
            scores[meaning.field] = score
    return scores
