"""What an address is: street type, name, number and unit in one field or several; postcode and province."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from crmlib.fields.reference import read_rows
from crmlib.fields.text import PARTICLES, capitalise_words, fold_text, tidy_spaces

LONGEST_ADDRESS = 300
_EDGES = " ,.;-"

_NUMBER = re.compile(
    r"[\s,]+(?:(?:n[º°o]?|num(?:ero)?|nr|no|número|parc(?:ela)?|nave)\b[.\s]*|#\s*)?"
    r"(?P<number>\d{1,5}(?:\s?[-/]\s?\d{1,4}(?!\d|\s?[º°ª]))?\s?(?:[a-z](?![\w'’]))?|s/n)(?P<after>(?:[\s,.;ºª-].*)?)$",
    re.IGNORECASE,
)
#: A place on a road: its kilometre, with the metres as decimals.
_KILOMETRE = re.compile(
    r"(?:^|[\s,]+)(?:km|p\.?\s?k|kil[oó]metro|punto\s+kilom[eé]trico)(?![^\W\d])[.\s]*(?P<whole>\d{1,4})(?:[.,'](?P<part>\d{1,3}))?"
    r"(?P<after>(?:[\s,.;-].*)?)$",
    re.IGNORECASE,
)
_LEADING_NUMBER = re.compile(r"^(?P<number>\d{1,5}(?:[-/]\d{1,4})?[a-z]?)[\s,]+(?P<street>[^\W\d].*)$", re.IGNORECASE)
#: Places within which streets have names of their own.
_ESTATES = ("urbanizacion", "residencial", "poligono", "edificio", "barriada")
_GLUED_TYPE = re.compile(r"^(c|av|avda|pl|pza|ctra)\s?[/.]\s?", re.IGNORECASE)


class Address(NamedTuple):
    """A postal address down to the door; `street_key` is the name as it is compared, without type and articles."""

    street_type: str | None
    street: str | None
    house_number: str | None
    unit: str | None
    street_key: str | None
    valid: bool


class Postcode(NamedTuple):
    """A postcode; `province` is told from it where the country's rule is known."""

    postcode: str | None
    province: str | None
    valid: bool


def normalise_address(
    address_line: str | None = None,
    street_type: str | None = None,
    street: str | None = None,
    house_number: str | None = None,
    unit: str | None = None,
) -> Address:
    """Bring an address into its parts, whatever fields it came in.

    Parameters
    ----------
    address_line : str, optional
        Street, number and unit in one field; used when `street` is absent.
    street_type, street, house_number, unit : str, optional
        The parts, as far as the source parts them; `street` may begin with the type and end with number
        and unit.

    Returns
    -------
    Address
        Type written out in lower case (``avenida`` for Avda.), name in its usual capitals, number and unit
        in upper case; a kilometre as ``KM12,5``. An estate beside a street's own name is left out. Valid when street
        and number are there.
    """
    line = _leave_estate(tidy_spaces((street or address_line or "")[:LONGEST_ADDRESS]).strip(_EDGES))
    kind = _find_type(street_type)
    kind, name = _take_leading_type(kind, line)
    number, rest = _tidy_number(house_number), unit
    if not number:
        name, number, after = _take_number(name, may_lead=not kind)
        rest = unit or after
        kind, name = _take_leading_type(kind, name)
    kind = kind or _street_types("after").get(fold_text(name.rpartition(" ")[2]) if " " in name else "", "")
    name = capitalise_words(name) if any(map(str.isalpha, name)) else ""
    return Address(
        kind or None,
        name or None,
        number or None,
        _tidy_unit(rest),
        _find_street_key(name),
        bool(name and number),
    )


def normalise_postcode(postcode: str | None, country: str) -> Postcode:
    """Write a postcode in its one form and tell its province.

    Parameters
    ----------
    postcode : str, optional
        The postcode as delivered; spreadsheets drop the zero in front of a Spanish one.
    country : str
        Country (ISO 3166-1 alpha-2); where no rule is known for it, any text is valid.
    """
    text = re.sub(r"[^\w]+", "", postcode or "").upper()
    if not text:
        return Postcode(None, None, False)
    if country != "ES":
        return Postcode(text, None, True)
    text = text.zfill(5) if text.isdigit() and len(text) == 4 else text
    province = _provinces().get((country, text[:2])) if re.fullmatch(r"\d{5}", text) else None
    return Postcode(text, province, province is not None)


