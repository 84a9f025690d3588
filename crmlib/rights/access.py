"""Access: everything that is kept about a person, in every run, as JSON and as a page to be read."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.rights.answer import write_page
from crmlib.rights.documents import find_in_document, make_needles
from crmlib.rights.kept import list_documents, list_runs
from crmlib.rights.matching import find_tables
from crmlib.rights.person import Person, Row, read_request
from crmlib.rights.search import find_person
from crmlib.rights.settings import MEMORY, Settings, tell_nobody
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore
from crmlib.tables import CONTRACTS

#: What stands where a row names somebody else.
ANOTHER = "(another's)"
_SIDES = (("source_l", "source_record_id_l"), ("source_r", "source_record_id_r"))


def grant_access(store: RunStore, asked: str, by: str | None, settings: Settings, today: date, to: Path) -> list[Path]:
    """Write everything that is kept about a person.

    Parameters
    ----------
    store : RunStore
    asked, by : str, str or None
        As for `crmlib.rights.forget.forget`.
    settings : Settings
    today : datetime.date
    to : Path
        A folder that is not there yet; only its owner can read it.

    Returns
    -------
    list of Path
        ``access.json`` and ``access.html``.

    Raises
    ------
    InputError
        If nobody is held, several are, or the folder is there.
    """
    if to.exists():
        raise InputError(f"--to {to}: there is such a file or folder already; name another.")
    kind, form = read_request(asked, by, settings.country)
    engine = Engine(threads=2, memory_limit=MEMORY)
    try:
        runs = list_runs(store)
        person = find_person(engine, runs, kind, form, settings.country)
        if person is None:
            raise InputError(tell_nobody(kind, form, settings))
        held = collect(engine, runs, person)
    finally:
        engine.close()
    to.mkdir(mode=0o700, parents=True)
    whole = {"written_on": today.isoformat(), "runs": held}
    files = {
        to / "access.json": json.dumps(whole, indent=2, ensure_ascii=False, default=str) + "\n",
        to / "access.html": write_page(today, held),
    }
    for path, text in files.items():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    return list(files)


def collect(engine: Engine, runs: list[RunFolder], person: Person) -> list[dict[str, Any]]:
    """Everything that is kept about a person.

    Returns
    -------
    list of dict
        For each run that holds anything: run, as_of_date, status, tables (place -> table, meaning, rows; or same_as,
        the run and place whose file it is), documents (place -> passages).
    """
    needles = make_needles(person)
    shown: dict[object, str] = {}
    whole = []
    for folder, found in find_tables(engine, runs, person):
        manifest = folder.manifest()
        tables: dict[str, Any] = {}
        for held in found:
            place = held.table.place
            if held.file in shown:
                tables[place] = {"same_as": shown[held.file]}
                continue
            shown[held.file] = f"{folder.run_id}/{place}"
            contract = CONTRACTS.get(held.table.name)
            tables[place] = {
                "table": held.table.name,
                "meaning": contract.meaning if contract else "Rows as they were delivered or sent, or worked on.",
                "rows": _hide_others(engine.rows(held.removal.found(held.table.rows)), person, folder.run_id),
            }
        documents = {
            str(path.relative_to(folder.path)): passages
            for path in list_documents(folder)
            if (passages := find_in_document(path, needles))
        }
        tables = dict(sorted(tables.items(), key=lambda entry: _place(entry[0])))
        if tables or documents:
            told = {"run": folder.run_id, "as_of_date": manifest["as_of_date"], "status": manifest["status"]}
            whole.append({**told, "tables": tables, "documents": documents})
    return whole


def _hide_others(rows: list[Row], person: Person, run_id: str) -> list[Row]:
    """A pair of records, or a merge, names somebody else, too: that is not the person's to read."""
    records, ids = set(person.records), {*person.customers.get(run_id, []), None}
    for row in rows:
        for source, record in _SIDES:
            if record in row and (row[source], row[record]) not in records:
                row[record] = ANOTHER
        for column in ("customer_id", "other_customer_id"):
            if column in row and row[column] not in ids:
                row[column] = ANOTHER
    return rows


def _place(place: str) -> tuple[int, str]:
    """Where a table stands in the answer: who one is and was, then what follows from it, then what was worked on."""
    name = Path(place).stem
    first = ("customers", "source_records", "permissions", "consent_events")
    if name in first:
        return first.index(name), place
    return len(first) + (not place.startswith("tables/")), place
