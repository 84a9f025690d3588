"""Whom a request means: the customers and records behind an id, e-mail, phone or national id, and their own values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from crmlib.engine import Engine, literal
from crmlib.errors import InputError
from crmlib.identity.usable import use_email, use_national_id, use_phone
from crmlib.permission.erasure import SEPARATORS
from crmlib.rights.kept import find_table, show_as_today
from crmlib.runs import RunFolder
from crmlib.sources.tombstones import CARD, email_form, name_birth_form, national_id_form, record_form

NAME = ("full_name", "given_name", "surnames", "surname_1", "surname_2")
ADDRESS = ("address_line", "street_type", "street", "house_number", "unit")
VALUES = ("source", "source_record_id", "email", "phone", "national_id", "loyalty_card", "birth_date", *NAME, *ADDRESS)
WAYS = ("id", "email", "phone", "national_id")
CUSTOMER_ID = re.compile(r"c[0-9a-f]{16}")
#: Customer ids told where a value is several people's.
MOST_TOLD = 5

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


def find_person(engine: Engine, runs: list[RunFolder], kind: str, form: str, country: str) -> Person | None:
    """Find who is meant, in every run.

    Parameters
    ----------
    engine : Engine
    runs : list of RunFolder
        The latest first: it says who is who, and an earlier one only of records that no later one knows.
    kind, form : str
        As `read_request` gives them.
    country : str

    Returns
    -------
    Person or None
        None if nobody is held.

    Raises
    ------
    InputError
        If several customers have the value.
    """
    person = Person()
    for folder in runs:
        person.records = _find_records(engine, folder, kind, form, country)
        if person.records:
            break
    else:
        return None
    _gather_records(engine, runs, person)
    _gather_values(engine, runs, person, country)
    return person


def _find_records(engine: Engine, folder: RunFolder, kind: str, form: str, country: str) -> list[Record]:
    """The records of the one customer of a run who is meant."""
    identities = find_table(folder, "identities")
    if kind == "id":
        named = f"customer_id = {literal(form)} OR source || ':' || source_record_id = {literal(form)}"
        if ":" not in form:
            named += f" OR source_record_id = {literal(form)}"
        found = _take(engine, f"SELECT source, source_record_id FROM {identities} WHERE {named}") if identities else []
    else:
        rows = _find_alike(engine, [folder], {kind: {form}})
        found = sorted({_record(row) for row in rows if form in _forms_of(row, country).get(kind, ())})
    if not found or identities is None:
        return found
    _register(engine, "asked_records", found)
    ids = [
        row["customer_id"]
        for row in engine.rows(
            f"SELECT DISTINCT customer_id FROM {identities} "
            "SEMI JOIN asked_records USING (source, source_record_id) ORDER BY 1"
        )
    ]
    if len(ids) > 1:
        told = ", ".join(ids[:MOST_TOLD]) + (", …" if len(ids) > MOST_TOLD else "")
        raise InputError(
            f"{len(ids)} customers have this {kind.replace('_', ' ')} ({told}): nothing was done. "
            "Ask by the customer's id, or by what only one of them has."
        )
    if not ids:
        return found
    return _take(engine, f"SELECT source, source_record_id FROM {identities} WHERE customer_id = {literal(ids[0])}")


def _gather_records(engine: Engine, runs: list[RunFolder], person: Person) -> None:
    """The customers of each run who hold the person's records, and records that only an earlier run knows."""
    records = set(person.records)
    engine.execute("CREATE OR REPLACE TABLE judged_records (source VARCHAR, source_record_id VARCHAR)")
    for folder in runs:
        identities = find_table(folder, "identities")
        if identities is None:
            continue
        _register(engine, "asked_records", sorted(records))
        theirs = (
            f"SELECT DISTINCT customer_id FROM {identities} SEMI JOIN asked_records USING (source, source_record_id)"
        )
        person.customers[folder.run_id] = sorted(row["customer_id"] for row in engine.rows(theirs))
        records |= set(
            _take(
                engine,
                f"SELECT source, source_record_id FROM {identities} WHERE customer_id IN ({theirs}) "
                "AND (source, source_record_id) NOT IN (SELECT source, source_record_id FROM judged_records)",
            )
        )
        engine.execute(
            f"INSERT INTO judged_records SELECT source, source_record_id FROM {identities} "
            "ANTI JOIN judged_records USING (source, source_record_id)"
        )
    person.records = sorted(records)


def _gather_values(engine: Engine, runs: list[RunFolder], person: Person, country: str) -> None:
    """The person's values in every version of their records, told apart from those that others have, too."""
    theirs = _read_records(engine, runs, person.records)
    given: dict[str, set[str]] = {}
    for row in theirs:
        for kind, forms in _forms_of(row, country).items():
            given.setdefault(kind, set()).update(forms)
    given.setdefault("card", set()).update(name for source, name in person.records if source == CARD)
    _gather_named(engine, runs, person, given)
    records = set(person.records)
    others: dict[str, set[str]] = {}
    for row in _find_alike(engine, runs, given):
        if _record(row) in records:
            continue
        held = _forms_of(row, country)
        alike = any(held.get(kind, set()) & given.get(kind, set()) for kind in ("email", "national_id"))
        if alike and not _is_judged(engine, row):
            # a record that no run has given to anybody is the person's whose e-mail or id it holds
            records.add(_record(row))
            theirs.append(row)
            continue
        for kind, values in held.items():
            others.setdefault(kind, set()).update(values)
    person.records = sorted(records)
    person.own = {kind: values - others.get(kind, set()) for kind, values in given.items()}
    person.shared = {kind: len(values & others.get(kind, set())) for kind, values in given.items()}
    for row in theirs:
        _keep_spelled(person, row, country)
    _make_tombstones(person)


