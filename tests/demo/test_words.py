from __future__ import annotations

import numpy as np
import pytest

from crmlib.demo.words import (
    GENERATIONS,
    ORIGINS,
    address_form,
    read_given_names,
    read_places,
    read_products,
    read_stores,
    read_surnames,
    read_words,
)

ISLANDS = {
    "Las Palmas": {"Gran Canaria", "Lanzarote", "Fuerteventura"},
    "Santa Cruz de Tenerife": {"Tenerife", "La Palma", "La Gomera", "El Hierro"},
}
PREFIXES = {"Las Palmas": "35", "Santa Cruz de Tenerife": "38"}
#: Municipalities of each island.
MUNICIPALITIES = {
    "Gran Canaria": 21,
    "Lanzarote": 7,
    "Fuerteventura": 6,
    "Tenerife": 31,
    "La Palma": 14,
    "La Gomera": 6,
    "El Hierro": 3,
}


@pytest.mark.parametrize("name", ["municipalities", "stores"])
def test_postcode_province_and_island_agree(name: str) -> None:
    table = read_words(name)
    for postcode, province, island in zip(table["postcode"], table["province"], table["island"], strict=True):
        assert postcode.startswith(PREFIXES[province])
        assert len(postcode) == 5
        assert island in ISLANDS[province]


def test_every_municipality_is_there() -> None:
    table = read_words("municipalities")
    of_island = {island: set() for island in MUNICIPALITIES}
    for municipality, island in zip(table["municipality"], table["island"], strict=True):
        of_island[island].add(municipality)
    assert {island: len(names) for island, names in of_island.items()} == MUNICIPALITIES
    assert len(set(table["postcode"])) == len(table["postcode"])
    inhabitants = sum(float(people) for people in table["people"])
    assert inhabitants == pytest.approx(2.2e6, rel=0.1)


def test_stores_stand_on_seven_islands_and_serve_their_own() -> None:
    stores, places = read_stores(), read_places()
    assert set(stores.island.tolist()) == set(MUNICIPALITIES)
    place = np.arange(len(places.postcode))
    drawn = stores.of_place.draw(np.random.default_rng(1), len(place), place)
    assert np.array_equal(stores.island[drawn], places.island[place])


@pytest.mark.parametrize(("name", "key"), [("given_names", "given_name"), ("surnames", "surname")])
def test_a_name_stands_once_for_each_origin(name: str, key: str) -> None:
    table = read_words(name)
    entries = list(zip(table[key], table["origin"], table.get("gender", table[key]), strict=True))
    assert len(entries) == len(set(entries))


def test_the_commonest_surnames_come_first_and_are_much_commoner() -> None:
    surnames = read_surnames()
    drawn = surnames.by_origin.draw(np.random.default_rng(1), 50_000, 0)
    counts = np.sort(np.bincount(drawn))[::-1]
    assert surnames.name[np.bincount(drawn).argmax()] == "Rodríguez"
    assert counts[:10].sum() > 0.3 * counts.sum()
    assert (counts > 0).sum() > 250


def test_names_follow_generation_gender_and_origin() -> None:
    names, generations = read_given_names(), len(GENERATIONS) + 1
    table = read_words("given_names")
    age = dict(zip(table["given_name"], map(float, table["mean_age"]), strict=True))
    rng = np.random.default_rng(1)
    for origin, gender in ((0, 0), (0, 1), (2, 0)):
        group = (origin * 2 + gender) * generations
        young, old = (names.by_generation.draw(rng, 2_000, group + generation) for generation in (1, 7))
        mean_age = [np.mean([age[name] for name in names.name[drawn].tolist()]) for drawn in (young, old)]
        assert mean_age[1] - mean_age[0] > 15
        for place in np.append(young, old):
            assert table["gender"][place] == ("male", "female")[gender]
            assert table["origin"][place] == ORIGINS[origin]


def test_every_word_can_be_written_by_the_erp() -> None:
    for name in ("given_names", "surnames", "municipalities", "streets", "products", "stores"):
        for cells in read_words(name).values():
            "\n".join(cells).encode("cp1252")


def test_products_earn_something() -> None:
    products = read_products()
    assert (products.price > products.cost).all()
    assert len(set(products.product_id.tolist())) == len(products.product_id)
    categories = set(products.category.tolist())
    assert set(read_words("tastes")["category"]) <= categories


def test_address_form_is_plain() -> None:
    assert address_form("María de los Ángeles") == "mariadelosangeles"
    assert address_form("Peña O'Brien-Groß") == "penaobriengros"
