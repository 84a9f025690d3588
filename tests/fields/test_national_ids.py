import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.national_ids import normalise_national_id

LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


@given(st.integers(10_000, 99_999_999))
def test_a_dni_is_valid_with_its_own_letter_alone(number):
    digits = f"{number:08d}"
    right = LETTERS[number % 23]
    accepted = {letter for letter in LETTERS if normalise_national_id(digits + letter, "ES").valid}
    assert accepted <= {right}
    assert accepted or len(set(digits)) == 1 or digits in {"12345678", "87654321"}


@pytest.mark.parametrize(
    ("written", "value", "kind", "valid"),
    [
        ("54.362.315-K", "54362315K", "dni", True),
        ("1234567 L", "01234567L", "dni", True),
        ("ES54362315K", "54362315K", "dni", True),
        ("54362315", "54362315", "dni", None),
        ("54362315Z", "54362315Z", "dni", False),
        ("x-2482300-w", "X2482300W", "nie", True),
        ("X2482300A", "X2482300A", "nie", False),
        ("B12345674", "B12345674", "cif", True),
        ("00000000T", "00000000T", "dni", False),
        ("12345678Z", "12345678Z", "dni", False),
        ("pasaporte", "PASAPORTE", None, False),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_spain(written, value, kind, valid):
    assert normalise_national_id(written, "ES") == (value, kind, valid)


@pytest.mark.parametrize(
    ("country", "right", "wrong", "kind"),
    [
        ("BR", "390.533.447-05", "390.533.447-06", "cpf"),
        ("PL", "44051401359", "44051401358", "pesel"),
        ("IT", "RCCMNL83S18D969H", "RCCMNL83S18D969X", "codice_fiscale"),
    ],
)
def test_other_countries(country, right, wrong, kind):
    assert normalise_national_id(right, country)[1:] == (kind, True)
    assert normalise_national_id(wrong, country)[1:] == (kind, False)


def test_a_country_without_a_known_check_is_neither_right_nor_wrong():
    assert normalise_national_id("180-4974", "AU") == ("1804974", None, None)
    assert normalise_national_id("0000000", "AU").valid is False


@given(
    st.text(max_size=20) | st.text("0123456789XYZBT-. ", max_size=14), st.sampled_from(["ES", "BR", "PL", "IT", "AU"])
)
def test_normalising_twice_is_normalising_once(text, country):
    once = normalise_national_id(text, country)
    assert normalise_national_id(once.value, country) == once
