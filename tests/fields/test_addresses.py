import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.addresses import check_postcode_province, normalise_address, normalise_postcode


@pytest.mark.parametrize(
    ("line", "street_type", "street", "number", "unit"),
    [
        ("C/ Mayor, 12, 3º B", "calle", "Mayor", "12", "3º B"),
        ("CALLE MAYOR 12 3 B", "calle", "Mayor", "12", "3 B"),
        ("Avda. 3 de Mayo nº 25", "avenida", "3 de Mayo", "25", None),
        ("Calle 25 de Julio, 8 2ºA", "calle", "25 de Julio", "8", "2ºA"),
        ("Pza. de España s/n", "plaza", "de España", "S/N", None),
        ("Ctra. General del Sur km 12,5", "carretera", "General del Sur", "KM12,5", None),
        ("Urb. Las Torres, 5", "urbanizacion", "las Torres", "5", None),
        ("C/ Mayor Nº 44 - 1º D", "calle", "Mayor", "44", "1º D"),
        ("C/ Mayor 44-46", "calle", "Mayor", "44-46", None),
        ("Urb. Los Olivos, C/ Jazmín 5, 2ºB", "calle", "Jazmín", "5", "2ºB"),
        ("Calle Jazmín, 5, Urbanización Los Olivos", "calle", "Jazmín", "5", None),
        ("C/ Mayor 12, Edif. Sol, 3º B", "calle", "Mayor", "12", "3º B"),
        ("Urbanización Monteverde, parcela 14", "urbanizacion", "Monteverde", "14", None),
        ("Pol. Ind. Las Salinas - nave 7", "poligono", "Ind. las Salinas", "7", None),
        ("Ctra. TF 5, p.k. 12.300", "carretera", "Tf 5", "KM12,3", None),
        ("Carretera GC-1 Kilómetro 23", "carretera", "Gc-1", "KM23", None),
        ("Paseo de Las Canteras, nº 2, ático", "paseo", "de las Canteras", "2", "ÁTICO"),
        ("12 High Street", "street", "High Street", "12", None),
        ("wallaby place", "place", "Wallaby Place", None, None),
        ("Calle Real", "calle", "Real", None, None),
        ("123", None, None, None, None),
    ],
)
def test_one_line_is_parted(line, street_type, street, number, unit):
    address = normalise_address(line)
    assert address[:4] == (street_type, street, number, unit)
    assert address.valid is bool(street and number)


@pytest.mark.parametrize(
    "line", ["C/ León y Castillo, 12", "CALLE LEON Y CASTILLO 12", "Cl. León y Castillo nº 12", "leon y castillo 12"]
)
def test_spellings_of_a_street_have_one_key(line):
    address = normalise_address(line)
    assert (address.street_key, address.house_number) == ("leon castillo", "12")


def test_parts_in_their_own_fields():
    assert normalise_address(None, "Avda.", "Marítima", "5", "2 izq") == (
        "avenida",
        "Marítima",
        "5",
        "2 IZQ",
        "maritima",
        True,
    )


@pytest.mark.parametrize("written", ["km 12,5", "KM. 12.500", "p.k. 12'5", "punto kilométrico 12,50", "KM12,5"])
def test_spellings_of_a_kilometre_are_one_number(written):
    assert normalise_address(None, "Ctra.", "General del Sur", written).house_number == "KM12,5"
    assert normalise_address(f"Ctra. General del Sur, {written}").house_number == "KM12,5"


address_text = st.text("abcé ÑC/.,º0123-nNkmu'", max_size=30)


@given(address_text, st.sampled_from([None, "C/", "avenida", "Zzz"]))
def test_normalising_twice_is_normalising_once(line, street_type):
    once = normalise_address(line, street_type)
    again = normalise_address(None, once.street_type, once.street, once.house_number, once.unit)
    if once.house_number:
        assert again == once


@pytest.mark.parametrize(
    ("written", "postcode", "province"),
    [
        ("35001", "35001", "Las Palmas"),
        ("38 001", "38001", "Santa Cruz de Tenerife"),
        ("8001", "08001", "Barcelona"),
        ("99001", "99001", None),
        ("3500", "03500", "Alicante"),
        ("ABC", "ABC", None),
        (None, None, None),
    ],
)
def test_spanish_postcodes(written, postcode, province):
    assert normalise_postcode(written, "ES") == (postcode, province, province is not None)


def test_postcodes_elsewhere_are_only_tidied():
    assert normalise_postcode("sw1a 1aa", "GB") == ("SW1A1AA", None, True)


@pytest.mark.parametrize(
    ("postcode", "province", "agrees"),
    [
        ("38001", "S/C de Tenerife", True),
        ("38001", "LAS PALMAS", False),
        ("48001", "vizcaya", True),
        ("35001", "Narnia", None),
        (None, "Las Palmas", None),
    ],
)
def test_postcode_and_province(postcode, province, agrees):
    assert check_postcode_province(postcode, province, "ES") is agrees
