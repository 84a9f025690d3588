"""Who lives there: households and their members, with documents and ways to reach them.

Households share a home and at times a phone or an e-mail address; sons bear their father's name; there are twins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from crmlib.demo.chance import Choice, happens, key_of, scatter, stream
from crmlib.demo.columns import TEXT, Bools, Dates, Floats, Ints, Text, as_text, number_text
from crmlib.demo.words import GENERATIONS, read_given_names, read_places, read_surnames

CHECK_LETTERS = as_text("TRWAGMYFPDXBNJZSQVHLCKE")
#: Shares of households with one, two, … members among the customers.
HOUSEHOLD_SIZES = Choice.of([0.60, 0.24, 0.09, 0.05, 0.02])
ORIGIN_SHARES = Choice.of([0.91, 0.03, 0.03, 0.03])
#: E-mail providers; `.example` can belong to nobody.
DOMAINS = as_text(["correo.example", "buzon.example", "postal.example", "mimail.example", "isla.example"])
DOMAIN_SHARES = Choice.of([0.45, 0.25, 0.15, 0.10, 0.05])
DOORS = as_text(["A", "B", "C", "D", "Izq", "Dcha"])
#: Numbers that begin with 6 in Spain's plan, of which each person gets two.
MOBILE_NUMBERS = 89_999_999
#: Numbers a province has under its two fixed-line prefixes.
LANDLINE_NUMBERS = 2_000_000
LANDLINE_PREFIXES = {"Las Palmas": ("928", "828"), "Santa Cruz de Tenerife": ("922", "822")}
DNI_NUMBERS = 68_000_000
NIE_NUMBERS = 30_000_000


@dataclass(frozen=True)
class Changing:
    """A trait that changed once: each person's value before and since.

    Parameters
    ----------
    before, now : array
        Values by person; the same where nothing changed.
    changed_on : array of date
        Since when the present value holds.
    """

    before: Any
    now: Any
    changed_on: Dates

    def at(self, person: Ints, day: Dates) -> Any:
        """The value that held for each `person` on each `day`."""
        return np.where(day >= self.changed_on[person], self.now[person], self.before[person])


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


@dataclass(frozen=True)
class Kin:
    """How the members of the households of one piece are related; places are within the piece."""

    head: Ints
    partner: Bools
    child: Bools
    has_partner: Bools
    has_child: Bools
    twin: Bools
    female: Bools
    father: Ints
    mother: Ints


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


def make_kin(rng: np.random.Generator, count: int) -> Kin:
    """Draw households for `count` people and say who is whose partner and child."""
    sizes = HOUSEHOLD_SIZES.draw(rng, count) + 1
    head = np.repeat(np.cumsum(sizes) - sizes, sizes)[:count]
    place = np.arange(count)
    size = np.bincount(head, minlength=count)[head]
    has_partner = happens(rng, count, 0.8)[head] & (size > 1)
    partner = has_partner & (place == head + 1)
    child = (place > head) & ~partner
    has_child = size > 1 + has_partner
    after_child = child & np.append(False, child[:-1]) & (head == np.append(-1, head[:-1]))
    twin = after_child & happens(rng, count, 0.15)
    twin &= ~np.append(False, twin[:-1])
    female = happens(rng, count, 0.53)
    like_head = happens(rng, count, 0.04)
    female = np.where(partner, female[head] == like_head, female)
    male_head = ~female[head]
    spouse = np.where(has_partner, np.minimum(head + 1, count - 1), head)
    return Kin(
        head=head,
        partner=partner,
        child=child,
        has_partner=has_partner,
        has_child=has_child,
        twin=twin,
        female=female,
        father=np.where(male_head, head, spouse),
        mother=np.where(male_head, spouse, head),
    )


def draw_ages(rng: np.random.Generator, kin: Kin) -> Floats:
    """Ages in years; twins share theirs to the day, and children fit their parents."""
    count = len(kin.head)
    alone = 18.5 + 70 * rng.beta(1.7, 2.0, count)
    parent = rng.uniform(40, 72, count)
    head_age = np.where(kin.has_child, parent, alone)[kin.head]
    partner_age = np.maximum(head_age + rng.normal(0, 3.5, count), 18.5)
    child_age = rng.uniform(14, np.clip(head_age - 20, 15, 42))
    age = np.where(kin.partner, partner_age, np.where(kin.child, child_age, head_age))
    return np.where(kin.twin, np.append(0.0, age[:-1]), age)


def draw_given_names(rng: np.random.Generator, kin: Kin, origin: Ints, age: Floats) -> Ints:
    """Given names of each one's generation and origin; some children bear a parent's."""
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
    """Two surnames each: a child has the first of its father's and the first of its mother's; foreigners have one."""
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
    """A home per household, and for one in ten a former one."""
    count = len(kin.head)
    places = read_places()
    moved = happens(rng, count, 0.10)[kin.head]
    moved_on = _draw_change_dates(rng, moved, as_of_date)[kin.head]
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


def _draw_change_dates(rng: np.random.Generator, changed: Bools, as_of_date: date) -> Dates:
    """Days in the last five years; long ago where nothing changed."""
    days_ago = np.where(changed, rng.integers(30, 5 * 365, len(changed)), 60_000)
    dates: Dates = np.datetime64(as_of_date, "D") - days_ago
    return dates


def write_national_ids(number: Ints, foreigner: Bools, seed: int) -> Text:
    """DNI or, for foreigners, NIE, with the letter that its number asks for."""
    dni = 10_000_000 + scatter(number, DNI_NUMBERS, key_of(seed, "dni"))
    nie = scatter(number, NIE_NUMBERS, key_of(seed, "nie"))
    prefix = as_text("XYZ")[nie // 10_000_000]
    digits = np.where(foreigner, prefix + number_text(nie % 10_000_000, 7), number_text(dni, 8))
    letter = CHECK_LETTERS[np.where(foreigner, nie, dni) % 23]
    written: Text = digits.astype(TEXT) + letter
    return written


def draw_landlines(rng: np.random.Generator, household: Ints, place: Ints, kin: Kin, seed: int) -> Text:
    """A fixed line for almost half of the households."""
    line = scatter(household, LANDLINE_NUMBERS, key_of(seed, "landline"))
    prefixes = as_text(prefix for pair in LANDLINE_PREFIXES.values() for prefix in pair)
    western = read_places().province[place] == list(LANDLINE_PREFIXES)[1]
    written = prefixes[2 * western + line // 1_000_000] + number_text(line % 1_000_000, 6)
    return np.where(happens(rng, len(household), 0.45)[kin.head], written, "").astype(TEXT)


def draw_mobiles(
    rng: np.random.Generator, number: Ints, kin: Kin, age: Floats, seed: int, as_of_date: date
) -> Changing:
    """A mobile number each, a former one for some; the young and some partners give the head's."""
    key = key_of(seed, "mobile")
    own, former = (number_text(600_000_000 + scatter(2 * number + which, MOBILE_NUMBERS, key)) for which in (0, 1))
    changed = happens(rng, len(number), 0.15)
    shared = (kin.child & (age < 22) & happens(rng, len(number), 0.35)) | (
        kin.partner & happens(rng, len(number), 0.10)
    )
    none = ~shared & happens(rng, len(number), np.where(age > 70, 0.20, 0.03))
    now = np.where(none, "", np.where(shared, own[kin.head], own)).astype(TEXT)
    before = np.where(changed & ~none, former, now).astype(TEXT)
    return Changing(before, now, _draw_change_dates(rng, changed, as_of_date))


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
    changed = happens(rng, count, 0.15)
    has = happens(rng, count, np.where(age > 65, 0.5, 0.88))
    shared = (kin.child & (age < 22) & happens(rng, count, 0.15)) | (kin.partner & happens(rng, count, 0.06))
    now = np.where(shared, own[kin.head], np.where(has, own, "")).astype(TEXT)
    before = np.where(changed & has & ~shared, former, now).astype(TEXT)
    return Changing(before, now, _draw_change_dates(rng, changed, as_of_date))


def person_ids(number: Ints) -> Text:
    """Names of persons in the truth."""
    return "P" + number_text(number, 8)


def household_ids(number: Ints) -> Text:
    """Names of households in the truth."""
    return "H" + number_text(number, 8)
