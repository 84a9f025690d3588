"""The word lists beside this room: names, streets, municipalities, stores, products.

Names and municipalities come with the order of magnitude of how many people bear or inhabit them,
so that common ones are common; brands and shops are invented.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from crmlib.demo.chance import Choice
from crmlib.demo.columns import Bools, Dates, Floats, Ints, Text, as_text

#: Where a household's names come from; the first is the country's own.
ORIGINS = ("es", "de", "gb", "it")
#: Ages, in years, at which one generation's names give way to the next's.
GENERATIONS = np.arange(15, 90, 10)
#: Standard deviation, in years, of the ages at which a name is borne.
FASHION_YEARS = 12.0
#: Leanings towards brands: none, the first of each category and every second, or the others.
LEANINGS = 3
#: How many times as often a product is bought by who leans to its brand.
BRAND_PULL = 3.0
PLAIN = str.maketrans("áéíóúüàèìòùäößçÁÉÍÓÚÜÄÖÇ", "aeiouuaeiouaoscAEIOUUAOC")
ASCII = str.maketrans("ñÑ", "nN", " .'-")
SHORTENED = (("María ", "Mª "), ("Francisco ", "Fco. "), ("José ", "J. "), ("Juan ", "J. "))


@dataclass(frozen=True)
class GivenNames:
    """Given names with the forms they take.

    Parameters
    ----------
    name, first, shortened, address : Text
        The whole name, its first word, its usual abbreviation, and its form in an e-mail address.
    nicknames : Text
        All nicknames, name by name.
    nickname_first, nickname_count : array of int
        Where a name's nicknames begin, and how many it has.
    by_generation : Choice
        Groups: (origin · 2 + female) · generations + generation.
    """

    name: Text
    first: Text
    shortened: Text
    address: Text
    nicknames: Text
    nickname_first: Ints
    nickname_count: Ints
    by_generation: Choice


@dataclass(frozen=True)
class Surnames:
    """Surnames; the last one, empty, stands for none.

    Parameters
    ----------
    name, address : Text
        As written, and as in an e-mail address.
    by_origin : Choice
        A group per origin.
    """

    name: Text
    address: Text
    by_origin: Choice


@dataclass(frozen=True)
class Places:
    """Municipalities by postcode, and streets.

    Parameters
    ----------
    municipality, postcode, province, island : Text
    people : Choice
        A postcode, by its inhabitants.
    street_type, street_abbreviation, street : Text
    streets : Choice
        A street, the common ones more often.
    """

    municipality: Text
    postcode: Text
    province: Text
    island: Text
    people: Choice
    street_type: Text
    street_abbreviation: Text
    street: Text
    streets: Choice


@dataclass(frozen=True)
class Stores:
    """The stores.

    Parameters
    ----------
    store_id, name, island, province, postcode : Text
    latitude, longitude : Text
        Degrees, with a decimal point.
    opened_on : array of date
    busy : array of bool
        Whether it draws more people than most.
    of_place : Choice
        A group per postcode: the nearer stores of the island, the likelier.
    """

    store_id: Text
    name: Text
    island: Text
    province: Text
    postcode: Text
    latitude: Text
    longitude: Text
    opened_on: Dates
    busy: Bools
    of_place: Choice


@dataclass(frozen=True)
class Products:
    """The range of products.

    Parameters
    ----------
    product_id, category, subcategory, name, brand, supplier_id : Text
    price, cost : array of int
        Cents.
    tastes : tuple of str
    by_taste : Choice
        Groups: taste · `LEANINGS` + leaning towards some brands of each category: none, or to one half of them.
    """

    product_id: Text
    category: Text
    subcategory: Text
    name: Text
    brand: Text
    supplier_id: Text
    price: Ints
    cost: Ints
    tastes: tuple[str, ...]
    by_taste: Choice


def plain(text: str) -> str:
    """A text without accents; ñ stays."""
    return text.translate(PLAIN)


def address_form(text: str) -> str:
    """A name as it stands in an e-mail address."""
    return plain(text).translate(ASCII).lower()


def read_words(name: str) -> dict[str, list[str]]:
    """Read one word list as columns."""
    text = files("crmlib.demo").joinpath("words", f"{name}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {heading: [row[heading] for row in rows] for heading in rows[0]}


def _numbers(values: list[str]) -> Floats:
    return np.array(values, dtype=np.float64)


def _cents(values: list[str]) -> Ints:
    return np.rint(_numbers(values) * 100).astype(np.int64)


@cache
def read_given_names() -> GivenNames:
    """Read the given names."""
    table = read_words("given_names")
    names = table["given_name"]
    nicknames = [entry.split("|") if entry else [name] for entry, name in zip(table["nicknames"], names, strict=True)]
    counts = np.array([len(entry) for entry in nicknames], dtype=np.int64)
    age_gap = (np.append(GENERATIONS, 95)[:, None] - 5 - _numbers(table["mean_age"])) / FASHION_YEARS
    worn = _numbers(table["people"]) * (np.exp(-0.5 * age_gap**2) + 0.02)
    groups = [
        worn * ((np.array(table["origin"]) == origin) & (np.array(table["gender"]) == gender))
        for origin in ORIGINS
        for gender in ("male", "female")
    ]
    return GivenNames(
        name=as_text(names),
        first=as_text(name.split()[0] for name in names),
        shortened=as_text(_shorten(name) for name in names),
        address=as_text(address_form(name) for name in names),
        nicknames=as_text(nickname for entry in nicknames for nickname in entry),
        nickname_first=np.cumsum(counts) - counts,
        nickname_count=counts,
        by_generation=Choice.of(np.vstack(groups)),
    )


def _shorten(name: str) -> str:
    for whole, short in SHORTENED:
        if name.startswith(whole):
            return short + name.removeprefix(whole)
    return name


@cache
def read_surnames() -> Surnames:
    """Read the surnames."""
    table = read_words("surnames")
    weights = _numbers([*table["people"], "0"])
    origin = np.array([*table["origin"], ""])
    names = [*table["surname"], ""]
    return Surnames(
        name=as_text(names),
        address=as_text(address_form(name) for name in names),
        by_origin=Choice.of(np.vstack([weights * (origin == one) for one in ORIGINS])),
    )


@cache
def read_places() -> Places:
    """Read municipalities and streets."""
    towns, streets = read_words("municipalities"), read_words("streets")
    return Places(
        municipality=as_text(towns["municipality"]),
        postcode=as_text(towns["postcode"]),
        province=as_text(towns["province"]),
        island=as_text(towns["island"]),
        people=Choice.of(_numbers(towns["people"])),
        street_type=as_text(streets["street_type"]),
        street_abbreviation=as_text(streets["abbreviation"]),
        street=as_text(streets["street"]),
        streets=Choice.of(_numbers(streets["weight"])),
    )


@cache
def read_stores() -> Stores:
    """Read the stores."""
    stores, towns = read_words("stores"), read_words("municipalities")
    north = _numbers(towns["latitude"])[:, None] - _numbers(stores["latitude"])
    east = (_numbers(towns["longitude"])[:, None] - _numbers(stores["longitude"])) * np.cos(np.radians(28.3))
    distance_km = 111.2 * np.hypot(north, east)
    same_island = np.array(towns["island"])[:, None] == np.array(stores["island"])
    return Stores(
        store_id=as_text(stores["store_id"]),
        name=as_text(stores["name"]),
        island=as_text(stores["island"]),
        province=as_text(stores["province"]),
        postcode=as_text(stores["postcode"]),
        latitude=as_text(stores["latitude"]),
        longitude=as_text(stores["longitude"]),
        opened_on=np.array(stores["opened_on"], dtype="datetime64[D]"),
        busy=_numbers(stores["pull"]) > 1,
        of_place=Choice.of(same_island * _numbers(stores["pull"]) * np.exp(-distance_km / 6)),
    )


@cache
def read_products() -> Products:
    """Read the products and who likes what."""
    table, likes = read_words("products"), read_words("tastes")
    tastes = tuple(dict.fromkeys(likes["taste"]))
    liking = {
        (taste, category): float(multiplier)
        for taste, category, multiplier in zip(likes["taste"], likes["category"], likes["multiplier"], strict=True)
    }
    multipliers = np.array([[liking.get((taste, category), 1.0) for category in table["category"]] for taste in tastes])
    brands = _rank_brands(table["category"], table["brand"]) % 2
    pull = np.array([np.ones(len(brands)), *(np.where(brands == half, BRAND_PULL, 1.0) for half in (0, 1))])
    return Products(
        product_id=as_text(table["product_id"]),
        category=as_text(table["category"]),
        subcategory=as_text(table["subcategory"]),
        name=as_text(table["product"]),
        brand=as_text(table["brand"]),
        supplier_id=as_text(table["supplier_id"]),
        price=_cents(table["price"]),
        cost=_cents(table["cost"]),
        tastes=tastes,
        by_taste=Choice.of((multipliers[:, None, :] * pull).reshape(-1, len(brands)) * _numbers(table["weight"])),
    )


def _rank_brands(categories: list[str], brands: list[str]) -> Ints:
    """Place of each product's brand among those of its category."""
    ranks: dict[str, dict[str, int]] = {}
    for category, brand in zip(categories, brands, strict=True):
        ranks.setdefault(category, {}).setdefault(brand, len(ranks[category]))
    return np.array([ranks[category][brand] for category, brand in zip(categories, brands, strict=True)])
