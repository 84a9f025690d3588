"""A person of whom data are kept, how one is asked for, and what a record says of whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crmlib.errors import InputError
from crmlib.identity.usable import use_email, use_national_id, use_phone
from crmlib.sources.tombstones import CARD, email_form, name_birth_form, national_id_form, record_form

NAME = ("full_name", "given_name", "surnames", "surname_1", "surname_2")
ADDRESS = ("address_line", "street_type", "street", "house_number", "unit")
#: Columns of a record that say whose it is.
VALUES = ("source", "source_record_id", "email", "phone", "national_id", "loyalty_card", "birth_date", *NAME, *ADDRESS)
WAYS = ("id", "email", "phone", "national_id")
CUSTOMER_ID = re.compile(r"c[0-9a-f]{16}")

Record = tuple[str, str]
Row = dict[str, Any]


@dataclass
class Person:
    """Somebody of whom data are kept.

    Parameters
    ----------
    records : list of (source, source_record_id)
    customers : dict of str to list of str
        Run -> ids of the customers who hold any of these records there.
    own : dict of str to set of str
        Kind (email, phone, national_id, card, visitor) -> values in one form that nobody else has.
    shared : dict of str to int
        Kind -> how many values others have, too: these stay with them.
    spelled : dict of str to set of str
        Kind -> values of their own as they were delivered; for name and address whatever they gave.
    tombstones : list of (kind, form)
        What keeps the person from coming back.
    expired : dict of str to str
        Table -> condition of rows, whosever they are, that were kept for too long.
    """

    records: list[Record] = field(default_factory=list)
    customers: dict[str, list[str]] = field(default_factory=dict)
    own: dict[str, set[str]] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    spelled: dict[str, set[str]] = field(default_factory=dict)
    tombstones: list[tuple[str, str]] = field(default_factory=list)
    expired: dict[str, str] = field(default_factory=dict)

    def join(self, other: Person) -> None:
        """Mean another person, too."""
        self.records = sorted({*self.records, *other.records})
        self.tombstones = list(dict.fromkeys([*self.tombstones, *other.tombstones]))
        for run, ids in other.customers.items():
            self.customers[run] = sorted({*self.customers.get(run, []), *ids})
        for kind, values in other.own.items():
            self.own.setdefault(kind, set()).update(values)
        for kind, values in other.spelled.items():
            self.spelled.setdefault(kind, set()).update(values)
        for kind, count in other.shared.items():
            self.shared[kind] = self.shared.get(kind, 0) + count


def read_request(asked: str, by: str | None, country: str) -> tuple[str, str]:
    """What kind of value a request names, and the value in its one form.

    Parameters
    ----------
    asked : str
    by : {"id", "email", "phone", "national_id"} or None
        None: as it looks.
    country : str
        Of phones and national ids that do not say theirs.

    Returns
    -------
    (str, str)

    Raises
    ------
    InputError
        If it is none of the kind given.
    """
    text = asked.strip()
    forms: dict[str, Callable[[], str | None]] = {
        "email": lambda: use_email(text)[0] if "@" in text else None,
        "national_id": lambda: use_national_id(text, country)[0] if re.search(r"[A-Za-z]", text) else None,
        "phone": lambda: use_phone(text, country)[0],
        "id": lambda: text or None,
    }
    if by is not None and by not in forms:
        raise InputError(f"--by {by}: this is none of {', '.join(WAYS)}.")
    if by is None and (CUSTOMER_ID.fullmatch(text) or (":" in text and "@" not in text)):
        by = "id"
    for kind in (by,) if by else forms:
        if (form := forms[kind]()) is not None:
            return kind, form
    raise InputError(
        f"What was given is no {(by or 'id').replace('_', ' ')}; see crm access --help for the ways to ask."
    )


def forms_of(row: Row, country: str) -> dict[str, set[str]]:
    """A record's values in their one form, by kind."""
    forms = {
        "email": use_email(row["email"])[0],
        "phone": use_phone(row["phone"], country)[0],
        "national_id": use_national_id(row["national_id"], country)[0],
        "card": (row["loyalty_card"] or "").strip() or None,
        "name_birth": name_birth_form(row["birth_date"], *(row[name] for name in NAME)),
    }
    return {kind: {form} for kind, form in forms.items() if form is not None}


def keep_spelled(person: Person, row: Row, country: str) -> None:
    """Remember how a record writes what is the person's own."""
    forms = forms_of(row, country)
    for kind, column in (("email", "email"), ("phone", "phone"), ("national_id", "national_id")):
        if row[column] and forms.get(kind, set()) & person.own.get(kind, set()):
            person.spelled.setdefault(kind, set()).add(row[column].strip())
    whole = row["full_name"] or " ".join(filter(None, (row[name] for name in NAME[1:])))
    street = row["address_line"] or " ".join(filter(None, (row[name] for name in ADDRESS[1:])))
    for kind, text in (("name", whole), ("address", street)):
        if len(text or "") > 5:
            person.spelled.setdefault(kind, set()).add(text.strip())


def make_tombstones(person: Person) -> None:
    """Say what keeps the person from coming back."""
    made = [("record", record_form(source, name)) for source, name in person.records]
    made += [("record", record_form(CARD, card)) for card in sorted(person.own.get("card", ()))]
    made += [("email", email_form(value)) for value in sorted(person.own.get("email", ()))]
    made += [("national_id", value) for value in sorted(person.own.get("national_id", ()))]
    made += [("name_birth", value) for value in sorted(person.own.get("name_birth", ()))]
    person.tombstones = list(dict.fromkeys((kind, form) for kind, form in made if form is not None))


def asked_tombstone(kind: str, form: str, country: str) -> list[tuple[str, str]]:
    """The tombstones that somebody asked for would have left."""
    if kind == "email":
        value = email_form(form)
    elif kind == "national_id":
        value = national_id_form(form, country)
    elif kind == "id" and ":" in form:
        kind, value = "record", record_form(*form.split(":", 1))
    else:
        return []
    return [(kind, value)] if value is not None else []
