from __future__ import annotations

import numpy as np
import phonenumbers
import pytest
from stdnum.es import dni, nie

from crmlib.demo.people import People, make_people
from crmlib.demo.traits import Changing
from crmlib.demo.words import read_places, read_surnames
from tests.demo.conftest import AS_OF_DATE


def test_national_ids_are_valid_and_nobodys_else(people: People) -> None:
    written = people.national_id.tolist()
    assert all(nie.is_valid(number) if number[0] in "XYZ" else dni.is_valid(number) for number in written)
    assert len(set(written)) == len(written)
    foreign = people.national_id[people.origin > 0].tolist()
    assert all(number[0] in "XYZ" for number in foreign)


def test_phones_are_plausible(people: People) -> None:
    for numbers in (people.mobile.now, people.mobile.before, people.landline):
        for number in set(numbers.tolist()) - {""}:
            assert phonenumbers.is_valid_number(phonenumbers.parse(number, "ES"))


def test_landlines_belong_to_the_province(people: People) -> None:
    western = read_places().province[people.place.now] == "Santa Cruz de Tenerife"
    has = people.landline != ""
    prefix = np.array([number[1:3] for number in people.landline[has].tolist()])
    assert np.array_equal(prefix == "22", western[has])


def test_emails_can_belong_to_nobody(people: People) -> None:
    for addresses in (people.email.now, people.email.before):
        for address in set(addresses.tolist()) - {""}:
            name, _, domain = address.partition("@")
            assert domain.endswith(".example")
            assert name.isascii()


def test_only_relatives_share_an_email_or_a_mobile(people: People) -> None:
    for trait in (people.email, people.mobile):
        household_of: dict[str, int] = {}
        shared = 0
        for value, household in zip(trait.now.tolist(), people.household.tolist(), strict=True):
            if value:
                shared += value in household_of
                assert household_of.setdefault(value, household) == household
        assert 0 < shared < 0.1 * len(people)


def test_members_of_a_household_share_home_and_landline(people: People) -> None:
    head = people.household - people.number[0]
    for values in (people.place.now, people.street.now, people.house_number.now, people.unit.now, people.landline):
        assert np.array_equal(values, values[head])
    assert 1.4 < len(people) / len(np.unique(people.household)) < 2.0


def test_there_are_twins_and_namesakes(people: People) -> None:
    head = people.household - people.number[0]
    child = (people.birth_date - people.birth_date[head]).astype(int) > 19 * 365
    siblings = (people.household[1:] == people.household[:-1]) & child[1:] & child[:-1]
    twins = siblings & (people.birth_date[1:] == people.birth_date[:-1])
    assert twins.sum() >= 5
    assert (people.given[1:][twins] != people.given[:-1][twins]).all()
    assert (people.surname_1[1:][twins] == people.surname_1[:-1][twins]).all()
    namesake = child & (people.given == people.given[head]) & (people.surname_1 == people.surname_1[head])
    assert namesake.sum() >= 5


def test_children_bear_both_parents_first_surnames(people: People) -> None:
    head = people.household - people.number[0]
    partner = np.minimum(head + 1, len(people) - 1)
    younger = (people.birth_date - people.birth_date[head]).astype(int) > 19 * 365
    native = people.origin == 0
    third = younger & native & (np.arange(len(people)) == head + 2)
    couple = third & (people.female[head] != people.female[partner]) & ~younger[partner]
    father = np.where(people.female[head], partner, head)
    mother = np.where(people.female[head], head, partner)
    agree = (people.surname_1 == people.surname_1[father]) & (people.surname_2 == people.surname_1[mother])
    assert couple.sum() > 50
    assert agree[couple].all()


def test_foreigners_have_one_surname(people: People) -> None:
    second = read_surnames().name[people.surname_2]
    assert np.array_equal(second == "", people.origin > 0)


def test_ages_are_those_of_customers(people: People) -> None:
    age = (np.datetime64(AS_OF_DATE) - people.birth_date).astype(int) / 365.25
    assert age.min() > 13.9
    assert age.max() < 100
    assert 35 < np.median(age) < 60
    assert np.unique(people.birth_date, return_counts=True)[1].max() < 10


def test_a_trait_changes_on_its_day() -> None:
    trait = Changing(np.array([1, 1]), np.array([2, 2]), np.array(["2025-01-01", "2026-01-01"], dtype="datetime64[D]"))
    days = np.array(["2024-12-31", "2025-01-01", "2025-12-31"], dtype="datetime64[D]")
    assert trait.at(np.array([0, 0, 1]), days).tolist() == [1, 2, 1]


@pytest.mark.parametrize("seed", [3, 4])
def test_pieces_do_not_repeat_each_other(seed: int) -> None:
    one, two = (make_people(seed, first, 500, 1_000, AS_OF_DATE) for first in (0, 500))
    assert not set(one.national_id.tolist()) & set(two.national_id.tolist())
    assert not (set(one.mobile.now.tolist()) & set(two.mobile.now.tolist())) - {""}
    assert not (set(one.email.now.tolist()) & set(two.email.now.tolist())) - {""}
    assert (one.given != two.given).mean() > 0.9
