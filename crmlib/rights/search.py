"""Whom a request means: the customers and records behind it in every run, and which of their values are theirs alone.

Conditions name values and not tables of values, so that a reader skips the blocks of a file that hold none of them; a
file that several runs hold is read once.
"""

from __future__ import annotations

from crmlib.engine import Engine, literal
from crmlib.errors import InputError
from crmlib.identity.usable import use_email
from crmlib.permission.erasure import match_any, match_records, squeeze
from crmlib.rights.kept import find_table, list_files, scan_file, show_as_today
from crmlib.rights.person import VALUES, Person, Record, Row, forms_of, keep_spelled, make_tombstones
from crmlib.run_folder import RunFolder
from crmlib.sources.tombstones import CARD

#: Customer ids told where a value is several people's.
MOST_TOLD = 5
#: Columns by which purchases and visits name people.
NAMED = (
    ("tickets", "loyalty_card", "card"),
    ("tickets", "buyer_email", "email"),
    ("web_events", "visitor_id", "visitor"),
)


def find_person(engine: Engine, runs: list[RunFolder], kind: str, form: str, country: str) -> Person | None:
    """Find who is meant, in every run.

    Parameters
    ----------
    engine : Engine
    runs : list of RunFolder
        The latest first: it says who is who, and an earlier one only of records that no later one knows.
    kind, form : str
        As `crmlib.rights.person.read_request` gives them.
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
        if identities is None:
            return []
        named = [f"customer_id = {literal(form)}"]
        source, colon, name = form.partition(":")
        named += [match_records([(source, name)])] if colon else [f"source_record_id = {literal(form)}"]
        found = [row for one in named for row in _take(engine, identities, one)]
    else:
        rows = _find_alike(engine, [folder], {kind: {form}})
        found = [_record(row) for row in rows if form in forms_of(row, country).get(kind, ())]
    if not found or identities is None:
        return sorted(set(found))
    ids = _list_customers(engine, identities, found)
    if len(ids) > 1:
        told = ", ".join(ids[:MOST_TOLD]) + (", …" if len(ids) > MOST_TOLD else "")
        raise InputError(
            f"{len(ids)} customers have this {kind.replace('_', ' ')} ({told}): nothing was done. "
            "Ask by the customer's id, or by what only one of them has."
        )
    if not ids:
        return sorted(set(found))
    return _take(engine, identities, match_any("customer_id", ids))


def _gather_records(engine: Engine, runs: list[RunFolder], person: Person) -> None:
    """The customers of each run who hold the person's records, and records that only an earlier run knows."""
    records = set(person.records)
    for place, folder in enumerate(runs):
        identities = find_table(folder, "identities")
        if identities is None:
            continue
        ids = _list_customers(engine, identities, records)
        person.customers[folder.run_id] = ids
        if ids:
            found = set(_take(engine, identities, match_any("customer_id", ids))) - records
            records |= found - _find_judged(engine, runs[:place], found)
    person.records = sorted(records)


def _gather_values(engine: Engine, runs: list[RunFolder], person: Person, country: str) -> None:
    """The person's values in every version of their records, told apart from those that others have, too."""
    theirs = _read_versions(engine, runs, match_records(person.records))
    given: dict[str, set[str]] = {}
    for row in theirs:
        for kind, forms in forms_of(row, country).items():
            given.setdefault(kind, set()).update(forms)
    given.setdefault("card", set()).update(name for source, name in person.records if source == CARD)
    _gather_named(engine, runs, person, given)
    records = set(person.records)
    others: dict[str, set[str]] = {}
    strangers = [row for row in _find_alike(engine, runs, given) if _record(row) not in records]
    judged = _find_judged(engine, runs, {_record(row) for row in strangers})
    for row in strangers:
        held = forms_of(row, country)
        alike = any(held.get(kind, set()) & given.get(kind, set()) for kind in ("email", "national_id"))
        if alike and _record(row) not in judged:
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
        keep_spelled(person, row, country)
    make_tombstones(person)


def _gather_named(engine: Engine, runs: list[RunFolder], person: Person, given: dict[str, set[str]]) -> None:
    """Values by which purchases and visits name the person: cards, addresses, visitors; of these only a lone one's."""
    theirs = match_records(person.records, "record_source")
    for table, column, kind in NAMED:
        files = list_files(runs, table)
        found = {value for path in files for value in _list_values(engine, scan_file(path), column, theirs)}
        if kind == "visitor" and found:
            others = f"record_source IS NOT NULL AND NOT {theirs} AND {match_any(column, found)}"
            found -= {value for path in files for value in _list_values(engine, scan_file(path), column, others)}
        forms = {use_email(value)[0] if kind == "email" else value for value in found}
        given.setdefault(kind, set()).update(form for form in forms if form is not None)


def _find_alike(engine: Engine, runs: list[RunFolder], given: dict[str, set[str]]) -> list[Row]:
    """Records of any run that might hold any of some values; looser than the values' one form."""
    digits = "regexp_replace(phone, '[^0-9]', '', 'g')"
    tests = [f"contains(lower(email), {literal(value.partition('@')[0])})" for value in given.get("email", ())]
    tests += [f"contains({digits}, {literal(value[-7:])})" for value in given.get("phone", ())]
    tests += [
        f"contains({squeeze('national_id')}, {literal(value.lstrip('0').lower())})"
        for value in given.get("national_id", ())
    ]
    tests += [f"trim(loyalty_card) = {literal(value)}" for value in given.get("card", ())]
    tests += [f"birth_date = DATE {literal(value.rpartition('|')[2])}" for value in given.get("name_birth", ())]
    return _read_versions(engine, runs, " OR ".join(tests)) if tests else []


def _read_versions(engine: Engine, runs: list[RunFolder], condition: str) -> list[Row]:
    """Versions of records that meet a condition, each once."""
    rows: dict[tuple[object, ...], Row] = {}
    for path in list_files(runs, "source_records"):
        shown = f"SELECT {show_as_today(path, VALUES)} FROM {scan_file(path)}"
        for row in engine.rows(f"SELECT DISTINCT * FROM ({shown}) WHERE {condition}"):
            rows[tuple(row.values())] = row
    return list(rows.values())


def _find_judged(engine: Engine, runs: list[RunFolder], records: set[Record]) -> set[Record]:
    """Those of some records that any of some runs has given to somebody."""
    if not records:
        return set()
    files = list_files(runs, "identities")
    return {one for path in files for one in _take(engine, scan_file(path), match_records(records))}


def _list_customers(engine: Engine, identities: str, records: set[Record] | list[Record]) -> list[str]:
    return sorted(_list_values(engine, identities, "customer_id", match_records(records)))


def _list_values(engine: Engine, scan: str, column: str, condition: str) -> set[str]:
    named = f"SELECT DISTINCT {column} AS value FROM {scan} WHERE {column} IS NOT NULL AND {condition}"
    return {row["value"] for row in engine.rows(named)}


def _take(engine: Engine, identities: str, condition: str) -> list[Record]:
    rows = engine.rows(f"SELECT source, source_record_id FROM {identities} WHERE {condition}")
    return sorted({_record(row) for row in rows})


def _record(row: Row) -> Record:
    return row["source"], row["source_record_id"]
