"""Made registers with known truth, to judge identity by: none resembles the demo, and nothing is fitted to them.

Each function gives rows of `source_records` with a ``person_id``.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from tests.benchmarks import words
from tests.benchmarks.mistakes import drop_accents, happens, misdate, mishear, mistype, pick

Row = dict[str, Any]
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def make_register(records: int, seed: int) -> list[Row]:
    """A register of names and dates of birth alone; one record in ten is another's copy with one mistake."""
    rng = np.random.default_rng(seed)
    originals = records - records // 10
    rows: list[Row] = []
    for person in range(originals):
        born = date(1920, 1, 1) + timedelta(days=int(rng.integers(0, 75 * 365)))
        given = pick(rng, words.GERMAN_GIVEN, 0.6)
        if happens(rng, 0.03):
            given += " " + pick(rng, words.GERMAN_GIVEN, 0.6)
        surname = pick(rng, words.GERMAN_SURNAMES, 0.75)
        if happens(rng, 0.25):
            surname = _compose(rng, words.GERMAN_STEMS, words.GERMAN_ENDINGS)
        rows.append({"given_name": given, "surnames": surname, "birth_date": born, "person_id": f"p{person}"})
    for person in rng.choice(originals, records // 10, replace=False):
        copy = dict(rows[int(person)])
        field = pick(rng, ("given_name", "surnames", "birth_date"), 0.2)
        match field:
            case "birth_date":
                copy[field] = misdate(rng, copy[field])
            case "given_name" if happens(rng, 0.15):
                copy[field] = pick(rng, words.GERMAN_GIVEN, 0.6)
            case _:
                copy[field] = mistype(rng, copy[field])
        rows.append(copy)
    return _number(rng, rows, ("register",))


def make_historical(records: int, seed: int) -> list[Row]:
    """Persons of four centuries, about ten records each, with heavy mistakes in all fields."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    person = 0
    while len(rows) < records:
        male = happens(rng, 0.85)
        given = pick(rng, words.ENGLISH_MEN if male else words.ENGLISH_WOMEN, 0.9)
        if happens(rng, 0.35):
            given += " " + pick(rng, words.ENGLISH_MEN if male else words.ENGLISH_WOMEN, 0.6)
        surname = pick(rng, words.ENGLISH_SURNAMES, 0.6)
        if happens(rng, 0.5):
            surname = _compose(rng, words.ENGLISH_STEMS, words.ENGLISH_ENDINGS)
        year = int(rng.integers(1600, 1940))
        born = date(year, 1, 1) if happens(rng, 0.15) else date(year, 1, 1) + timedelta(days=int(rng.integers(365)))
        town, code = pick(rng, words.ENGLISH_TOWNS, 0.6)
        whole = {
            "given_name": given,
            "surnames": surname,
            "birth_date": born,
            "municipality": town,
            "postcode": f"{code}{int(rng.integers(1, 30))} {int(rng.integers(1, 10))}{_letters(rng, 2)}",
            "job_title": pick(rng, words.OCCUPATIONS, 0.8),
            "gender": "male" if male else "female",
            "person_id": f"p{person}",
        }
        person += 1
        rows += [_copy_historical(rng, whole) for _ in range(1 + int(rng.geometric(0.105)))]
    return _number(rng, rows[:records], ("archive",))


def _copy_historical(rng: np.random.Generator, whole: Row) -> Row:
    row = dict(whole)
    first, *others = row["given_name"].split()
    if happens(rng, 0.22):
        first = pick(rng, words.ENGLISH_NICKNAMES.get(first, (first,)), 0.2)
    if happens(rng, 0.10):
        first = mistype(rng, first)
    if happens(rng, 0.05):
        first = first[0]
    if happens(rng, 0.05):
        first = pick(rng, words.ENGLISH_MEN, 0.9)
    row["given_name"] = " ".join([first, *others]) if happens(rng, 0.4) else first
    if happens(rng, 0.17):
        row["surnames"] = mishear(rng, row["surnames"])
    if happens(rng, 0.04):
        row["surnames"] = row["surnames"][: int(rng.integers(3, 6))]
    if happens(rng, 0.05):
        row["given_name"], row["surnames"] = row["surnames"], row["given_name"]
    if happens(rng, 0.13):
        row["birth_date"] = misdate(rng, row["birth_date"])
    if happens(rng, 0.12):
        row["birth_date"] = row["birth_date"].replace(day=1, month=1)
    if happens(rng, 0.18):
        row["municipality"], code = pick(rng, words.ENGLISH_TOWNS, 0.6)
        row["postcode"] = f"{code}{int(rng.integers(1, 30))} {int(rng.integers(1, 10))}{_letters(rng, 2)}"
    elif happens(rng, 0.25):
        row["postcode"] = mistype(rng, row["postcode"])
    for field, share in (("given_name", 0.03), ("surnames", 0.03), ("birth_date", 0.2), ("municipality", 0.15)):
        if happens(rng, share):
            row[field] = None
    for field, share in (("postcode", 0.22), ("job_title", 0.45), ("gender", 0.3)):
        if happens(rng, share):
            row[field] = None
    return row


def make_retailer(people: int, seed: int) -> list[Row]:
    """A Spanish retailer's four sources; households share surnames, address, landline and often a mailbox."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    person = home_number = 0
    while person < people:
        home = _make_home(rng)
        home_number += 1
        for member in _make_family(rng, home):
            if person == people:
                break
            member |= {"person_id": f"p{person}", "household_id": f"h{home_number}"}
            person += 1
            sources = rng.permutation(("erp", "loyalty", "shop", "mailing"))
            rows += [_WRITERS[str(source)](rng, member) for source in sources[: 1 + int(rng.binomial(3, 0.13))]]
            if happens(rng, 0.05):
                rows.append(_WRITERS[str(sources[0])](rng, member))
    return _number(rng, rows, ())


def _make_home(rng: np.random.Generator) -> Row:
    town, code = pick(rng, words.SPANISH_TOWNS, 0.6)
    return {
        "street": pick(rng, words.SPANISH_STREETS, 0.4),
        "number": int(rng.integers(1, 140)),
        "unit": f"{int(rng.integers(1, 9))}º {'ABCD'[int(rng.integers(4))]}" if happens(rng, 0.6) else "",
        "municipality": town,
        "postcode": f"{code}{int(rng.integers(1, 40)):03d}",
        "landline": f"9{code}{int(rng.integers(10**6)):06d}",
        "mailbox": f"familia.{_letters(rng, 5).lower()}{int(rng.integers(99))}@hotmail.com",
        "surnames": [_spanish_surname(rng) for _ in range(4)],
    }


def _make_family(rng: np.random.Generator, home: Row) -> list[Row]:
    father, mother, other_father, other_mother = home["surnames"]
    parents = [
        _make_member(rng, home, True, (father, other_father), int(rng.integers(1940, 1985))),
        _make_member(rng, home, False, (mother, other_mother), int(rng.integers(1940, 1985))),
    ]
    family = parents[: 1 + int(happens(rng, 0.6))]
    if len(family) < 2:
        return family
    year = parents[1]["birth_date"].year + int(rng.integers(20, 38))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.45, 0.25, 0.22, 0.08]))):
        if year > 2006:
            break
        child = _make_member(rng, home, happens(rng, 0.5), (father, mother), year)
        if happens(rng, 0.1):
            child["given"] = parents[0]["given"] if child["male"] else parents[1]["given"]
        if len(family) > 2 and happens(rng, 0.08):
            child["birth_date"] = family[-1]["birth_date"]
        family.append(child)
        year += int(rng.integers(1, 5))
    return family


