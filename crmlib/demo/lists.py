"""Lists of those who must not be contacted: Robinson (hashed), deceased, employees, and the desk's own.

A list means whoever has its key in a record that can be taken in; some keys are nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from crmlib.demo.chance import happens, key_of, scatter, stream
from crmlib.demo.columns import Bools, Columns, Dates, Ints, Text, as_text, iso_text, number_text
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records
from crmlib.demo.rhythm import dropout_dates

#: Lists in the order in which they decide.
LISTS = ("deceased", "robinson", "employee", "internal")
#: List, kind of key -> share of the records with such a key whose person puts itself, or is put, on the list.
SHARES = {
    ("deceased", "national_id"): 0.03,
    ("robinson", "email"): 0.008,
    ("robinson", "phone"): 0.008,
    ("robinson", "national_id"): 0.010,
    ("employee", "national_id"): 0.010,
    ("employee", "email"): 0.003,
    ("internal", "loyalty_card"): 0.004,
}
#: Lists whose keys are SHA-256 digests.
HASHED = {("robinson", "email"), ("robinson", "phone"), ("robinson", "national_id"), ("employee", "email")}
#: Share of the keys that come with a delivery after the as-of date, how many do for certain, and how many days after.
SHARE_TOO_LATE, FEW_TOO_LATE, TOO_LATE_DAYS = 0.03, 1, 4
#: Keys of nobody, for each one of somebody.
STRANGERS = 0.5
OLDEST_LISTING_DAYS = 900


@dataclass(frozen=True)
class Listings:
    """Keys on one list.

    Parameters
    ----------
    name, key_kind : str
    keys : Text
        In one form: small letters, nine digits, no dots.
    listed_on : array of date
    too_late : array of bool
        Whether delivered after the as-of date.
    """

    name: str
    key_kind: str
    keys: Text
    listed_on: Dates
    too_late: Bools


def draw_listings(piece: Piece, records: dict[str, Records]) -> list[Listings]:
    """Draw who of one piece's people stands on which list, by which key.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    """
    gone = ~np.isnat(dropout_dates(piece.rhythm, piece.season))
    listings = []
    for (name, key_kind), share in SHARES.items():
        rng = stream(piece.seed, f"list {name} by {key_kind}", piece.first)
        person, keys = find_keys(records, key_kind)
        # nobody who is dead buys any more
        chosen = happens(rng, len(keys), share) & (gone[person] | (name != "deceased"))
        own = np.unique(keys[chosen])
        strangers = _make_strangers(piece, name, key_kind, int(len(own) * STRANGERS))
        every = np.concatenate([own, strangers])
        ago = rng.integers(10, OLDEST_LISTING_DAYS, len(every))
        listed_on = np.datetime64(piece.as_of_date, "D") - ago
        too_late = happens(rng, len(every), SHARE_TOO_LATE)
        too_late[: FEW_TOO_LATE if piece.first == 0 and name == "robinson" else 0] = True
        listings.append(Listings(name, key_kind, every, listed_on, too_late))
    return listings


def find_keys(records: dict[str, Records], key_kind: str) -> tuple[Ints, Text]:
    """Persons and keys of one kind in all records that can be taken in.

    Parameters
    ----------
    records : dict of str to Records
    key_kind : {"email", "phone", "national_id", "loyalty_card"}

    Returns
    -------
    (array of int, Text)
    """
    if key_kind == "loyalty_card":
        cards = records["loyalty"]
        return cards.person[cards.usable], cards.keys[cards.usable]
    cells = [(known.person, getattr(known, key_kind), known.usable) for known in records.values()]
    person = np.concatenate([person[usable & (keys != "")] for person, keys, usable in cells])
    return person, np.concatenate([keys[usable & (keys != "")] for _, keys, usable in cells])


def _make_strangers(piece: Piece, name: str, key_kind: str, count: int) -> Text:
    """Keys that nobody has: of addresses, numbers and cards that are never given out."""
    number = scatter(piece.first + np.arange(count), 10_000_000, key_of(piece.seed, f"{name} {key_kind}"))
    digits = number_text(number, 7)
    forms: dict[str, Text] = {
        "email": "nadie" + digits + "@nadie.example",
        "phone": "69" + digits,
        "national_id": number_text(1_000_000 + number // 2, 8),
        "loyalty_card": "2991" + digits + "00",
    }
    if key_kind != "national_id":
        return forms[key_kind]
    letters = as_text("TRWAGMYFPDXBNJZSQVHLCKE")
    return forms["national_id"] + letters[(1_000_000 + number // 2) % 23]


def write_listings(piece: Piece, listings: list[Listings]) -> Iterator[tuple[str, Columns]]:
    """Files of the lists, and the rows that one piece's people bring to each.

    A list on which nobody stands is a file all the same.

    Parameters
    ----------
    piece : Piece
    listings : list of Listings
    """
    later = piece.as_of_date + timedelta(days=TOO_LATE_DAYS)
    for one in listings:
        for day, chosen in ((piece.as_of_date, ~one.too_late), (later, one.too_late)):
            if chosen.any() or (day == piece.as_of_date and piece.first == 0):
                yield f"{one.name}_{day:%Y%m%d}.csv", _write_rows(one, chosen)


def _write_rows(one: Listings, chosen: Bools) -> Columns:
    keys = one.keys[chosen]
    if (one.name, one.key_kind) in HASHED:
        keys = as_text(_digest(key, one.key_kind) for key in keys.tolist())
    kind = as_text([one.key_kind])[np.zeros(len(keys), dtype=np.int64)]
    return {"key_kind": kind, "key": keys, "listed_on": iso_text(one.listed_on[chosen])}


def _digest(key: str, key_kind: str) -> str:
    """SHA-256 of a key, phones with their prefix."""
    return hashlib.sha256(f"{'+34' if key_kind == 'phone' else ''}{key}".encode()).hexdigest()


def find_listed(listings: list[Listings], records: dict[str, Records], people: int) -> Ints:
    """The list that decides for each person, as a place in ``LISTS``; their number where none does.

    Parameters
    ----------
    listings : list of Listings
        Keys that come too late are not known.
    records : dict of str to Records
    people : int
        Of the piece.
    """
    listed = np.full(people, len(LISTS))
    for one in listings:
        known = set(one.keys[~one.too_late].tolist())
        person, keys = find_keys(records, one.key_kind)
        meant = person[np.fromiter((key in known for key in keys.tolist()), dtype=np.bool_, count=len(keys))]
        np.minimum.at(listed, meant, LISTS.index(one.name))
    return listed
