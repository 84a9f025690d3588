"""The ERP's exports: customers with one name field and one address line, products, stores.

Semicolons, Windows-1252, decimal comma, dd/mm/yyyy; capitals, and fields of fixed length.
"""

from __future__ import annotations

import numpy as np

from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import TEXT, Columns, Dates, Ints, Text, as_text, money_text, number_text, spanish_date_text
from crmlib.demo.defects import Planting, bad_dates, bad_emails, placeholder_phones, wrong_letters
from crmlib.demo.holdings import Holding
from crmlib.demo.people import People
from crmlib.demo.words import read_places, read_products, read_stores
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

#: Length of the ERP's name field.
NAME_LENGTH = 34
ADDRESS_LENGTH = 40
#: How the ERP writes yes, no, and (last) no answer.
ANSWERS = as_text(["N", "S", ""])

PLANTINGS = (
    Planting("bad_email", "EMAIL", 0.006, bad_emails),
    Planting("wrong_check_letter", "NIF", 0.008, wrong_letters),
    Planting("impossible_date", "F_NACIM", 0.002, bad_dates),
    Planting("placeholder_phone", "TELEFONO", 0.006, placeholder_phones),
)


def customer_codes(holding: Holding) -> Text:
    """The ERP's codes of its customers."""
    return "C" + number_text(holding.code, 8)


def write_customers(seed: int, people: People, holding: Holding) -> Columns:
    """What the ERP's export says of each of its customers.

    Parameters
    ----------
    seed : int
    people : People
        One piece of the population.
    holding : Holding
        The ERP's records of it.

    Returns
    -------
    Columns
        What `write_consents` writes is empty.
    """
    rng = stream(seed, "erp", int(people.number[0]))
    person, size, updated_on = holding.person, len(holding), holding.updated_on
    places = read_places()
    place = people.place.at(person, updated_on)
    email = mistype_email(rng, blank_some(rng, people.email.at(person, updated_on), 0.22), 0.015)
    mobile = people.mobile.at(person, updated_on)
    landline = people.landline[person]
    dialled = np.where(happens(rng, size, 0.3) & (landline != ""), landline, mobile).astype(TEXT)
    phone = misdial(rng, blank_some(rng, dialled, 0.08), 0.015)
    empty = np.full(size, "", dtype=TEXT)
    return {
        "COD_CLIENTE": customer_codes(holding),
        "NOMBRE": _write_names(rng, people, person),
        "NIF": _write_national_ids(rng, people.national_id[person]),
        "DIRECCION": _write_addresses(rng, people, holding),
        "CP": blank_some(rng, places.postcode[place], 0.03),
        "POBLACION": _write_towns(rng, places.municipality[place]),
        "PROVINCIA": np.where(places.province[place] == "Las Palmas", "LAS PALMAS", "S/C DE TENERIFE").astype(TEXT),
        "TELEFONO": write_phones(rng, phone, spaced=0.45, prefixed=0.03),
        "EMAIL": np.where(happens(rng, size, 0.3), np.strings.upper(email), email),
        "F_NACIM": blank_some(rng, spanish_date_text(people.birth_date[person]), 0.45),
        "SEXO": blank_some(rng, np.where(people.female[person], "M", "H").astype(TEXT), 0.25),
        "F_ALTA": spanish_date_text(holding.created_on),
        "F_MODIF": spanish_date_text(updated_on),
        "SALDO": money_text(np.rint(rng.gamma(0.5, 4_000, size)).astype(np.int64), ","),
        "ACEPTA_EMAIL": empty,
        "ACEPTA_SMS": empty,
        "F_CONSENT": empty,
    }


def write_consents(email: Ints, sms: Ints, decided_on: Dates) -> Columns:
    """What customers have answered when asked, and when.

    Parameters
    ----------
    email, sms : array of int
        1 yes, 0 no, -1 not asked.
    decided_on : array of date
    """
    return {
        "ACEPTA_EMAIL": ANSWERS[email],
        "ACEPTA_SMS": ANSWERS[sms],
        "F_CONSENT": np.where((email >= 0) | (sms >= 0), spanish_date_text(decided_on), "").astype(TEXT),
    }


