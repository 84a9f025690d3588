"""What the cells of a column look like: addresses, numbers, days, names, words of a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from crmlib.fields.emails import normalise_email
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.reference import read_rows
from crmlib.fields.text import fold_text
from crmlib.sources.guessing.headings import read_table

#: Cells that are looked at in each column.
LOOKED_AT = 100
#: Rows from which a column can be one of pieces, and the largest number in its middle then: no prices are so small.
PIECES_FROM, USUAL_PIECES = 50, 3
#: Countries whose national ids have a check digit that is known here, and those whose phones are tried.
ID_COUNTRIES, PHONE_COUNTRIES = ("ES", "IT", "PL", "BR"), ("ES", "PT", "IT", "PL", "DE", "BR")
#: Years in which customers are born.
BORN = (1915, 2015)

_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|20\d{6}|19\d{6})"
_CLOCK = r"(?:[T ]\d{1,2}:\d{2}.*)?"
_TIME = re.compile(rf"^(?:{_DAY}{_CLOCK}|[A-Z][a-z]{{2}} \d{{1,2}}, \d{{4}}.*)$")
_YEAR = re.compile(r"(?:^|\D)((?:19|20)\d\d)")
_NUMBER = re.compile(
    r"^[-+]?(?:[€$£]\s?)?\d{1,3}(?:[.,' ]?\d{3})*(?:[.,]\d+)?(?:\s?(?:€|\$|£|[A-Z]{3}))?$|^[-+]?\d+(?:[.,]\d+)?$"
)
_WHOLE = re.compile(r"^[-+]?\d+$")
_CLOCK_ALONE = re.compile(r"^\d{1,2}:\d{2}(?::\d{2})?$")
_POSTCODE = re.compile(r"^'?(?:\d{5}|\d{4}|\d{2}-\d{3}|\d{4}-\d{3}|\d{5}-\d{3})$")
_IP = re.compile(r"^\d{1,3}(?:\.\d{1,3}){3}$|^[0-9a-f]*:[0-9a-f:]+$", re.IGNORECASE)
_HASH = re.compile(r"^[0-9a-f]{32,128}$", re.IGNORECASE)


@dataclass(frozen=True)
class Contents:
    """What a column's cells look like.

    Parameters
    ----------
    cells : tuple of str
        Different ones, trimmed.
    filled : float
        Share of the rows that say anything.
    unique : bool
        Whether no two rows say the same.
    shares : dict of str to float
        Kind of cell -> share of the cells that are of it; ``pieces`` is 1 where all rows together look like numbers of
        pieces: whole, none 0, most of them small.
    """

    cells: tuple[str, ...]
    filled: float
    unique: bool
    shares: dict[str, float]

    def share(self, kind: str) -> float:
        """Share of the cells that are of a kind."""
        return self.shares.get(kind, 0.0)


def look_at(values: Sequence[str | None], typed: str = "VARCHAR") -> Contents:
    """Look at a column.

    Parameters
    ----------
    values : sequence of str or None
        Cells of some rows, as texts.
    typed : str
        The column's type in SQL: what a file says itself need not be found out.
    """
    filled = [value.strip() for value in values if value is not None and value.strip()]
    cells = tuple(dict.fromkeys(filled))[:LOOKED_AT]
    shares = {kind: sum(map(is_one, cells)) / len(cells) for kind, is_one in KINDS.items()} if cells else {}
    if typed.startswith(("DATE", "TIMESTAMP")):
        shares["time"] = 1.0
    if len(filled) >= PIECES_FROM and all(map(_WHOLE.match, filled)):
        sizes = sorted(abs(int(value)) for value in filled)
        shares["pieces"] = float(sizes[0] > 0 and sizes[len(sizes) // 2] <= USUAL_PIECES)
    return Contents(cells, len(filled) / max(1, len(values)), bool(filled) and len(set(filled)) == len(filled), shares)


def _is_phone(cell: str) -> bool:
    from crmlib.fields.phones import normalise_phone

    text = cell.lstrip("'")
    if not re.fullmatch(r"[+(]?[\d\s().\-/]{7,25}", text) or _is_time(cell):
        return False
    countries = PHONE_COUNTRIES if not text.startswith("+") else PHONE_COUNTRIES[:1]
    return any(normalise_phone(text, country).valid for country in countries)


def _is_national_id(cell: str) -> bool:
    return any(normalise_national_id(cell, country).valid is True for country in ID_COUNTRIES)


def _is_time(cell: str) -> bool:
    return bool(_TIME.match(cell))


def _is_birth(cell: str) -> bool:
    year = _YEAR.search(cell)
    return _is_time(cell) and year is not None and BORN[0] <= int(year[1]) <= BORN[1]


@cache
def _given_names() -> frozenset[str]:
    return frozenset(fold_text(row["name"]) for row in read_rows("given_names.csv"))


@cache
def _street_types() -> frozenset[str]:
    rows = read_rows("street_types.csv")
    return frozenset(fold_text(row[name]) for row in rows for name in ("abbreviation", "street_type"))


def _is_given_name(cell: str) -> bool:
    words = fold_text(cell).split()
    return 0 < len(words) <= 3 and words[0] in _given_names() and not re.search(r"\d", cell)


def _is_full_name(cell: str) -> bool:
    words = fold_text(cell).split()
    return len(words) >= 2 and not re.search(r"\d|@", cell) and any(word in _given_names() for word in words)


def _is_street(cell: str) -> bool:
    words = fold_text(cell).split()
    if len(words) < 2:
        return False
    return words[0] in _street_types() or (bool(re.search(r"\d", cell)) and bool(re.search(r"[^\W\d_]{3}", cell)))


def _is_word_of(field: str) -> Callable[[str], bool]:
    words = frozenset(
        word for row in read_table("values.csv") if row["field"] == field for word in row["words"].split("|")
    )
    return lambda cell: cell.lower() in words


KINDS: dict[str, Callable[[str], bool]] = {
    "email": lambda cell: "@" in cell and normalise_email(cell).mailbox is not None,
    "phone": _is_phone,
    "national_id": _is_national_id,
    "time": _is_time,
    "birth": _is_birth,
    "number": lambda cell: bool(_NUMBER.match(cell)),
    "whole": lambda cell: bool(_WHOLE.match(cell)),
    "digits": lambda cell: any(map(str.isdigit, cell)),
    "words": lambda cell: bool(re.search(r"[^\W\d_]{2}", cell)) and "@" not in cell,
    "spaced": lambda cell: " " in cell,
    "postcode": lambda cell: bool(_POSTCODE.match(cell)),
    "clock": lambda cell: bool(_CLOCK_ALONE.match(cell)),
    "two_letters": lambda cell: bool(re.fullmatch(r"[A-Z]{2}", cell)),
    "json": lambda cell: cell[:1] in ("[", "{"),
    "ip": lambda cell: bool(_IP.match(cell)),
    "hash": lambda cell: bool(_HASH.match(cell)),
    "given_name": _is_given_name,
    "full_name": _is_full_name,
    "street": _is_street,
    **{field: _is_word_of(field) for field in dict.fromkeys(row["field"] for row in read_table("values.csv"))},
}
