"""The online shop's export of its customers, in Shopify's present layout."""

from __future__ import annotations

import numpy as np

from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import TEXT, Bools, Columns, Ints, Text, as_text, money_text, number_text
from crmlib.demo.defects import Planting, bad_emails, placeholder_phones
from crmlib.demo.holdings import Holding
from crmlib.demo.people import People
from crmlib.demo.words import read_places
from crmlib.demo.writing import (
    blank_some,
    misdial,
    mistype,
    mistype_email,
    one_of,
    without_accents,
    write_given_names,
    write_surnames,
)

#: First of the customer ids.
FIRST_ID = 7_100_000_000_000
PROVINCE_CODES = {"Las Palmas": "GC", "Santa Cruz de Tenerife": "TF"}
TAGS = as_text(["newsletter", "vip", "newsletter, vip", "primera compra", "mayorista"])
NOTES = as_text(["Llamar por la tarde", "Dejar en portería", "Pide factura"])

PLANTINGS = (
    Planting("bad_email", "Email", 0.004, bad_emails),
    Planting("placeholder_phone", "Phone", 0.003, lambda rng, values: "'" + placeholder_phones(rng, values)),
)


def customer_ids(holding: Holding) -> Text:
    """The shop's ids of its customers."""
    return number_text(FIRST_ID + holding.code)


def write_customers(seed: int, people: People, holding: Holding) -> Columns:
    """What the shop's export says of each of its customers.

    Parameters
    ----------
    seed : int
    people : People
        One piece of the population.
    holding : Holding
        The shop's records of it.

    Returns
    -------
    Columns
        Headings as Shopify writes them; ids, postcodes and phones begin with an apostrophe. What `write_consents`
        and `write_totals` write is empty.
    """
    rng = stream(seed, "shop", int(people.number[0]))
    person, size = holding.person, len(holding)
    places = read_places()
    place = people.place.at(person, holding.updated_on)
    given = write_given_names(rng, people.given[person], nickname=0.10, shortened=0.04, first_only=0.12)
    surnames = write_surnames(rng, people.surname_1[person], people.surname_2[person], first_only=0.40)
    given, surnames = (_as_typed(rng, mistype(rng, names, 0.03)) for names in (given, surnames))
    email = mistype_email(rng, people.email.at(person, holding.updated_on), 0.01)
    mobile = misdial(rng, people.mobile.at(person, holding.updated_on), 0.01)
    phone = np.where(mobile == "", "", "'+34" + mobile).astype(TEXT)
    street = places.street[people.street.at(person, holding.updated_on)]
    street_type = places.street_type[people.street.at(person, holding.updated_on)]
    house_number = number_text(people.house_number.at(person, holding.updated_on))
    line_1 = one_of(
        rng,
        [
            (5, street_type + " " + street + " " + house_number),
            (3, street_type + " " + street + ", " + house_number),
            (2, without_accents(street) + " " + house_number),
        ],
    )
    empty = np.full(size, "", dtype=TEXT)
    has_address = happens(rng, size, 0.7)

    def if_address(values: Text) -> Text:
        return np.where(has_address, values, "").astype(TEXT)

    return {
        "Customer ID": "'" + customer_ids(holding),
        "First Name": given,
        "Last Name": surnames,
        "Email": email,
        "Accepts Email Marketing": empty,
        "Default Address Company": empty,
        "Default Address Address1": if_address(line_1),
        "Default Address Address2": if_address(people.unit.at(person, holding.updated_on)),
        "Default Address City": if_address(_as_typed(rng, places.municipality[place])),
        "Default Address Province Code": if_address(
            np.where(places.province[place] == "Las Palmas", *PROVINCE_CODES.values()).astype(TEXT)
        ),
        "Default Address Country Code": if_address(np.full(size, "ES", dtype=TEXT)),
        "Default Address Zip": if_address("'" + places.postcode[place]),
        "Default Address Phone": if_address(blank_some(rng, phone, 0.3)),
        "Phone": blank_some(rng, phone, 0.12),
        "Accepts SMS Marketing": empty,
        "Total Spent": empty,
        "Total Orders": empty,
        "Note": blank_some(rng, NOTES[rng.integers(0, len(NOTES), size)], 0.95),
        "Tax Exempt": np.full(size, "no", dtype=TEXT),
        "Tags": blank_some(rng, TAGS[rng.integers(0, len(TAGS), size)], 0.6),
    }


def _as_typed(rng: np.random.Generator, values: Text) -> Text:
    """Names as their bearers type them: mostly well, some in small or capital letters, some without accents."""
    return one_of(
        rng,
        [
            (0.66, values),
            (0.12, without_accents(values)),
            (0.12, np.strings.lower(values)),
            (0.05, np.strings.lower(without_accents(values))),
            (0.05, np.strings.upper(values)),
        ],
    )


def write_consents(email: Bools, sms: Bools) -> Columns:
    """What the export says of consent: a state, without a date.

    Parameters
    ----------
    email, sms : array of bool
        Whether each customer is subscribed by the channel.
    """
    return {
        "Accepts Email Marketing": np.where(email, "yes", "no").astype(TEXT),
        "Accepts SMS Marketing": np.where(sms, "yes", "no").astype(TEXT),
    }


def write_totals(orders: Ints, spent: Ints) -> Columns:
    """What the export says of orders.

    Parameters
    ----------
    orders, spent : array of int
        Number of each customer's orders, and their sum in cents.
    """
    return {"Total Spent": money_text(spent), "Total Orders": number_text(orders)}