def _gather_named(engine: Engine, runs: list[RunFolder], person: Person, given: dict[str, set[str]]) -> None:
    """Values by which purchases and visits name the person: cards, addresses, visitors."""
    _register(engine, "asked_records", person.records)
    for folder in runs:
        for table, column, kind in (
            ("tickets", "loyalty_card", "card"),
            ("tickets", "buyer_email", "email"),
            ("web_events", "visitor_id", "visitor"),
        ):
            scan = find_table(folder, table)
            if scan is None:
                continue
            named = f"SELECT record_source, source_record_id, {column} FROM {scan} WHERE {column} IS NOT NULL"
            theirs = "SELECT source, source_record_id FROM asked_records"
            found = engine.rows(
                f"SELECT {column} AS key, bool_or((record_source, source_record_id) IN ({theirs})) AS theirs, "
                f"bool_or(record_source IS NOT NULL AND (record_source, source_record_id) NOT IN ({theirs})) AS others "
                f"FROM ({named}) GROUP BY {column} HAVING theirs"
            )
            values = given.setdefault(kind, set())
            for row in found:
                form = use_email(row["key"])[0] if kind == "email" else row["key"]
                if form is not None and not (kind == "visitor" and row["others"]):
                    values.add(form)


def _find_alike(engine: Engine, runs: list[RunFolder], given: dict[str, set[str]]) -> list[Row]:
    """Records of any run that might hold any of some values; looser than the values' one form."""
    digits = "regexp_replace({}, '[^0-9]', '', 'g')"
    tests = [f"contains(lower(email), {literal(value.partition('@')[0])})" for value in given.get("email", ())]
    tests += [f"contains({digits.format('phone')}, {literal(value[-7:])})" for value in given.get("phone", ())]
    tests += [
        f"contains(upper(regexp_replace(national_id, '{SEPARATORS}', '', 'g')), {literal(value.lstrip('0'))})"
        for value in given.get("national_id", ())
    ]
    tests += [f"trim(loyalty_card) = {literal(value)}" for value in given.get("card", ())]
    tests += [f"birth_date = DATE {literal(value.rpartition('|')[2])}" for value in given.get("name_birth", ())]
    return _read_versions(engine, runs, " OR ".join(tests)) if tests else []


def _read_records(engine: Engine, runs: list[RunFolder], records: list[Record]) -> list[Row]:
    _register(engine, "asked_records", records)
    return _read_versions(
        engine, runs, "(source, source_record_id) IN (SELECT source, source_record_id FROM asked_records)"
    )


def _read_versions(engine: Engine, runs: list[RunFolder], condition: str) -> list[Row]:
    """Versions of records that meet a condition, each once; a file that several runs hold is read once."""
    rows: dict[tuple[Any, ...], Row] = {}
    seen: set[tuple[int, int]] = set()
    for folder in runs:
        path = folder.tables / "source_records.parquet"
        scan = find_table(folder, "source_records")
        if scan is None or (inode := (path.stat().st_dev, path.stat().st_ino)) in seen:
            continue
        seen.add(inode)
        columns = show_as_today(engine, scan, VALUES)
        for row in engine.rows(f"SELECT DISTINCT {columns} FROM {scan} WHERE {condition}"):
            rows[tuple(row.values())] = row
    return list(rows.values())


def _forms_of(row: Row, country: str) -> dict[str, set[str]]:
    """A record's values in their one form, by kind."""
    forms = {
        "email": use_email(row["email"])[0],
        "phone": use_phone(row["phone"], country)[0],
        "national_id": use_national_id(row["national_id"], country)[0],
        "card": (row["loyalty_card"] or "").strip() or None,
        "name_birth": name_birth_form(row["birth_date"], *(row[name] for name in NAME)),
    }
    return {kind: {form} for kind, form in forms.items() if form is not None}


def _keep_spelled(person: Person, row: Row, country: str) -> None:
    forms = _forms_of(row, country)
    for kind, column in (("email", "email"), ("phone", "phone"), ("national_id", "national_id")):
        if row[column] and forms.get(kind, set()) & person.own.get(kind, set()):
            person.spelled.setdefault(kind, set()).add(row[column].strip())
    whole = row["full_name"] or " ".join(filter(None, (row[name] for name in NAME[1:])))
    street = row["address_line"] or " ".join(filter(None, (row[name] for name in ADDRESS[1:])))
    for kind, text in (("name", whole), ("address", street)):
        if len(text or "") > 5:
            person.spelled.setdefault(kind, set()).add(text.strip())


def _make_tombstones(person: Person) -> None:
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


def _is_judged(engine: Engine, row: Row) -> bool:
    found = engine.row(
        "SELECT count(*) AS n FROM judged_records WHERE source = $source AND source_record_id = $record",
        source=row["source"],
        record=row["source_record_id"],
    )
    return bool(found["n"])


def _record(row: Row) -> Record:
    return row["source"], row["source_record_id"]


def _take(engine: Engine, sql: str) -> list[Record]:
    return sorted({_record(row) for row in engine.rows(sql)})


def _register(engine: Engine, name: str, records: Iterable[Record]) -> None:
    listed = list(records)
    columns = {"source": [source for source, _ in listed], "source_record_id": [record for _, record in listed]}
    engine.register(name, pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns])))