def _make_member(rng: np.random.Generator, home: Row, male: bool, surnames: tuple[str, str], year: int) -> Row:
    names = words.SPANISH_MEN if male else words.SPANISH_WOMEN
    given = pick(rng, names, 0.7)
    number = int(rng.integers(10**6, 10**8))
    key = drop_accents(given.split()[0]).lower()
    surname = drop_accents(surnames[0]).lower().replace(" ", "")
    styles = (f"{key}.{surname}{year % 100}", f"{key[0]}{surname}{int(rng.integers(999))}", f"{key}{number % 10000}")
    own = f"{pick(rng, styles, 0.1)}@{pick(rng, ('gmail.com', 'hotmail.com', 'yahoo.es', 'outlook.com'), 0.8)}"
    return {
        "given": given,
        "surnames": surnames,
        "male": male,
        "birth_date": date(year, 1, 1) + timedelta(days=int(rng.integers(365))),
        "national_id": f"{number:08d}{_DNI_LETTERS[number % 23]}",
        "email": home["mailbox"] if happens(rng, 0.2) else own,
        "phone": home["landline"] if happens(rng, 0.3) else f"6{int(rng.integers(10**8)):08d}",
        "home": home,
    }


def _write_common(rng: np.random.Generator, member: Row) -> Row:
    """Values of one record with the mistakes that all sources make."""
    home = member["home"]
    given, (first, second) = member["given"], member["surnames"]
    if happens(rng, 0.1):
        given = pick(rng, words.SPANISH_NICKNAMES.get(given, (given,)), 0.2)
    elif happens(rng, 0.25) and " " in given:
        given = given.split()[0]
    elif happens(rng, 0.04):
        given = mistype(rng, given)
    if happens(rng, 0.05):
        first = mishear(rng, first)
    if happens(rng, 0.02):
        first, second = second, first
    email, phone, national_id, born = member["email"], member["phone"], member["national_id"], member["birth_date"]
    if happens(rng, 0.03):
        email = mistype(rng, email.partition("@")[0]) + "@" + email.partition("@")[2]
    if happens(rng, 0.03):
        email = email.replace("gmail.com", "gmial.com").replace("hotmail.com", "hotmial.com")
    if happens(rng, 0.12):
        phone = f"6{int(rng.integers(10**8)):08d}"
    if happens(rng, 0.02):
        national_id = mistype(rng, national_id[:-1]) + national_id[-1]
    if happens(rng, 0.03):
        born = misdate(rng, born)
    if happens(rng, 0.08):
        home = _make_home(rng)
    street = f"{home['street']} {home['number']}" + (f", {home['unit']}" if home["unit"] and happens(rng, 0.7) else "")
    if happens(rng, 0.3):
        street = street.replace("Calle ", "C/ ").replace("Avenida ", "Avda. ").replace("Plaza ", "Pza. ")
    return {
        "given": given,
        "first": first,
        "second": "" if happens(rng, 0.15) else second,
        "email": None if happens(rng, 0.35) else email,
        "phone": None if happens(rng, 0.2) else phone,
        "national_id": None if happens(rng, 0.45) else national_id,
        "birth_date": date(1900, 1, 1) if happens(rng, 0.03) else None if happens(rng, 0.4) else born,
        "address_line": street,
        "postcode": home["postcode"],
        "municipality": home["municipality"],
        "person_id": member["person_id"],
        "household_id": member["household_id"],
    }


