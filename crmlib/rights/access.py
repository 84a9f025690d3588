"""Access: everything that is kept about a person, in every run, as JSON and as a page to be read."""

from __future__ import annotations

import html
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.rights.documents import find_in_document, make_needles
from crmlib.rights.kept import list_documents, list_runs
from crmlib.rights.matching import find_tables
from crmlib.rights.person import Person, read_request
from crmlib.rights.search import find_person
from crmlib.rights.settings import MEMORY, Settings, tell_nobody
from crmlib.runs import RunFolder, RunStore
from crmlib.tables import CONTRACTS

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{border:1px solid #767676;padding:.25rem .5rem;"
    "text-align:left;vertical-align:top}div{overflow-x:auto}caption{text-align:left;font-weight:600;padding:.25rem 0}"
)


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
        to / "access.html": _write_page(today, held),
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
                "meaning": contract.meaning if contract else "Rows as they were delivered, or were sent.",
                "rows": engine.rows(held.removal.found(held.table.rows)),
            }
        documents = {
            str(path.relative_to(folder.path)): passages
            for path in list_documents(folder)
            if (passages := find_in_document(path, needles))
        }
        if tables or documents:
            told = {"run": folder.run_id, "as_of_date": manifest["as_of_date"], "status": manifest["status"]}
            whole.append({**told, "tables": tables, "documents": documents})
    return whole


def _write_page(today: date, held: list[dict[str, Any]]) -> str:
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What is kept about you</title>',
        f"<style>{STYLE}</style></head><body><main><h1>What is kept about you</h1>",
        f"<p>Written on {today.isoformat()}. Each part is a state of the data at its date, the latest first; "
        "a table that did not change since is named once.</p>",
    ]
    for run in held:
        parts.append(f"<h2>{_text(run['run'])}, as of {_text(run['as_of_date'])} ({_text(run['status'])})</h2>")
        for place, table in run["tables"].items():
            parts.append(f"<h3>{_text(Path(place).stem)}</h3>")
            if "same_as" in table:
                parts.append(f"<p>The same as {_text(table['same_as'])}.</p>")
            else:
                parts.append(_write_table(table))
        for place, passages in run["documents"].items():
            listed = "".join(f"<li>{_text(passage)}</li>" for passage in passages)
            parts.append(f"<h3>{_text(place)}</h3><ul>{listed}</ul>")
    return "".join(parts) + "</main></body></html>\n"


def _write_table(table: dict[str, Any]) -> str:
    rows = table["rows"]
    # what is empty in every row says nothing
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    contract = CONTRACTS.get(table["table"])

    def meaning(name: str) -> str:
        column = contract.column(name) if contract else None
        return f' title="{_text(column.meaning)}"' if column else ""

    head = "".join(f'<th scope="col"{meaning(name)}>{_text(name)}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td>{_text(row[name])}</td>" for name in names) + "</tr>" for row in rows)
    return (
        f"<div><table><caption>{_text(table['meaning'])}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _text(value: Any) -> str:
    return "" if value is None else html.escape(str(value))
