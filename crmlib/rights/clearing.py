"""Carrying an erasure out: files rewritten without the person, manifests brought in step, tombstones, and the proof.

Whatever moment it is killed at, doing it again ends in the same state: each file is replaced whole, and what is done
already finds nothing more to do.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import date
from pathlib import Path

from crmlib.engine import Engine, quote
from crmlib.files import hash_file, sync_folder, write_atomically
from crmlib.permission.erasure import Removal
from crmlib.rights.documents import Needles, clean_document, find_in_document, make_needles
from crmlib.rights.kept import KeptTable, list_documents, list_runs, list_tables, scan_file
from crmlib.rights.matching import prepare_texts, tell_meant
from crmlib.rights.person import Person
from crmlib.rights.plans import Plan
from crmlib.rights.settings import Settings
from crmlib.run_folder import RunFolder, clear_unfinished
from crmlib.runs import JOURNAL, RunStore
from crmlib.sources.tombstones import Tombstones, open_tombstones
from crmlib.tables import CONTRACTS

#: Where the proofs lie, beside the runs.
PROOFS = "erasures"

#: A file as it was, and what went of it -> where it now lies.
Rewritten = dict[tuple[tuple[int, int], Removal], Path]


def carry_out(engine: Engine, store: RunStore, settings: Settings, plan: Plan) -> Path:
    """Do what a plan says; killed at any moment, doing it again ends in the same state.

    Returns
    -------
    Path
        The proof.
    """
    person = plan.who
    journal = store.directory / JOURNAL
    _write_private(journal, json.dumps(asdict(plan)))
    tombstones = open_tombstones(settings.params.privacy, settings.params_file)
    told = [(kind, tombstones.hash(kind, form)) for kind, form in person.tombstones]
    tombstones.append(told, date.fromisoformat(plan.erased_on))
    needles = make_needles(person)
    prepare_texts(engine, person)
    rewritten: Rewritten = {}
    for folder in list_runs(store):
        places = {step.place for step in plan.steps if step.run == folder.run_id}
        clear_unfinished(folder)
        if places:
            _clean_run(engine, folder, person, needles, places, rewritten)
    proof = _write_proof(store, tombstones, person, plan)
    journal.unlink()
    sync_folder(store.directory)
    return proof


def next_number(store: RunStore) -> int:
    """The number of the next erasure."""
    return 1 + max((int(path.stem) for path in (store.directory / PROOFS).glob("*.json")), default=0)


def _clean_run(
    engine: Engine, folder: RunFolder, person: Person, needles: Needles, places: set[str], rewritten: Rewritten
) -> None:
    meant = tell_meant(person, folder.run_id)
    tables = [table for table in list_tables(folder) if table.place in places]
    for table in tables:
        removal = table.find_removal(meant, person.expired)
        assert removal is not None
        _rewrite(engine, table, removal, rewritten)
    for parent in {table.path.parent for table in tables}:
        sync_folder(parent)
    _keep_facts(engine, folder, tables)
    for path in list_documents(folder):
        if find_in_document(path, needles):
            cleaned = clean_document(path, needles)
            if cleaned is None:
                path.unlink()
            else:
                _replace(path, cleaned)


def _rewrite(engine: Engine, table: KeptTable, removal: Removal, rewritten: Rewritten) -> None:
    """Write a table without the person; a file that several runs link is written once, and linked again."""
    same = table.inode, removal
    beside = table.path.with_name(f".{table.path.name}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    if same in rewritten:
        os.link(rewritten[same], beside)
    elif engine.row(f"SELECT EXISTS ({removal.found(table.rows)}) AS any")["any"]:
        mode = table.path.stat().st_mode & 0o777
        engine.copy(removal.rest(table.rows), beside)
        beside.chmod(mode)
        _sync(beside)
    else:
        return
    beside.replace(table.path)
    rewritten[same] = table.path


def _keep_facts(engine: Engine, folder: RunFolder, tables: list[KeptTable]) -> None:
    """Bring the manifest in step with rewritten tables."""
    held = folder.manifest()["tables"]
    changed = {}
    for table in tables:
        entry = str(table.path.relative_to(folder.path).with_suffix("")).removeprefix("tables/")
        facts, sha256 = held.get(entry), hash_file(table.path)
        if facts is None or facts["sha256"] == sha256:
            continue
        scan = scan_file(table.path)
        rows = int(engine.row(f"SELECT count(*) AS n FROM {scan}")["n"])
        changed[entry] = {**facts, "sha256": sha256, "bytes": table.path.stat().st_size, "rows": rows}
        if "superseded" in facts:
            keys = ", ".join(quote(name) for name in CONTRACTS[table.name].key[:-1])
            lasting = engine.row(f"SELECT count(*) AS n FROM (SELECT DISTINCT {keys} FROM {scan})")["n"]
            changed[entry]["superseded"] = rows - int(lasting)
    if changed:
        folder.update(lambda manifest: manifest["tables"].update(changed))


def _write_proof(store: RunStore, tombstones: Tombstones, person: Person, plan: Plan) -> Path:
    """Write what was removed where, without any value of the person."""
    folder = store.directory / PROOFS
    folder.mkdir(mode=0o700, exist_ok=True)
    counts = {kind: sum(one == kind for one, _ in person.tombstones) for kind in dict(person.tombstones)}
    proof = {
        "erasure": plan.number,
        "erased_on": plan.erased_on,
        "tombstones": [tombstones.hash(kind, form) for kind, form in person.tombstones],
        "tombstones_by_kind": counts,
        "records": len(person.records),
        "shared_values_that_stay_with_others": {kind: n for kind, n in person.shared.items() if n},
        "removed": [asdict(step) for step in plan.steps],
    }
    path = folder / f"{plan.number:05d}.json"
    write_atomically(path, json.dumps(proof, indent=2) + "\n")
    path.chmod(0o600)
    return path


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.write_bytes(content)
    beside.chmod(path.stat().st_mode & 0o777)
    _sync(beside)
    beside.replace(path)
    sync_folder(path.parent)


def _write_private(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}-begun")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    _sync(beside)
    beside.replace(path)
    sync_folder(path.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