def check_postcode_province(postcode: str | None, province: str | None, country: str) -> bool | None:
    """Whether postcode and province agree; None where that cannot be told."""
    told = normalise_postcode(postcode, country).province
    named = _province_names().get((country, fold_text(province)))
    if told is None or named is None:
        return None
    return told == named


def _find_type(street_type: str | None) -> str:
    folded = fold_text(street_type)
    return _street_types("before").get(folded) or _street_types("after").get(folded) or folded


@lru_cache(maxsize=65_536)
def _read_type(word: str) -> str | None:
    return _street_types("before").get(fold_text(word))


def _take_leading_type(kind: str, line: str) -> tuple[str, str]:
    """Take the type off the front of a line, as often as it stands there, unless another type is known."""
    name = line
    while True:
        spaced = _GLUED_TYPE.sub(lambda match: match[1] + " ", name)
        first, _, rest = spaced.partition(" ")
        found = _read_type(first)
        if not found or not rest.strip(_EDGES) or (kind and kind != found):
            return kind, name
        kind, name = found, rest.strip(_EDGES)


def _leave_estate(line: str) -> str:
    """The street of a line that also names the estate it lies in (Urb. Los Olivos, C/ Jazmín 5)."""
    parts = re.split(r"\s*,\s*|\s+-\s+", line)
    if len(parts) == 1:
        return line
    kinds = [_take_leading_type("", part)[0] for part in parts]
    if all(not kind or kind in _ESTATES for kind in kinds):
        return line
    kept = [part for part, kind in zip(parts, kinds, strict=True) if kind not in _ESTATES]
    return line if len(kept) == len(parts) else ", ".join(kept)


def _take_number(name: str, may_lead: bool) -> tuple[str, str, str]:
    """Name, number and what follows it; a number before ``de`` belongs to the name (Calle 25 de Julio)."""
    if (road := _KILOMETRE.search(name)) and road.start():
        return name[: road.start()].strip(_EDGES), _tell_kilometre(road), road["after"]
    leading = _LEADING_NUMBER.match(name) if may_lead else None
    if leading and not re.match(r"de\b", leading["street"], re.IGNORECASE):
        return leading["street"].strip(_EDGES), _tidy_number(leading["number"]), ""
    for found in _NUMBER.finditer(name):
        if not re.match(r"\s+de\b", found["after"] or "", re.IGNORECASE):
            return name[: found.start()].strip(_EDGES), _tidy_number(found["number"]), found["after"] or ""
    return name, "", ""


def _tidy_number(number: str | None) -> str:
    if road := _KILOMETRE.fullmatch((number or "").strip(_EDGES)):
        return _tell_kilometre(road)
    text = re.sub(r"\s+", "", number or "").upper().strip(_EDGES)
    if text in {"S/N", "SN"}:
        return "S/N"
    return re.sub(r"^(?:N[º°O]?|NUM|NR|PARC(?:ELA)?|NAVE)\.?(?=\d)", "", text)


def _tell_kilometre(road: re.Match[str]) -> str:
    part = (road["part"] or "").rstrip("0")
    return f"KM{int(road['whole'])}" + (f",{part}" if part else "")


def _tidy_unit(unit: str | None) -> str | None:
    text = re.sub(r"[\s,.;-]+", " ", tidy_spaces(unit)).strip()
    return text.upper() or None


def _find_street_key(name: str) -> str | None:
    words = [word for word in fold_text(name).split() if word not in PARTICLES]
    if len(words) > 1 and words[-1] in _street_types("after"):
        words = words[:-1]
    return " ".join(words) or None


@cache
def _street_types(position: str) -> dict[str, str]:
    """Types that stand before the name (Calle Mayor), or after it (High Street)."""
    rows = read_rows("street_types.csv")
    return {fold_text(row["abbreviation"]): row["street_type"] for row in rows if row["position"] == position}


@cache
def _provinces() -> dict[tuple[str, str], str]:
    return {(row["country"], row["postcode_prefix"]): row["province"] for row in read_rows("provinces.csv")}


@cache
def _province_names() -> dict[tuple[str, str], str]:
    names = {}
    for row in read_rows("provinces.csv"):
        for name in (row["province"], *row["also"].split("|")):
            names[(row["country"], fold_text(name))] = row["province"]
    return {key: province for key, province in names.items() if key[1]}
