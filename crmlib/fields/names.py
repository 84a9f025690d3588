"""What a name is: given name and surnames in one or several fields, in any order; persons and companies."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

from crmlib.fields.reference import read_rows, read_words
from crmlib.fields.text import PARTICLES, capitalise_words, fold_text, tidy_spaces

MOST_VARIANTS = 12
LONGEST_NAME = 200

# The same words come again and again.
_fold_word = lru_cache(maxsize=65_536)(fold_text)

_TITLES = read_words("title")
_NO_NAME = read_words("no_name")
#: What is written where there is no name at all.
_NOTHING = _NO_NAME | read_words("no_value")
_COMPANY_FORMS = re.compile(
    r" (s ?l ?[ulp]?|s ?a ?u?|s ?c ?p?|c ?b|s ?coop|gmbh|ltd|llc|inc|s ?r ?l|s ?p ?a|lda|ltda|b ?v|sarl|sas)$"
)
_COMPANY_WORDS = read_words("company")
_COMPANY_FIRST_WORDS = read_words("company_first")
# Given names that are one together, though the second alone may be a surname.
_COMPOUNDS = read_words("compound")


class Name(NamedTuple):
    """A name in its parts; `valid` when a given name and a surname, or a company's name, are there."""

    given_name: str | None
    surname_1: str | None
    surname_2: str | None
    company: str | None
    kind: str | None
    valid: bool


def normalise_name(
    full_name: str | None = None,
    given_name: str | None = None,
    surnames: str | None = None,
    surname_1: str | None = None,
    surname_2: str | None = None,
) -> Name:
    """Bring a name into its parts, whatever fields it came in.

    Parameters
    ----------
    full_name : str, optional
        The whole name, used when no part is there: ``GIVEN SURNAME SURNAME``, ``SURNAME SURNAME GIVEN``
        or ``SURNAME SURNAME, GIVEN``.
    given_name, surnames, surname_1, surname_2 : str, optional
        The parts, as far as the source parts them; `surnames` holds both surnames.

    Returns
    -------
    Name
        Parts in their usual capitals, without titles, abbreviations of common names written out;
        kind is ``person``, ``company`` or None if no name is there.
    """
    full_name, given_name, surnames, surname_1, surname_2 = (
        part and part[:LONGEST_NAME] for part in (full_name, given_name, surnames, surname_1, surname_2)
    )
    whole = tidy_spaces(full_name or given_name)
    if _is_company(whole):
        return Name(None, None, None, whole, "company", True)
    if any((given_name, surnames, surname_1, surname_2)):
        given = _tidy_part(given_name, "given")
        first = _tidy_part(surname_1, "surname") or _tidy_part(surnames, "surname")
        second = _tidy_part(surname_2, "surname")
        if given and not first and not second and _holds_surname(given):
            given, first, second = _part_name(given_name or "")
        elif bool(first) != bool(second):
            first, second = _part_surnames(_group_particles((first or second).split()))
    else:
        given, first, second = _part_name(full_name or "")
    given, first, second = (part if _is_name(part) else "" for part in (given, first, second))
    if not first:
        first, second = second, ""
    kind = "person" if given or first else None
    return Name(
        capitalise_words(given) or None,
        capitalise_words(first) or None,
        capitalise_words(second) or None,
        None,
        kind,
        _is_written_out(given) and _is_written_out(first),
    )


@lru_cache(maxsize=65_536)
def fold_name(part: str | None) -> str | None:
    """Write a part of a name as it is compared: folded, without particles; None if nothing is left."""
    words = fold_text(part).split()
    return " ".join(word for word in words if word not in PARTICLES) or " ".join(words) or None


def list_given_name_variants(given_name: str | None) -> list[str]:
    """List the given names that a given name or nickname may stand for.

    Parameters
    ----------
    given_name : str, optional
        Given name, in any spelling.

    Returns
    -------
    list of str
        Folded names, the name itself among them, sorted; at most `MOST_VARIANTS`.
    """
    folded = fold_name(given_name)
    return [] if folded is None else list(_list_variants(folded))


@lru_cache(maxsize=65_536)
def _list_variants(folded: str) -> tuple[str, ...]:
    variants = {folded, *_resolve_nickname(folded)}
    per_word = [sorted({word, *_resolve_nickname(word)}) for word in folded.split()]
    for words in product(*per_word):
        variants.add(" ".join(words))
        if len(variants) >= MOST_VARIANTS:
            break
    return tuple(sorted(variants))


@lru_cache(maxsize=65_536)
def is_common_given_name(given_name: str | None) -> bool:
    """Whether each word is a given name that many people bear, and so hardly a misspelling of another."""
    words = (fold_name(given_name) or "").split()
    return bool(words) and all(word in _given_names() for word in words)


def list_given_words() -> frozenset[str]:
    """Words, folded, that may be a given name or stand for one."""
    return frozenset((*_given_names(), *_nicknames(), *_abbreviations("given")))


def find_gender(given_name: str | None) -> str | None:
    """The gender that the first given name tells: ``female``, ``male``, or None if it tells none."""
    first = (fold_name(given_name) or "").split()[:1]
    return (_given_names().get(first[0]) or None) if first else None


@cache
def _given_names() -> dict[str, str]:
    return {row["name"]: row["gender"] for row in read_rows("given_names.csv")}


