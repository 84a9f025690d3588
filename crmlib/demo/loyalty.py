"""The loyalty scheme's list of cards: tab-separated, UTF-8, one row a card."""

from __future__ import annotations

import numpy as np

from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import TEXT, Columns, Dates, Ints, Text, as_text, iso_text, number_text
from crmlib.demo.defects import Planting, bad_dates, bad_emails, placeholder_phones
from crmlib.demo.holdings import Holding
from crmlib.demo.people import People
from crmlib.demo.words import read_places, read_stores
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

#: What every card number begins with.
CARD_PREFIX = 2990
#: How the scheme writes yes, no, and (last) no answer.
ANSWERS = as_text(["no", "si", ""])

PLANTINGS = (
    Planting("bad_email", "email", 0.005, bad_emails),
    Planting("impossible_date", "fecha_nacimiento", 0.0015, bad_dates),
    Planting("placeholder_phone", "telefono", 0.005, placeholder_phones),
)


def card_numbers(code: Ints) -> Text:
    """Card numbers of thirteen digits, the last a check digit as on any barcode."""
    body = number_text(CARD_PREFIX * 10**8 + code, 12)
    digits = np.array([[int(sign) for sign in number] for number in body.tolist()], dtype=np.int64).reshape(-1, 12)
    weighted = digits[:, 0::2].sum(axis=1) + 3 * digits[:, 1::2].sum(axis=1)
    return body + number_text(-weighted % 10)


def write_cards(seed: int, people: People, holding: Holding, home_store: Ints) -> Columns:
    """What the scheme knows of each card's holder.

    Parameters
    ----------
    seed : int
    people : People
        One piece of the population.
    holding : Holding
        The scheme's records of it.
    home_store : array of int
        Each person's store, as a place in the word list.

    Returns
    -------
    Columns
        What `write_consents` writes is empty.
    """
    rng = stream(seed, "loyalty", int(people.number[0]))
    person, size, updated_on = holding.person, len(holding), holding.updated_on
    given = write_given_names(rng, people.given[person], nickname=0.07, shortened=0.06, first_only=0.06)
    surnames = write_surnames(rng, people.surname_1[person], people.surname_2[person], first_only=0.15)
    given, surnames = (_as_keyed(rng, mistype(rng, names, 0.035)) for names in (given, surnames))
    email = mistype_email(rng, blank_some(rng, people.email.at(person, updated_on), 0.14), 0.015)
    mobile, landline = people.mobile.at(person, updated_on), people.landline[person]
    phone = np.where((mobile == "") | happens(rng, size, 0.08), landline, mobile).astype(TEXT)
    phone = misdial(rng, phone, 0.015)
    empty = np.full(size, "", dtype=TEXT)
    return {
        "tarjeta": card_numbers(holding.code),
        "nombre": given,
        "apellidos": surnames,
        "telefono": write_phones(rng, phone, spaced=0.12, prefixed=0.05),
        "email": email,
        "fecha_nacimiento": blank_some(rng, _write_birth_dates(rng, people, person), 0.18),
        "sexo": blank_some(rng, np.where(people.female[person], "mujer", "hombre").astype(TEXT), 0.12),
        "codigo_postal": blank_some(rng, read_places().postcode[people.place.at(person, updated_on)], 0.10),
        "tienda": read_stores().store_id[home_store[person]],
        "fecha_alta": iso_text(holding.created_on),
        "fecha_modificacion": iso_text(updated_on),
        "acepta_email": empty,
        "acepta_sms": empty,
        "fecha_consentimiento": empty,
    }


def write_consents(email: Ints, sms: Ints, decided_on: Dates) -> Columns:
    """What holders have ticked on the form, and when they signed it.

    Parameters
    ----------
    email, sms : array of int
        1 yes, 0 no, -1 not asked.
    decided_on : array of date
    """
    return {
        "acepta_email": ANSWERS[email],
        "acepta_sms": ANSWERS[sms],
        "fecha_consentimiento": iso_text(decided_on),
    }


def _as_keyed(rng: np.random.Generator, values: Text) -> Text:
    """Names as a cashier keys them in from a form."""
    plain = without_accents(values)
    return one_of(
        rng, [(0.62, values), (0.18, plain), (0.15, np.strings.upper(plain)), (0.05, np.strings.upper(values))]
    )


def _write_birth_dates(rng: np.random.Generator, people: People, person: Ints) -> Text:
    """Dates of birth; in some, day and month have changed places."""
    iso = iso_text(people.birth_date[person])
    year, month, day = (np.strings.slice(iso, *part) for part in ((0, 4), (5, 7), (8, 10)))
    swapped = happens(rng, len(person), 0.012) & (day <= "12")
    return np.where(swapped, year + "-" + day + "-" + month, iso)
