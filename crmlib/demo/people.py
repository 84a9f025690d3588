"""Who lives there: names, homes, documents and ways to reach each person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import TEXT, Bools, Dates, Floats, Ints, Text, as_text, number_text
from crmlib.demo.contacts import draw_emails, draw_landlines, draw_mobiles, write_national_ids
from crmlib.demo.households import Kin, draw_ages, make_kin
from crmlib.demo.traits import Changing, draw_change_dates
from crmlib.demo.words import GENERATIONS, read_given_names, read_places, read_surnames

ORIGIN_SHARES = Choice.of([0.91, 0.03, 0.03, 0.03])
DOORS = as_text(["A", "B", "C", "D", "Izq", "Dcha"])


@dataclass(frozen=True)
class People:
    """One piece of the population; all arrays are by person.

    Parameters
    ----------
    number : array of int
        Consecutive over the whole retailer.
    household : array of int
        Number of the household's first person.
    female : array of bool
    origin : array of int
        Place in ``ORIGINS``.
    given, surname_1, surname_2 : array of int
        Places in the word lists.
    birth_date : array of date
    national_id, landline : Text
        Empty where there is none.
    mobile, email : Changing
        Text; empty where there is none.
    place, street, house_number, unit : Changing
        The home: places in the word lists, the number, floor and door.
    """

    number: Ints
    household: Ints
    female: Bools
    origin: Ints
    given: Ints
    surname_1: Ints
    surname_2: Ints
    birth_date: Dates
    national_id: Text
    landline: Text
    mobile: Changing
    email: Changing
    place: Changing
    street: Changing
    house_number: Changing
    unit: Changing

    def __len__(self) -> int:
        return len(self.number)


def make_people(seed: int, first: int, count: int, total: int, as_of_date: date) -> People:
    """Make one piece of the population.

    Parameters
    ----------
    seed : int
    first, count : int
        Number of the piece's first person, and how many it has.
    total : int
        People of the whole retailer.
    as_of_date : date
        The day on which ages are reckoned.

    Returns
    -------
    People
    """
    number = np.arange(first, first + count, dtype=np.int64)
    kin = make_kin(stream(seed, "households", first), count)
    age = draw_ages(stream(seed, "ages", first), kin)
    birth_date = np.datetime64(as_of_date, "D") - np.rint(age * 365.25).astype(np.int64)
    rng = stream(seed, "names", first)
    origin = ORIGIN_SHARES.draw(rng, count)[kin.head]
    given = draw_given_names(rng, kin, origin, age)
    surname_1, surname_2 = draw_surnames(rng, kin, origin)
    homes = draw_homes(stream(seed, "homes", first), kin, as_of_date)
    contact = stream(seed, "contact", first)
    foreigner = (origin > 0) | happens(contact, count, 0.05)[kin.head]
    return People(
        number=number,
        household=number[kin.head],
        female=kin.female,
        origin=origin,
        given=given,
        surname_1=surname_1,
        surname_2=surname_2,
        birth_date=birth_date,
        national_id=write_national_ids(number, foreigner, seed),
        landline=draw_landlines(contact, number[kin.head], homes["place"].now, kin, seed),
        mobile=draw_mobiles(contact, number, kin, age, seed, as_of_date),
        email=draw_emails(contact, number, kin, age, (given, surname_1), total, seed, as_of_date),
        **homes,
    )


def draw_given_names(rng: np.random.Generator, kin: Kin, origin: Ints, age: Floats) -> Ints:
    """Given names of each one's generation and origin; some children bear a parent's.

    Parameters
    ----------
    rng : Generator
    kin : Kin
    origin : array of int
        Place in ``ORIGINS``.
    age : array of float
        Years.

    Returns
    -------
    array of int
        Places in the word list.
    """
    names = read_given_names().by_generation
    generations = len(GENERATIONS) + 1
    group = (origin * 2 + kin.female) * generations + np.digitize(age, GENERATIONS)
    given = names.draw(rng, len(age), group)
    again = names.draw(rng, len(age), group)
    named_after = kin.child & ~kin.twin & happens(rng, len(age), np.where(kin.female, 0.07, 0.15))
    parent = np.where(kin.female, kin.mother, kin.father)
    same_sex = kin.female[parent] == kin.female
    given = np.where(named_after & same_sex, given[parent], given)
    same_as_twin = kin.twin & (given == np.append(-1, given[:-1]))
    return np.where(same_as_twin, again, given)


def draw_surnames(rng: np.random.Generator, kin: Kin, origin: Ints) -> tuple[Ints, Ints]:
    """Two surnames each: a child has the first of its father's and the first of its mother's; foreigners have one.

    Parameters
    ----------
    rng : Generator
    kin : Kin
    origin : array of int
        Place in ``ORIGINS``.

    Returns
    -------
    pair of arrays of int
        Places in the word list, whose last entry is none.
    """
    surnames = read_surnames()
    none = len(surnames.name) - 1
    first, second = (surnames.by_origin.draw(rng, len(origin), origin) for _ in range(2))
    lone_father = kin.child & ~kin.has_partner & ~kin.female[kin.head]
    lone_mother = kin.child & ~kin.has_partner & kin.female[kin.head]
    other_parent = surnames.by_origin.draw(rng, len(origin), origin)[kin.head]
    child_first = np.where(lone_mother, other_parent, first[kin.father])
    child_second = np.where(lone_father, other_parent, first[kin.mother])
    surname_1 = np.where(kin.child, child_first, first)
    surname_2 = np.where(kin.child, child_second, second)
    return surname_1, np.where(origin > 0, none, surname_2)


def draw_homes(rng: np.random.Generator, kin: Kin, as_of_date: date) -> dict[str, Changing]:
    """A home per household, and for one in ten a former one.

    Parameters
    ----------
    rng : Generator
    kin : Kin
    as_of_date : date

    Returns
    -------
    dict of str to Changing
        place, street, house_number, unit.
    """
    count = len(kin.head)
    places = read_places()
    moved = happens(rng, count, 0.10)[kin.head]
    moved_on = draw_change_dates(rng, moved, as_of_date)[kin.head]
    stays_near = happens(rng, count, 0.6)[kin.head]

    def home() -> dict[str, Any]:
        floor, door = rng.integers(1, 9, count), rng.integers(0, len(DOORS), count)
        flat = happens(rng, count, 0.55)
        unit = np.where(flat, number_text(floor) + "º " + DOORS[door], "").astype(TEXT)
        drawn = {
            "place": places.people.draw(rng, count),
            "street": places.streets.draw(rng, count),
            "house_number": 1 + np.floor(rng.gamma(1.2, 22, count)).astype(np.int64),
            "unit": unit,
        }
        return {part: values[kin.head] for part, values in drawn.items()}

    now, before = home(), home()
    before["place"] = np.where(stays_near, now["place"], before["place"])
    return {part: Changing(np.where(moved, before[part], now[part]), now[part], moved_on) for part in now}


def person_ids(number: Ints) -> Text:
    """Names of persons in the truth."""
    return "P" + number_text(number, 8)


def household_ids(number: Ints) -> Text:
    """Names of households in the truth."""
    return "H" + number_text(number, 8)
