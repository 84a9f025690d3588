from __future__ import annotations

from collections import Counter

import numpy as np
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.demo.columns import as_text, iso_text, money_text, number_text, spanish_date_text
from crmlib.demo.words import read_given_names, read_surnames
from crmlib.demo.writing import (
    blank_some,
    misdial,
    mistype,
    mistype_email,
    one_of,
    without_accents,
    write_given_names,
    write_phones,
    write_surnames,
)


@given(st.lists(st.text("abcdé ñ", max_size=12), min_size=1, max_size=30), st.integers(0, 1_000))
def test_a_slip_touches_little(values: list[str], seed: int) -> None:
    slipped = mistype(np.random.default_rng(seed), as_text(values), 1.0).tolist()
    for before, after in zip(values, slipped, strict=True):
        assert after[:1] == before[:1]
        assert abs(len(after) - len(before)) <= 1
        assert sum((Counter(before) - Counter(after)).values()) <= 1
        if len(before) < 4:
            assert after == before


def test_slips_happen_at_the_given_share() -> None:
    values = as_text(["Hernández"] * 20_000)
    slipped = mistype(np.random.default_rng(1), values, 0.05)
    assert (slipped != values).mean() == pytest.approx(0.05, abs=0.006)


def test_a_slip_leaves_the_domain() -> None:
    values = as_text(["maria.perez01@correo.example", ""] * 200)
    slipped = mistype_email(np.random.default_rng(1), values, 1.0)
    assert all(value == "" or value.endswith("@correo.example") for value in slipped.tolist())
    assert (slipped != values)[::2].mean() > 0.9


def test_misdialled_numbers_keep_their_length() -> None:
    numbers = as_text(["612345789"] * 2_000)
    dialled = misdial(np.random.default_rng(1), numbers, 1.0)
    assert all(len(number) == 9 and number.isdigit() for number in dialled.tolist())
    assert (dialled != numbers).mean() > 0.9


@given(st.lists(st.sampled_from(["Peña", "Núñez", "", "García", "Groß", "ÁÉÍÓÚ"])))
def test_dropping_accents_twice_is_dropping_them_once(values: list[str]) -> None:
    once = without_accents(as_text(values))
    assert len(once) == len(values)
    assert without_accents(once).tolist() == once.tolist()


def test_accents_go_and_tildes_stay() -> None:
    assert without_accents(as_text(["Núñez", "LEÓN"])).tolist() == ["Nuñez", "LEON"]


def test_phones_mean_the_same_however_written() -> None:
    numbers = number_text(np.arange(600_000_000, 600_000_500))
    written = write_phones(np.random.default_rng(1), numbers, spaced=0.4, prefixed=0.3)
    assert len({len(number) for number in written.tolist()}) > 3
    for number, text in zip(numbers.tolist(), written.tolist(), strict=True):
        assert phonenumbers.parse(text, "ES").national_number == int(number)
    assert write_phones(np.random.default_rng(1), as_text([""] * 50), spaced=0.5, prefixed=0.5).tolist() == [""] * 50


def test_given_names_take_their_forms() -> None:
    names = read_given_names()
    place = names.name.tolist().index("Francisco")
    given = np.full(3_000, place)
    rng = np.random.default_rng(1)
    assert set(write_given_names(rng, given, 0, 0, 0).tolist()) == {"Francisco"}
    assert set(write_given_names(rng, given, 1, 0, 0).tolist()) == {"Paco", "Fran", "Kiko"}
    compound = np.full(10, names.name.tolist().index("María del Carmen"))
    assert set(write_given_names(rng, compound, 0, 1, 0).tolist()) == {"Mª del Carmen"}
    assert set(write_given_names(rng, compound, 0, 0, 1).tolist()) == {"María"}


def test_surnames_are_written_without_a_gap() -> None:
    names = read_surnames().name
    none = np.full(3, len(names) - 1)
    rng = np.random.default_rng(1)
    assert write_surnames(rng, np.arange(3), none, 0).tolist() == names[:3].tolist()
    assert write_surnames(rng, np.arange(3), np.arange(3), 1).tolist() == names[:3].tolist()
    assert write_surnames(rng, np.arange(1), np.arange(1, 2), 0).tolist() == ["Rodríguez González"]


def test_one_of_and_blank_some_follow_their_shares() -> None:
    rng = np.random.default_rng(1)
    drawn = one_of(rng, [(1, as_text(["a"] * 10_000)), (3, as_text(["b"] * 10_000))])
    assert (drawn == "b").mean() == pytest.approx(0.75, abs=0.02)
    assert (blank_some(rng, drawn, 0.2) == "").mean() == pytest.approx(0.2, abs=0.02)


def test_numbers_and_dates_as_text() -> None:
    assert money_text(np.array([0, 5, 1_234_50]), ",").tolist() == ["0,00", "0,05", "1234,50"]
    days = np.array(["2026-02-03", "NaT"], dtype="datetime64[D]")
    assert iso_text(days).tolist() == ["2026-02-03", ""]
    assert spanish_date_text(days).tolist() == ["03/02/2026", ""]