def _write_erp(rng: np.random.Generator, member: Row) -> Row:
    row = _write_common(rng, member)
    surnames = f"{row.pop('first')} {row.pop('second')}".strip()
    whole = drop_accents(f"{surnames}, {row.pop('given')}").upper()
    return row | {"source": "erp", "full_name": whole, "email": row["email"] if happens(rng, 0.4) else None}


def _write_loyalty(rng: np.random.Generator, member: Row) -> Row:
    row = _write_common(rng, member)
    names = {"given_name": row.pop("given"), "surname_1": row.pop("first"), "surname_2": row.pop("second") or None}
    return row | names | {"source": "loyalty"}


def _write_shop(rng: np.random.Generator, member: Row) -> Row:
    row = _write_common(rng, member)
    second = row.pop("second")
    names = {"given_name": row.pop("given").lower(), "surnames": f"{row.pop('first')} {second}".strip().lower()}
    return row | names | {"source": "shop", "national_id": None, "email": member["email"]}


def _write_mailing(rng: np.random.Generator, member: Row) -> Row:
    row = _write_common(rng, member)
    row.pop("second")
    name = f"{row.pop('given')} {row.pop('first')}" if happens(rng, 0.85) else None
    kept = {field: row[field] for field in ("birth_date", "person_id", "household_id")}
    phone = row["phone"] if happens(rng, 0.3) else None
    return kept | {"source": "mailing", "full_name": name, "email": member["email"], "phone": phone}


_WRITERS = {"erp": _write_erp, "loyalty": _write_loyalty, "shop": _write_shop, "mailing": _write_mailing}


def _spanish_surname(rng: np.random.Generator) -> str:
    if happens(rng, 0.25):
        return _compose(rng, words.SPANISH_STEMS, words.SPANISH_ENDINGS)
    return pick(rng, words.SPANISH_SURNAMES, 0.75)


def _compose(rng: np.random.Generator, stems: tuple[str, ...], endings: tuple[str, ...]) -> str:
    return pick(rng, stems, 0.1) + pick(rng, endings, 0.3)


def _letters(rng: np.random.Generator, count: int) -> str:
    return "".join(chr(65 + int(place)) for place in rng.integers(0, 26, count))


def _number(rng: np.random.Generator, rows: list[Row], sources: tuple[str, ...]) -> list[Row]:
    """Rows in a random order, each with an id that tells nothing."""
    return [
        {"source": sources[0] if sources else "", **rows[int(place)], "source_record_id": f"n{number:07d}"}
        for number, place in enumerate(rng.permutation(len(rows)))
    ]
