import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.text import capitalise_words, fold_text, tidy_spaces


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("GARCÍA-PÉREZ", "garcia perez"),
        ("  Núñez   de  Arce ", "nunez de arce"),
        ("O'Brien", "obrien"),
        ("Straße", "strasse"),
        ("Łukasz Øre", "lukasz ore"),
        ("ﬁn", "fin"),
        ("李 伟", "李 伟"),
        (None, ""),
        ("...", ""),
    ],
)
def test_fold_text(written, folded):
    assert fold_text(written) == folded


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text):
    once = fold_text(text)
    assert fold_text(once) == once
    assert not any(unicodedata.combining(letter) for letter in unicodedata.normalize("NFKD", once) if letter.isascii())


@given(st.text(max_size=40))
def test_capitals_given_twice_are_given_once(text):
    once = capitalise_words(tidy_spaces(text))
    assert capitalise_words(once) == once


@pytest.mark.parametrize(
    ("written", "shown"),
    [("DE LA CRUZ", "de la Cruz"), ("garcía-pérez", "García-Pérez"), ("McDonald", "McDonald"), ("o'brien", "O'Brien")],
)
def test_capitalise_words(written, shown):
    assert capitalise_words(written) == shown
