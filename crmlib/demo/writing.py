"""How a value gets written: nicknames and abbreviations, lost accents, slips of the keyboard, formats."""

from __future__ import annotations

import numpy as np

from crmlib.demo.chance import Choice, happens
from crmlib.demo.columns import TEXT, Floats, Ints, Text, as_text
from crmlib.demo.words import PLAIN, read_given_names, read_surnames

#: Fewer characters than this are not mistyped.
SHORTEST_MISTYPED = 4
LETTERS = as_text("aeiorsnltdcm")
DIGITS = as_text("0123456789")


def one_of(rng: np.random.Generator, forms: list[tuple[float, Text]]) -> Text:
    """Choose one of several forms of each row's value.

    Parameters
    ----------
    rng : Generator
    forms : list of (float, Text)
        Weight of each form, and the values written so.
    """
    which = Choice.of([weight for weight, _ in forms]).draw(rng, len(forms[0][1]))
    written = forms[0][1]
    for index, (_, values) in enumerate(forms[1:], start=1):
        written = np.where(which == index, values, written)
    return written


def without_accents(values: Text) -> Text:
    """Texts without accents; ñ stays."""
    return as_text("\n".join(values.tolist()).translate(PLAIN).split("\n")) if len(values) else values


def blank_some(rng: np.random.Generator, values: Text, share: Floats | float) -> Text:
    """Leave a share of the cells empty.

    Parameters
    ----------
    rng : Generator
    values : Text
    share : float, or array of float by row
    """
    return np.where(happens(rng, len(values), share), "", values).astype(TEXT)


def mistype(
    rng: np.random.Generator,
    values: Text,
    share: float,
    signs: Text = LETTERS,
    slips: tuple[str, ...] = ("swap", "drop", "double", "other"),
) -> Text:
    """Let a finger slip in a share of the texts.

    Parameters
    ----------
    rng : Generator
    values : Text
        The first sign is never touched, nor are texts of fewer than four.
    share : float
    signs : Text
        What a wrong sign may be.
    slips : tuple of {"swap", "drop", "double", "other"}
        Two signs swapped, one dropped, one doubled, another in its place.
    """
    length = np.strings.str_len(values)
    rows = np.flatnonzero(happens(rng, len(values), share) & (length >= SHORTEST_MISTYPED))
    text = values[rows]
    at = 1 + np.floor(rng.random(len(rows)) * (length[rows] - 2)).astype(np.int64)
    before, here, after, rest = (
        np.strings.slice(text, start, stop)
        for start, stop in ((0, at), (at, at + 1), (at + 1, at + 2), (at + 2, length[rows]))
    )
    other = signs[rng.integers(0, len(signs), len(rows))]
    middles = {"swap": after + here, "drop": after, "double": here + here + after, "other": other + after}
    slipped = one_of(rng, [(1, middles[slip]) for slip in slips])
    written = values.copy()
    written[rows] = before + slipped + rest
    return written


def mistype_email(rng: np.random.Generator, values: Text, share: float) -> Text:
    """Let a finger slip before the @ of a share of the e-mail addresses.

    Parameters
    ----------
    rng : Generator
    values : Text
    share : float
    """
    at = np.strings.find(values, "@")
    name, domain = np.strings.slice(values, 0, at), np.strings.slice(values, at, np.strings.str_len(values))
    return mistype(rng, name, share) + domain


def misdial(rng: np.random.Generator, values: Text, share: float) -> Text:
    """Swap two digits or write another in a share of the phone numbers.

    Parameters
    ----------
    rng : Generator
    values : Text
    share : float
    """
    return mistype(rng, values, share, DIGITS, ("swap", "other"))


def write_given_names(
    rng: np.random.Generator, given: Ints, nickname: float, shortened: float, first_only: float
) -> Text:
    """Given names as people and clerks write them.

    Parameters
    ----------
    rng : Generator
    given : array of int
        Places in the word list.
    nickname, shortened, first_only : float
        Shares written as a nickname, abbreviated, or by the first word alone.
    """
    names = read_given_names()
    pick = np.floor(rng.random(len(given)) * names.nickname_count[given]).astype(np.int64)
    return one_of(
        rng,
        [
            (1 - nickname - shortened - first_only, names.name[given]),
            (nickname, names.nicknames[names.nickname_first[given] + pick]),
            (shortened, names.shortened[given]),
            (first_only, names.first[given]),
        ],
    )


def write_surnames(rng: np.random.Generator, surname_1: Ints, surname_2: Ints, first_only: float) -> Text:
    """Both surnames in one field; a share of them only the first.

    Parameters
    ----------
    rng : Generator
    surname_1, surname_2 : array of int
        Places in the word list.
    first_only : float
        Share written with the first alone.
    """
    names = read_surnames().name
    first, second = names[surname_1], names[surname_2]
    alone = happens(rng, len(surname_1), first_only) | (second == "")
    return np.where(alone, first, first + " " + second)


def write_phones(rng: np.random.Generator, phones: Text, *, spaced: float, prefixed: float) -> Text:
    """Phone numbers of nine digits: some in groups, some with the country's prefix.

    Parameters
    ----------
    rng : Generator
    phones : Text
        Empty where there is none.
    spaced, prefixed : float
        Shares written in groups, and with the prefix.
    """
    a, b, c, d = (np.strings.slice(phones, *part) for part in ((0, 3), (3, 5), (5, 7), (7, 9)))
    grouped = a + " " + b + " " + c + " " + d
    dotted = a + "." + np.strings.slice(phones, 3, 6) + "." + np.strings.slice(phones, 6, 9)
    written = one_of(
        rng,
        [
            (1 - spaced - prefixed, phones),
            (0.7 * spaced, grouped),
            (0.3 * spaced, dotted),
            (0.6 * prefixed, "+34 " + phones),
            (0.4 * prefixed, "0034" + phones),
        ],
    )
    return np.where(phones == "", phones, written)
