"""Text as it is compared: without accents, case and punctuation; and text as it is shown."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from crmlib.fields.reference import read_words

# Letters that Unicode does not split into a base letter and a mark.
_BASE_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})
_NOT_WORD = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile(r"['’`´]+")

#: Words that belong to the surname or street name that follows them.
PARTICLES = read_words("particle")


def fold_text(value: str | None) -> str:
    """Write a text as it is compared: lower case, no accents, words parted by one space.

    Parameters
    ----------
    value : str, optional
        Any text.

    Returns
    -------
    str
        The folded text; empty if there is nothing in it. Scripts other than Latin keep their letters.
    """
    if not value:
        return ""
    lowered = _APOSTROPHES.sub("", value.casefold())
    if lowered.isascii():
        return _NOT_WORD.sub(" ", lowered).strip()
    split = unicodedata.normalize("NFKD", lowered)
    plain = "".join(letter for letter in split if not unicodedata.combining(letter))
    return _NOT_WORD.sub(" ", plain.casefold().translate(_BASE_LETTERS)).strip()


def tidy_spaces(value: str | None) -> str:
    """Compose the letters of a text and leave single spaces, none at its ends."""
    return " ".join(unicodedata.normalize("NFC", value or "").split())


@lru_cache(maxsize=65_536)
def capitalise_words(text: str) -> str:
    """Give the words of a text their usual capitals; a word of mixed case is left as it was written."""
    return " ".join(_capitalise(word) for word in text.split())


def _capitalise(word: str) -> str:
    if word.lower() in PARTICLES:
        return word.lower()
    if not (word.isupper() or word.islower()):
        return word
    return re.sub(r"[^\W\d_]+", _capitalise_part, word.lower())


def _capitalise_part(part: re.Match[str]) -> str:
    first, rest = part[0][:1], part[0][1:]
    capital = first.upper()
    return (capital if len(capital) == 1 else first) + rest
