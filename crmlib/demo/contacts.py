"""Documents and ways to reach a person: national id, fixed line, mobile, e-mail.

Each is one person's alone, but for those that relatives share.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from crmlib.demo.chance import Choice, happens, key_of, scatter
from crmlib.demo.columns import TEXT, Bools, Floats, Ints, Text, as_text, number_text
from crmlib.demo.households import Kin
from crmlib.demo.traits import Changing, draw_change_dates
from crmlib.demo.words import read_given_names, read_places, read_surnames

CHECK_LETTERS = as_text("TRWAGMYFPDXBNJZSQVHLCKE")
#: E-mail providers; `.example` can belong to nobody.
DOMAINS = as_text(["correo.example", "buzon.example", "postal.example", "mimail.example", "isla.example"])
DOMAIN_SHARES = Choice.of([0.45, 0.25, 0.15, 0.10, 0.05])
#: Numbers that begin with 6 in Spain's plan, of which each person gets two.
MOBILE_NUMBERS = 89_999_999
#: Numbers a province has under its two fixed-line prefixes.
LANDLINE_NUMBERS = 2_000_000
LANDLINE_PREFIXES = {"Las Palmas": ("928", "828"), "Santa Cruz de Tenerife": ("922", "822")}
DNI_NUMBERS = 68_000_000
NIE_NUMBERS = 30_000_000


def write_national_ids(number: Ints, foreigner: Bools, seed: int) -> Text:
    """DNI or, for foreigners, NIE, with the letter that its number asks for.

    Parameters
    ----------
    number : array of int
        The people's numbers.
    foreigner : array of bool
    seed : int

    Returns
    -------
    Text
        Eight digits, or X, Y, Z (0, 1, 2) and seven digits; then the letter of that number's remainder by 23.
    """
    dni = 10_000_000 + scatter(number, DNI_NUMBERS, key_of(seed, "dni"))
    nie = scatter(number, NIE_NUMBERS, key_of(seed, "nie"))
    prefix = as_text("XYZ")[nie // 10_000_000]
    digits = np.where(foreigner, prefix + number_text(nie % 10_000_000, 7), number_text(dni, 8))
    letter = CHECK_LETTERS[np.where(foreigner, nie, dni) % 23]
    written: Text = digits.astype(TEXT) + letter
    return written


def draw_landlines(rng: np.random.Generator, household: Ints, place: Ints, kin: Kin, seed: int) -> Text:
    """A fixed line for almost half of the households.

    Parameters
    ----------
    rng : Generator
    household : array of int
        Number of each person's household.
    place : array of int
        Where it lives, as a place in the word list.
    kin : Kin
    seed : int

    Returns
    -------
    Text
        Nine digits with a prefix of the province; empty for none.
    """
    line = scatter(household, LANDLINE_NUMBERS, key_of(seed, "landline"))
    prefixes = as_text(prefix for pair in LANDLINE_PREFIXES.values() for prefix in pair)
    western = read_places().province[place] == list(LANDLINE_PREFIXES)[1]
    written = prefixes[2 * western + line // 1_000_000] + number_text(line % 1_000_000, 6)
    return np.where(happens(rng, len(household), 0.45)[kin.head], written, "").astype(TEXT)


def draw_mobiles(
    rng: np.random.Generator, number: Ints, kin: Kin, age: Floats, seed: int, as_of_date: date
) -> Changing:
    """A mobile number each, a former one for some; the young and some partners give the head's.

    Parameters
    ----------
    rng : Generator
    number : array of int
        The people's numbers.
    kin : Kin
    age : array of float
        Years.
    seed : int
    as_of_date : date

    Returns
    -------
    Changing
        Nine digits; empty for none.
    """
    key = key_of(seed, "mobile")
    own, former = (number_text(600_000_000 + scatter(2 * number + which, MOBILE_NUMBERS, key)) for which in (0, 1))
    changed = happens(rng, len(number), 0.12)
    shared = (kin.child & (age < 22) & happens(rng, len(number), 0.35)) | (
        kin.partner & happens(rng, len(number), 0.10)
    )
    none = ~shared & happens(rng, len(number), np.where(age > 70, 0.20, 0.03))
    now = np.where(none, "", np.where(shared, own[kin.head], own)).astype(TEXT)
    before = np.where(changed & ~none, former, now).astype(TEXT)
    return Changing(before, now, draw_change_dates(rng, changed, as_of_date))


def draw_emails(
    rng: np.random.Generator,
    number: Ints,
    kin: Kin,
    age: Floats,
    names: tuple[Ints, Ints],
    total: int,
    seed: int,
    as_of_date: date,
) -> Changing:
    """An e-mail address for most, a former one for some; no two people are given the same by chance.

    Parameters
    ----------
    rng : Generator
    number : array of int
    kin : Kin
    age : array of float
        Years.
    names : pair of arrays of int
        Given name and first surname.
    total : int
        People of the whole retailer; it sets how many digits an address ends in.
    seed : int
    as_of_date : date

    Returns
    -------
    Changing
    """
    count = len(number)
    given, surname = read_given_names().address[names[0]], read_surnames().address[names[1]]
    width = max(3, len(str(total - 1)))
    digits = number_text(scatter(number, 10**width, key_of(seed, "e-mail")), width)
    sign = as_text([".", "_"])[happens(rng, count, 0.25).astype(np.int64)]
    own = given + sign + surname + digits + "@" + DOMAINS[DOMAIN_SHARES.draw(rng, count)]
    initial = np.strings.slice(given, 0, 1)
    former = initial + surname + digits + "@" + DOMAINS[DOMAIN_SHARES.draw(rng, count)]
    changed = happens(rng, count, 0.12)
    has = happens(rng, count, np.where(age > 65, 0.5, 0.88))
    shared = (kin.child & (age < 22) & happens(rng, count, 0.15)) | (kin.partner & happens(rng, count, 0.06))
    now = np.where(shared, own[kin.head], np.where(has, own, "")).astype(TEXT)
    before = np.where(changed & has & ~shared, former, now).astype(TEXT)
    return Changing(before, now, draw_change_dates(rng, changed, as_of_date))
