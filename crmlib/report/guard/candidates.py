"""What in a text could be an e-mail address, a telephone number or a national id, as a key to look up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

EMAIL = re.compile(r"[^\s<>\"'`(),;:\[\]{}|\\]+@[^\s<>\"'`(),;:\[\]{}|\\@]+")
#: Local part, host and a top-level domain: an address whether or not it stands in a table.
EMAIL_SHAPE = re.compile(r"[^@]*\w[^@]*@([\w-]+\.)+[^\W\d_]{2,}")
#: Digits in groups, parted by at most three signs that people put into telephone numbers.
DIGIT_RUN = re.compile(r"\d+(?:[\s().\-/–·]{1,3}\d+)*")
#: Letters and digits in groups, as ids are written.
ID_RUN = re.compile(r"[0-9A-Za-z]+(?:[\s.\-/]{1,2}[0-9A-Za-z]+)*")

#: Digests and random ids, whose digits are no number of anybody.
DIGEST = re.compile(r"\b[0-9a-f]{32,}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
#: A decimal fraction; people put no more than four digits after a point in a telephone number.
FRACTION = re.compile(r"(?<=\d)\.(?=\d{5})")

PHONE_DIGITS = (7, 15)
#: Digits of a number without prefix, by which longer numbers are compared.
NATIONAL_DIGITS = 9
ID_LETTERS = (7, 20)
ID_GROUPS = 6
ID_DIGITS = 5


def find_emails(text: str) -> Iterator[str]:
    """Find words with an at sign, in lower case."""
    for found in EMAIL.finditer(text):
        yield found[0].strip(".!?*_~=/").lower()


def is_email(key: str) -> bool:
    """Whether a word with an at sign is an e-mail address by its shape."""
    return EMAIL_SHAPE.fullmatch(key) is not None


def find_phones(text: str) -> Iterator[str]:
    """Find digits that could be a telephone number: the last nine, or all of a shorter number.

    Parameters
    ----------
    text : str
        Any text.

    Yields
    ------
    str
        Digits, for every part of a run of groups that has as many digits as a number may have.
    """
    for run in DIGIT_RUN.finditer(DIGEST.sub("#", text)):
        whole, *fractions = FRACTION.split(run[0])
        for part in (whole, *(fraction.lstrip("0123456789") for fraction in fractions)):
            groups = re.findall(r"\d+", part)
            for begin in range(len(groups)):
                for number in _joined(groups[begin : begin + PHONE_DIGITS[1]], PHONE_DIGITS):
                    yield number[-NATIONAL_DIGITS:]


def find_national_ids(text: str) -> Iterator[str]:
    """Find letters and digits that could be a national id: without separators and a country's two letters."""
    for run in ID_RUN.finditer(DIGEST.sub("#", text)):
        groups = re.split(r"[^0-9A-Za-z]+", run[0])
        for begin in range(len(groups)):
            for key in _joined(groups[begin : begin + ID_GROUPS], ID_LETTERS):
                if sum(character.isdigit() for character in key) >= ID_DIGITS:
                    yield re.sub(r"^[A-Z]{2}", "", key.upper())


def _joined(groups: Sequence[str], lengths: tuple[int, int]) -> Iterator[str]:
    """The first group, the first two, … while the whole is no longer than the longest allowed."""
    shortest, longest = lengths
    whole = ""
    for group in groups:
        whole += group
        if len(whole) > longest:
            return
        if len(whole) >= shortest:
            yield whole
