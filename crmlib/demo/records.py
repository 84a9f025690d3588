"""The rows in which the systems know the people of one piece: as exported, with what is wrong in them.

What is asked of people and what they answer depends on how they can be reached, so that consents are added later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo import erp, loyalty, shop
from crmlib.demo.chance import stream
from crmlib.demo.columns import TEXT, Bools, Columns, Dates, Ints, Text
from crmlib.demo.defects import DefectLog, Planting, dates_after, plant
from crmlib.demo.piece import Piece

#: Rows of a whole file that have a cell too many, come twice, come twice with a difference, or come from the future.
FEW_ROWS = 2
#: Digits of a Spanish number.
NUMBER_LENGTH = 9
#: Defects for which a row is not taken in, or not yet seen.
LOSING = ("impossible_date", "future_row")


@dataclass(frozen=True)
class Records:
    """One system's rows about the people of one piece.

    Parameters
    ----------
    source : str
    person : array of int
        Place of each row's person within the piece.
    created_on, updated_on : array of date
    keys : Text
        The system's own ids.
    columns : Columns
        The export, without consents.
    email, phone, national_id : Text
        What can be read and used of them, in one form: small letters; nine digits, of mobiles alone; no dots.
    usable : array of bool
        Whether the row can be taken in and is seen at the as-of date.
    broken, repeated, conflicting : array of int
        Rows with a cell too many, rows that come twice, and rows that come twice with a difference.
    """

    source: str
    person: Ints
    created_on: Dates
    updated_on: Dates
    keys: Text
    columns: Columns
    email: Text
    phone: Text
    national_id: Text
    usable: Bools
    broken: Ints
    repeated: Ints
    conflicting: Ints

    def __len__(self) -> int:
        return len(self.person)


def gather_records(piece: Piece, logs: dict[str, DefectLog]) -> dict[str, Records]:
    """Write the rows of every system about the people of one piece, and spoil some.

    Parameters
    ----------
    piece : Piece
    logs : dict of str to DefectLog
        By source; told of what is wrong.

    Returns
    -------
    dict of str to Records
        By source: shop, erp, loyalty.
    """
    return {
        "loyalty": _gather_cards(piece, logs["loyalty"]),
        "shop": _gather_shop(piece, logs["shop"]),
        "erp": _gather_erp(piece, logs["erp"]),
    }


def _gather_shop(piece: Piece, log: DefectLog) -> Records:
    columns = shop.write_customers(piece.seed, piece.people, piece.holdings["shop"])
    every = np.ones(len(piece.holdings["shop"]), dtype=np.bool_)
    keys = shop.customer_ids(piece.holdings["shop"])
    return _spoil(piece, "shop", columns, (keys, every), shop.PLANTINGS, log, ("Email", "Phone", ""))


def _gather_erp(piece: Piece, log: DefectLog) -> Records:
    future = Planting("future_row", "F_MODIF", 0.0, dates_after(piece.as_of_date), few=FEW_ROWS)
    columns = erp.write_customers(piece.seed, piece.people, piece.holdings["erp"])
    every = np.ones(len(piece.holdings["erp"]), dtype=np.bool_)
    keys = erp.customer_codes(piece.holdings["erp"])
    plantings = (*erp.PLANTINGS, future)
    return _spoil(piece, "erp", columns, (keys, every), plantings, log, ("EMAIL", "TELEFONO", "NIF"), broken=FEW_ROWS)


def _gather_cards(piece: Piece, log: DefectLog) -> Records:
    log.note(piece.card_numbers[~piece.listed], "card_without_record")
    columns = loyalty.write_cards(piece.seed, piece.people, piece.holdings["loyalty"], piece.habits.store)
    columns = {heading: cells[piece.listed] for heading, cells in columns.items()}
    rows = (piece.card_numbers[piece.listed], piece.listed)
    contact = ("email", "telefono", "")
    return _spoil(piece, "loyalty", columns, rows, loyalty.PLANTINGS, log, contact, broken=FEW_ROWS, repeated=FEW_ROWS)


def _spoil(
    piece: Piece,
    source: str,
    columns: Columns,
    rows: tuple[Text, Bools],
    plantings: tuple[Planting, ...],
    log: DefectLog,
    contact: tuple[str, str, str],
    broken: int = 0,
    repeated: int = 0,
) -> Records:
    """Plant what is wrong with some rows; `rows` are their keys and which of the holding's they are."""
    keys, chosen = rows
    holding = piece.holdings[source]
    spoilt = plant(piece.seed, piece.first, columns, keys, plantings, log)
    usable = np.ones(len(keys), dtype=np.bool_)
    for planting in plantings:
        if planting.defect in LOSING:
            usable &= spoilt[planting.column] == columns[planting.column]
    few = np.split(_choose_few(piece, source, usable, broken + 2 * repeated), [broken, broken + repeated])
    for some, defect in zip(few, ("unreadable_row", "repeated_row", "conflicting_key"), strict=True):
        log.note(keys[some], defect)
    usable[few[0]] = False
    usable[few[2]] = False
    email, phone, national_id = (
        np.where(spoilt[heading] == columns[heading], spoilt[heading], "").astype(TEXT)
        if heading
        else np.full(len(keys), "", dtype=TEXT)
        for heading in contact
    )
    _note_slips(piece, holding.person[chosen], keys, email, phone, log)
    return Records(
        source,
        holding.person[chosen],
        holding.created_on[chosen],
        holding.updated_on[chosen],
        keys,
        spoilt,
        plain_email(email),
        plain_mobile(phone),
        np.strings.replace(np.strings.replace(national_id, ".", ""), "-", ""),
        usable,
        *few,
    )


def _note_slips(piece: Piece, person: Ints, keys: Text, email: Text, phone: Text, log: DefectLog) -> None:
    """Note the addresses and numbers in which a finger slipped: those that are none of the person's own."""
    people = piece.people
    lower, digits = np.strings.lower(email), _last_digits(phone)
    slipped = (lower != "") & (lower != people.email.before[person]) & (lower != people.email.now[person])
    log.note(keys[slipped], "mistyped_email")
    own = (digits == people.mobile.before[person]) | (digits == people.mobile.now[person])
    log.note(keys[(digits != "") & ~own & (digits != people.landline[person])], "misdialled")


def _choose_few(piece: Piece, source: str, usable: Bools, count: int) -> Ints:
    """Choose rows of the first people for defects that a whole file has but a few of."""
    if piece.first > 0:
        return np.array([], dtype=np.int64)
    return stream(piece.seed, f"few rows of {source}").permutation(np.flatnonzero(usable))[:count]


def plain_email(cells: Text) -> Text:
    """E-mail addresses in small letters; empty where a slip of the keyboard has left none."""
    lower = np.strings.lower(cells)
    none = (np.strings.find(lower, "..") >= 0) | (np.strings.find(lower, ".@") >= 0) | np.strings.startswith(lower, ".")
    return np.where(none, "", lower).astype(TEXT)


def plain_mobile(cells: Text) -> Text:
    """Mobile numbers as nine digits; empty for any other."""
    digits = _last_digits(cells)
    mobile = (np.strings.str_len(digits) == NUMBER_LENGTH) & np.strings.startswith(digits, "6")
    return np.where(mobile, digits, "").astype(TEXT)


def _last_digits(cells: Text) -> Text:
    """The digits of phone numbers without the country's prefix."""
    plain = cells
    for sign in ("'", " ", "."):
        plain = np.strings.replace(plain, sign, "")
    length = np.strings.str_len(plain)
    return np.strings.slice(plain, np.maximum(length - NUMBER_LENGTH, 0), length).astype(TEXT)