def _write_names(rng: np.random.Generator, people: People, person: Ints) -> Text:
    given = write_given_names(rng, people.given[person], nickname=0.02, shortened=0.14, first_only=0.03)
    surnames = write_surnames(rng, people.surname_1[person], people.surname_2[person], first_only=0.06)
    given, surnames = mistype(rng, given, 0.02), mistype(rng, surnames, 0.03)
    full = one_of(
        rng, [(0.82, surnames + ", " + given), (0.08, surnames + " " + given), (0.10, given + " " + surnames)]
    )
    full = np.where(happens(rng, len(person), 0.7), without_accents(full), full)
    return np.strings.rstrip(np.strings.slice(np.strings.upper(full), 0, NAME_LENGTH))


def _write_national_ids(rng: np.random.Generator, national_id: Text) -> Text:
    number, letter = np.strings.slice(national_id, 0, 8), np.strings.slice(national_id, 8, 9)
    dotted = (
        np.strings.slice(number, 0, 2) + "." + np.strings.slice(number, 2, 5) + "." + np.strings.slice(number, 5, 8)
    )
    forms = [
        (0.72, national_id),
        (0.12, number + "-" + letter),
        (0.06, dotted + "-" + letter),
        (0.10, np.full(len(national_id), "", dtype=TEXT)),
    ]
    return one_of(rng, forms)


def _write_addresses(rng: np.random.Generator, people: People, holding: Holding) -> Text:
    places = read_places()
    person, day = holding.person, holding.updated_on
    where = people.street.at(person, day)
    street_type = one_of(rng, [(0.8, places.street_abbreviation[where]), (0.2, places.street_type[where])])
    house_number = number_text(people.house_number.at(person, day))
    unit = people.unit.at(person, day)
    start = street_type + " " + places.street[where]
    written = one_of(
        rng,
        [
            (0.55, start + " " + house_number + np.where(unit == "", "", ", " + unit)),
            (0.20, start + ", " + house_number + np.where(unit == "", "", " " + unit)),
            (0.12, start + " Nº " + house_number + np.where(unit == "", "", " - " + unit)),
            (0.08, start + " " + house_number),
            (0.05, start + " S/N"),
        ],
    )
    written = np.where(happens(rng, len(person), 0.75), np.strings.upper(written), written)
    return np.strings.rstrip(np.strings.slice(written, 0, ADDRESS_LENGTH))


def _write_towns(rng: np.random.Generator, municipality: Text) -> Text:
    short = np.strings.replace(municipality, "Las Palmas de Gran Canaria", "Las Palmas de G.C.")
    short = np.strings.replace(short, "San Cristóbal de La Laguna", "La Laguna")
    return np.strings.upper(one_of(rng, [(0.6, municipality), (0.4, without_accents(short))]))


def write_products() -> Columns:
    """The ERP's export of the range."""
    products = read_products()
    return {
        "COD_ARTICULO": products.product_id,
        "DESCRIPCION": products.name,
        "FAMILIA": products.category,
        "SUBFAMILIA": products.subcategory,
        "MARCA": products.brand,
        "PROVEEDOR": products.supplier_id,
        "PVP": money_text(products.price, ","),
        "COSTE": money_text(products.cost, ","),
    }


def write_stores() -> Columns:
    """The ERP's export of the stores."""
    stores = read_stores()
    return {
        "COD_TIENDA": stores.store_id,
        "NOMBRE": stores.name,
        "ISLA": stores.island,
        "PROVINCIA": stores.province,
        "CP": stores.postcode,
        "LATITUD": as_text(value.replace(".", ",") for value in stores.latitude.tolist()),
        "LONGITUD": as_text(value.replace(".", ",") for value in stores.longitude.tolist()),
        "F_APERTURA": spanish_date_text(stores.opened_on),
    }