@cache
def _names_and_surnames() -> frozenset[str]:
    return frozenset(row["name"] for row in read_rows("given_names.csv") if row["also_surname"])


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    for row in read_rows("nicknames.csv"):
        names.setdefault(row["nickname"], set()).add(row["given_name"])
    return {nickname: frozenset(given) for nickname, given in names.items()}


@cache
def _abbreviations(part: str) -> dict[str, str]:
    return {row["abbreviation"]: row["name"] for row in read_rows("name_abbreviations.csv") if row["part"] == part}


@cache
def _resolve_nickname(name: str) -> frozenset[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        for given in _nicknames().get(pending.pop(), frozenset()) - found:
            found.add(given)
            pending.append(given)
    return frozenset(found)


def _is_company(whole: str) -> bool:
    folded = fold_text(whole)
    words = folded.split()
    if not _COMPANY_WORDS.isdisjoint(words) or (len(words) > 1 and words[0] in _COMPANY_FIRST_WORDS):
        return True
    return bool(_COMPANY_FORMS.search(folded)) and whole[-3:].isascii()


@lru_cache(maxsize=65_536)
def _tidy_part(part: str | None, kind: str) -> str:
    """Words of a given name, of a surname or of a whole name, without punctuation, titles and abbreviations."""
    written = _abbreviations(kind)
    edges = "-'’`´" if kind == "whole" else "-'’`´ªº"
    found = re.sub(r"[^\w'’`´ªº-]+", " ", tidy_spaces(part).replace(".ª", "ª")).split()
    words = [written.get(_fold_word(word), word.strip(edges)) for word in found]
    words = [word for word in words if any(map(str.isalpha, word))]
    while kind != "surname" and len(words) > 1 and _fold_word(words[0]) in _TITLES:
        words = words[1:]
    return " ".join(words) if _is_name(" ".join(words)) else ""


@lru_cache(maxsize=65_536)
def _is_name(part: str) -> bool:
    """Whether there are letters, and other words than those people write where they have no name."""
    words = [_fold_word(word) for word in part.split()]
    if not any(map(str.isalpha, part)) or _NO_NAME.issuperset(words):
        return False
    return " ".join(words) not in _NOTHING


def _group_particles(words: list[str]) -> list[str]:
    groups: list[str] = []
    pending: list[str] = []
    for word in words:
        pending.append(word)
        if _fold_word(word) not in PARTICLES:
            groups.append(" ".join(pending))
            pending = []
    if pending and groups:
        groups[-1] = " ".join([groups[-1], *pending])
    elif pending:
        groups.append(" ".join(pending))
    return groups


def _part_surnames(groups: list[str]) -> tuple[str, str]:
    """First surname, and the rest as the second."""
    first = " ".join(groups[:1])
    return first, re.sub(r"^[yY] ", "", " ".join(groups[1:]))


def _holds_surname(given: str) -> bool:
    first, *rest = _group_particles(given.split())
    return is_common_given_name(first) and any(not is_common_given_name(group) for group in rest)


def _part_name(full_name: str) -> tuple[str, str, str]:
    """Given name, first and second surname of a whole name."""
    before, comma, after = full_name.partition(",")
    if comma and _tidy_part(before, "surname") and _tidy_part(after, "given"):
        groups = _group_particles(_tidy_part(before, "surname").split())
        return _tidy_part(after, "given"), *_part_surnames(groups)
    groups = _group_particles(_tidy_part(full_name, "whole").split())
    if not groups:
        return "", "", ""
    given, surnames = _choose_split(groups)
    first, second = _part_surnames(_group_particles(_tidy_part(" ".join(surnames), "surname").split()))
    return _tidy_part(" ".join(given), "given"), first, second


def _choose_split(groups: list[str]) -> tuple[list[str], list[str]]:
    """The likeliest of all ways to take one to three given names from the front or the end."""
    ways = []
    for count in range(1, min(3, len(groups)) + 1):
        ways.append((_score_split(groups[:count], groups[count:]) + 0.3, groups[:count], groups[count:]))
        ways.append((_score_split(groups[-count:], groups[:-count]), groups[-count:], groups[:-count]))
    if len(groups) == 1:
        ways.append((_score_split([], groups), [], groups))
    _, given, surnames = max(ways, key=lambda way: way[0])
    return given, surnames


def _score_split(given: list[str], surnames: list[str]) -> float:
    score = -2.0 if not surnames else 0.6 if len(surnames) == 2 else -1.0 * (len(surnames) - 1)
    if " ".join(_fold_word(group) for group in given) in _COMPOUNDS:
        score += 1.5
    for group in given:
        last = _fold_word(group.split()[-1])
        score += -1.0 if not _may_be_given(last) else 1.0 if last in _names_and_surnames() else 2.0
        score -= 0.5 if " " in group else 0.0
    for group in surnames:
        last = _fold_word(group.split()[-1])
        score += 1.0 if not _may_be_given(last) else 0.5 if last in _names_and_surnames() else -1.5
    return score


def _may_be_given(word: str) -> bool:
    return word in _given_names() or word in _nicknames() or word in _abbreviations("given")


@lru_cache(maxsize=65_536)
def _is_written_out(part: str) -> bool:
    letters = fold_text(part)
    return sum(character.isalpha() for character in letters) > 1 and not any(map(str.isdigit, letters))
