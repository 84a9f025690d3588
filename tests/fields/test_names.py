import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.names import (
    MOST_VARIANTS,
    find_gender,
    fold_name,
    is_common_given_name,
    list_given_name_variants,
    normalise_name,
)


def part(name):
    return name.given_name, name.surname_1, name.surname_2


@pytest.mark.parametrize(
    ("full_name", "parts"),
    [
        ("GARCÍA PÉREZ, MARÍA JOSÉ", ("María José", "García", "Pérez")),
        ("GARCIA PEREZ MARIA JOSE", ("Maria Jose", "Garcia", "Perez")),
        ("María José García Pérez", ("María José", "García", "Pérez")),
        ("DE LA CRUZ HDEZ, Mª CARMEN", ("María Carmen", "de la Cruz", "Hernández")),
        ("Mª del Carmen de la Cruz Hernández", ("María del Carmen", "de la Cruz", "Hernández")),
        ("FERNANDEZ GLEZ, FCO. JAVIER", ("Francisco Javier", "Fernandez", "González")),
        ("D. José Antonio Ortega y Gasset", ("José Antonio", "Ortega", "Gasset")),
        ("María de los Ángeles Rodríguez Santana", ("María de los Ángeles", "Rodríguez", "Santana")),
        ("Van der Berg, Jan", ("Jan", "van der Berg", None)),
        ("Juan Martín", ("Juan", "Martín", None)),
        ("mitchell green", ("Mitchell", "Green", None)),
        ("LOPEZ", (None, "Lopez", None)),
        ("PEPE", ("Pepe", None, None)),
    ],
)
def test_one_field_is_parted(full_name, parts):
    assert part(normalise_name(full_name)) == parts


@pytest.mark.parametrize("order", ["{g} {a} {b}", "{a} {b} {g}", "{a} {b}, {g}"])
@pytest.mark.parametrize("given_name", ["Antonio", "María del Carmen", "José Luis", "Candelaria"])
@pytest.mark.parametrize(("first", "second"), [("Rodríguez", "Suárez"), ("de León", "Betancor"), ("Pérez", "Martín")])
def test_the_order_of_a_name_does_not_matter(order, given_name, first, second):
    assert part(normalise_name(order.format(g=given_name, a=first, b=second))) == (given_name, first, second)


def test_parts_in_their_own_fields():
    assert part(normalise_name(given_name="PACO", surnames="de la cruz  pérez")) == ("Paco", "de la Cruz", "Pérez")
    assert part(normalise_name(given_name="ana", surname_1="gil", surname_2="ruiz")) == ("Ana", "Gil", "Ruiz")
    assert part(normalise_name(given_name="Ana Pérez")) == ("Ana", "Pérez", None)
    assert part(normalise_name("Otra Persona", given_name="Ana", surnames="Gil")) == ("Ana", "Gil", None)


@pytest.mark.parametrize("whole", ["Construcciones Pérez", "PEREZ E HIJOS S.L.", "Distribuciones Sur SLU", "Acme GmbH"])
def test_companies_are_told_from_persons(whole):
    name = normalise_name(whole)
    assert (name.kind, name.company, name.given_name, name.surname_1) == ("company", whole, None, None)


@pytest.mark.parametrize("nobody", ["CLIENTE CONTADO", "xxx", "---", "123", "", None])
def test_what_is_no_name(nobody):
    assert normalise_name(nobody) == (None, None, None, None, None, False)


@pytest.mark.parametrize(("name", "valid"), [("Ana Gil", True), ("Ana", False), ("A B", False), ("Ana Gil3", False)])
def test_validity(name, valid):
    assert normalise_name(name).valid is valid


words = st.text(alphabet="abcdeñíüçßÁÉ 'ªº.-DELAYoópz1,", max_size=24)


@given(words, words, words)
def test_normalising_twice_is_normalising_once(given_name, surname_1, surname_2):
    once = normalise_name(given_name=given_name, surname_1=surname_1, surname_2=surname_2)
    if once.kind == "person":
        again = normalise_name(given_name=once.given_name, surname_1=once.surname_1, surname_2=once.surname_2)
        assert again == once


@given(words)
def test_a_whole_name_normalised_twice(full_name):
    once = normalise_name(full_name)
    if once.kind == "person":
        again = normalise_name(given_name=once.given_name, surname_1=once.surname_1, surname_2=once.surname_2)
        assert part(again) == part(once)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paco", "Francisco"),
        ("Pepe", "JOSÉ"),
        ("Chema", "José María"),
        ("Mª José", "Maria José"),
        ("Lola", "María de los Dolores"),
        ("Betty", "Elizabeth"),
        ("Pau", "Pablo"),
        ("Pau", "Paula"),
    ],
)
def test_nicknames_meet_their_names(one, other):
    told = [set(list_given_name_variants(normalise_name(given_name=name).given_name)) for name in (one, other)]
    words_of = [{word for variant in variants for word in variant.split()} for variants in told]
    assert told[0] & told[1] or words_of[0] & words_of[1]


def test_variants_hold_the_name_itself_and_are_few():
    assert list_given_name_variants("Zebenzuí") == ["zebenzui"]
    assert list_given_name_variants(None) == []
    assert len(list_given_name_variants("Lena Gabi Toni Andy Pau")) <= MOST_VARIANTS


def test_common_names_and_gender():
    assert is_common_given_name("María José")
    assert not is_common_given_name("Mraia")
    assert (find_gender("Carmen"), find_gender("Antonio"), find_gender("Zzz"), find_gender(None)) == (
        "female",
        "male",
        None,
        None,
    )


def test_fold_name_drops_particles_unless_nothing_is_left():
    assert fold_name("de la Cruz") == "cruz"
    assert fold_name("de la") == "de la"
    assert fold_name("  ") is None
