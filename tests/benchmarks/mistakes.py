"""How people and clerks get a value wrong: slips of the keyboard, of the ear, and of the pen."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import TypeVar

import numpy as np

Value = TypeVar("Value")
_NEIGHBOURS = {
    letter: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
    for place, letter in enumerate(row)
}
_SOUNDS = (
    ("v", "b"),
    ("z", "s"),
    ("ll", "y"),
    ("ph", "f"),
    ("ck", "k"),
    ("tz", "z"),
    ("ie", "y"),
    ("ei", "ai"),
    ("h", ""),
)


def pick(rng: np.random.Generator, values: Sequence[Value], steepness: float = 0.7) -> Value:
    """One of some values, the first ones more often (Zipf)."""
    weights = np.arange(2, len(values) + 2) ** -steepness
    return values[int(np.searchsorted(np.cumsum(weights / weights.sum()), rng.random()))]


def happens(rng: np.random.Generator, probability: float) -> bool:
    """Whether something of this probability happens."""
    return bool(rng.random() < probability)


def mistype(rng: np.random.Generator, text: str) -> str:
    """One letter left out, doubled, changed for its neighbour on the keyboard, or swapped with the next."""
    if len(text) < 3:
        return text
    place = int(rng.integers(1, len(text)))
    letter = text[place].lower()
    match int(rng.integers(4)):
        case 0:
            return text[:place] + text[place + 1 :]
        case 1:
            return text[:place] + text[place] + text[place:]
        case 2:
            near = _NEIGHBOURS.get(letter) or string.ascii_lowercase
            return text[:place] + near[int(rng.integers(len(near)))] + text[place + 1 :]
        case _:
            return text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]


def mishear(rng: np.random.Generator, text: str) -> str:
    """Another spelling of about the same sound; a slip of the keyboard where there is none."""
    heard = [(one, other) for pair in _SOUNDS for one, other in (pair, pair[::-1]) if one and one in text.lower()]
    if not heard:
        return mistype(rng, text)
    one, other = heard[int(rng.integers(len(heard)))]
    return text.lower().replace(one, other, 1).title()


def drop_accents(text: str) -> str:
    """The text as a system without accents writes it."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def misdate(rng: np.random.Generator, day: date) -> date:
    """A date with another day, month or year, or with day and month swapped."""
    match int(rng.integers(4)):
        case 0:
            return day.replace(day=int(rng.integers(1, 29)))
        case 1:
            return day.replace(day=min(day.day, 28), month=int(rng.integers(1, 13)))
        case 2:
            return day.replace(day=min(day.day, 28), year=day.year + int(rng.choice([-10, -2, -1, 1, 2, 10])))
        case _:
            return day.replace(month=day.day, day=day.month) if day.day <= 12 else mistype_day(rng, day)


def mistype_day(rng: np.random.Generator, day: date) -> date:
    """A date with one digit of the day changed."""
    return day.replace(day=min(28, max(1, day.day + int(rng.choice([-10, -1, 1, 10])))))
