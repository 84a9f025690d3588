"""Contacts at the suppliers, as Google Contacts exports them; several values in a cell are joined by ` ::: `."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import TEXT, Text, as_text, number_text
from crmlib.demo.words import GENERATIONS, address_form, read_given_names, read_places, read_products, read_surnames

HEADINGS = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Phone 2 - Label,Phone 2 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,"
    "Address 1 - PO Box,Address 1 - Region,Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address,"
    "Website 1 - Label,Website 1 - Value"
)
TITLES = as_text(["Comercial", "Delegada de zona", "Gerente", "Atención al cliente", "Jefe de ventas"])
#: Suppliers have one contact or two.
SHARE_SECOND = 0.6
JOINED = " ::: "


def write_contacts(seed: int) -> tuple[dict[str, Text | str], pa.Table]:
    """The contacts, and the truth about them.

    Parameters
    ----------
    seed : int

    Returns
    -------
    columns : mapping of str to Text or str
        A text that is the same in every row stands alone.
    truth : Table
        email, source, source_record_id (the name with organisation and address), person_id, supplier_id.
    """
    rng, products = stream(seed, "suppliers"), read_products()
    brands = dict(zip(products.supplier_id.tolist(), products.brand.tolist(), strict=True))
    supplier = np.array([name for name in sorted(brands) for _ in range(1 + (rng.random() < SHARE_SECOND))], dtype=TEXT)
    size = len(supplier)
    brand = as_text(brands[name] for name in supplier.tolist())
    given, surname = _draw_names(rng, size)
    host = as_text(f"{address_form(name)}.example" for name in brand.tolist())
    local = as_text(
        f"{address_form(one.split()[0])}.{address_form(two)}" for one, two in zip(given, surname, strict=True)
    )
    email, shared = local + "@" + host, "pedidos@" + host
    second_email, second_phone = happens(rng, size, 0.4), happens(rng, size, 0.3)
    mobile, office = ("+34 " + lead + number_text(rng.integers(0, 10**6, size), 6) for lead in ("690", "922"))
    places = read_places()
    place = places.people.draw(rng, size)
    written = {
        "First Name": given,
        "Last Name": surname,
        "Organization Name": brand,
        "Organization Title": TITLES[rng.integers(0, len(TITLES), size)],
        "Notes": "Proveedor " + supplier,
        "E-mail 1 - Value": np.where(second_email, email + JOINED + shared, email),
        "Phone 1 - Value": np.where(second_phone, mobile + JOINED + office, mobile),
        "Address 1 - City": places.municipality[place],
        "Address 1 - Region": places.province[place],
        "Address 1 - Postal Code": places.postcode[place],
        "Website 1 - Value": "www." + host,
    }
    same = {
        "Labels": f"supplier{JOINED}* myContacts",
        "E-mail 1 - Label": "Work",
        "Phone 1 - Label": "Mobile",
        "Address 1 - Label": "Work",
        "Address 1 - Country": "ES",
        "Website 1 - Label": "Work",
    }
    columns: dict[str, Text | str] = dict.fromkeys(HEADINGS.split(","), "") | same | written
    truth = {
        "email": pa.array(email),
        "source": pa.repeat("contacts", size),
        "source_record_id": pa.array(given + " " + surname + " " + brand + " " + email),
        "person_id": pa.array("S" + number_text(np.arange(size), 8)),
        "supplier_id": pa.array(supplier),
    }
    return columns, pa.table(truth)


def _draw_names(rng: np.random.Generator, size: int) -> tuple[Text, Text]:
    names, surnames = read_given_names(), read_surnames()
    group = rng.integers(0, 2, size) * (len(GENERATIONS) + 1) + rng.integers(2, 6, size)
    return names.name[names.by_generation.draw(rng, size, group)], surnames.name[surnames.by_origin.draw(rng, size, 0)]
