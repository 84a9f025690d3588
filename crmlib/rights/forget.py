"""Forgetting a person: removed from every kept run, kept from coming back, and proven.

What is to be done is written down before anything is, so that an erasure that was killed is ended by the next call as
if nothing had happened; meanwhile no run begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, quote
from crmlib.errors import InputError
from crmlib.params import Params
from crmlib.permission.retention import expire_rows, list_due_customers
from crmlib.rights.documents import Needles, clean_document, find_in_document, make_needles
from crmlib.rights.kept import KeptTable, find_table, list_documents, list_runs, list_tables, scan_file
from crmlib.rights.matching import find_tables, prepare
from crmlib.rights.person import Person, asked_tombstone, find_person, read_request
from crmlib.runs import JOURNAL, RunFolder, RunStore, clear_unfinished, hash_file, sync_folder, write_atomically
from crmlib.sources.tombstones import Tombstones, open_tombstones, read_tombstones
from crmlib.tables import CONTRACTS

#: Where the proofs lie, beside the runs.
PROOFS = "erasures"
MEMORY = "1GB"
#: People whose time is over that go in one erasure.
MOST_AT_ONCE = 200

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What an erasure needs to know of the params.

    Parameters
    ----------
    params : Params
    params_file : Path
    """

    params: Params
    params_file: Path

    @property
    def country(self) -> str:
        """Country of phones and ids that do not say theirs."""
        return self.params.run.country


@dataclass
class Step:
    """What is removed from one file of a run.

    Parameters
    ----------
    run, place : str
    rows : int
        Rows of a table, or passages of a document.
    action : str
        ``removed`` or ``made anonymous``.
    """

    run: str
    place: str
    rows: int
    action: str


@dataclass
class Plan:
    """An erasure, as it is written down before it begins.

    Parameters
    ----------
    number : int
    erased_on : str
    person : dict
        `Person` as plain data.
    steps : list of Step
    """

    number: int
    erased_on: str
    person: dict[str, Any]
    steps: list[Step] = field(default_factory=list)


def read_settings(store: RunStore, params_file: Path | None) -> Settings:
    """The params by which the kept runs were made, or those of a file.

    Raises
    ------
    InputError
        If there are no runs, or the params file is where it was no more.
    """
    from crmlib.params import load_params

    if params_file is not None:
        return Settings(load_params(params_file), params_file)
    runs = list_runs(store)
    if not runs:
        raise InputError(f"{store.directory}: there are no runs, so nobody is held.")
    manifest = runs[0].manifest()
    path = Path(manifest["params_file"])
    if not path.parent.is_dir():
        raise InputError(f"The params file {path} is not there any more; name it: --params FILE.yaml.")
    return Settings(Params.model_validate(manifest["params"]), path)


def forget(
    store: RunStore, asked: str, by: str | None, settings: Settings, today: date, *, dry_run: bool, tell: Tell
) -> Path | None:
    """Erase a person from every kept run.

    Parameters
    ----------
    store : RunStore
    asked : str
        Customer id, ``source:id``, e-mail, phone or national id.
    by : str or None
        Which of them; None: as it looks.
    settings : Settings
    today : datetime.date
    dry_run : bool
        Only tell what would be removed.
    tell : callable
        Takes a sentence.

    Returns
    -------
    Path or None
        The proof; None for a dry run.

    Raises
    ------
    InputError
        If nobody is held, or several are.
    ConflictError
        If a run is being written.
    """
    kind, form = read_request(asked, by, settings.country)
    with store.alone():
        ended = _end_killed(store, settings, tell)
        engine = Engine(threads=2, memory_limit=MEMORY)
        try:
            runs = list_runs(store)
            person = find_person(engine, runs, kind, form, settings.country)
            if person is None and ended is not None:
                return ended
            if person is None:
                raise InputError(tell_nobody(kind, form, settings))
            plan = Plan(_next_number(store), today.isoformat(), _dump(person))
            plan.steps = _make_steps(engine, runs, person)
            for line in _summarise(plan):
                tell(line)
            if dry_run:
                tell("Nothing was done: this was a dry run.")
                return None
            return carry_out(engine, store, settings, plan)
        finally:
            engine.close()


def forget_due(store: RunStore, settings: Settings, today: date, *, dry_run: bool, tell: Tell) -> Path | None:
    """Erase what is kept longer than params say, by the published run: whole people, and rows that are old.

    Returns
    -------
    Path or None
        The proof; None for a dry run, or where nothing is due.

    Raises
    ------
    InputError
        If params set no periods.
    ConflictError
        If a run is being written.
    """
    rules = settings.params.retention
    if not rules:
        raise InputError(f"{settings.params_file}: retention: sets no periods, so nothing is due.")
    with store.alone():
        _end_killed(store, settings, tell)
        engine = Engine(threads=2, memory_limit=MEMORY)
        try:
            latest = store.get("latest")
            as_of = date.fromisoformat(latest.manifest()["as_of_date"])
            person = _find_due(engine, store, settings, latest, as_of, tell)
            plan = Plan(_next_number(store), today.isoformat(), _dump(person))
            plan.steps = _make_steps(engine, list_runs(store), person)
            for line in _summarise(plan) or ["Nothing is due."]:
                tell(line)
            if dry_run or not plan.steps:
                return None
            return carry_out(engine, store, settings, plan)
        finally:
            engine.close()


def _find_due(
    engine: Engine, store: RunStore, settings: Settings, latest: RunFolder, as_of: date, tell: Tell
) -> Person:
    rules = settings.params.retention
    for name in ("customers", "identities", "consent_events"):
        scan = find_table(latest, name)
        if scan is None:
            raise InputError(f"The run {latest.run_id} has no table {name}, so what is due cannot be told.")
        engine.view(name, f"SELECT * FROM {scan}")
    due = list_due_customers(engine, rules, as_of)
    if len(due) > MOST_AT_ONCE:
        tell(f"{len(due):,} people are due; {MOST_AT_ONCE} of them go now: call again for the others.")
    whole = Person(expired=dict(filter(None, (expire_rows(rule, as_of) for rule in rules))))
    runs = list_runs(store)
    for customer in due[:MOST_AT_ONCE]:
        person = find_person(engine, runs, "id", customer, settings.country)
        assert person is not None
        whole.join(person)
    return whole


def carry_out(engine: Engine, store: RunStore, settings: Settings, plan: Plan) -> Path:
    """Do what a plan says; killed at any moment, doing it again ends in the same state.

    Returns
    -------
    Path
        The proof.
    """
    person = Person(**_load(plan.person))
    journal = store.directory / JOURNAL
    _write_private(journal, json.dumps(asdict(plan)))
    tombstones = open_tombstones(settings.params.privacy, settings.params_file)
    told = [(kind, tombstones.hash(kind, form)) for kind, form in person.tombstones]
    tombstones.append(told, date.fromisoformat(plan.erased_on))
    needles = make_needles(person)
    rewritten: dict[tuple[int, int, str], Path] = {}
    for folder in list_runs(store):
        places = {step.place for step in plan.steps if step.run == folder.run_id}
        clear_unfinished(folder)
        if places:
            _clean_run(engine, folder, person, needles, places, rewritten)
    proof = _write_proof(store, tombstones, person, plan)
    journal.unlink()
    sync_folder(store.directory)
    return proof


def tell_nobody(kind: str, form: str, settings: Settings) -> str:
    """The sentence about somebody who is not held."""
    tombstones = read_tombstones(settings.params.privacy, settings.params_file)
    asked = asked_tombstone(kind, form, settings.country)
    was_erased = tombstones is not None and any(tombstones.holds(*one) for one in asked)
    more = " Somebody so named was erased, and is stopped at the door." if was_erased else ""
    return f"No kept run holds anybody by this {kind.replace('_', ' ')}; nothing was done.{more}"


def _make_steps(engine: Engine, runs: list[RunFolder], person: Person) -> list[Step]:
    needles = make_needles(person)
    steps = []
    for folder in runs:
        for table, rows in find_tables(engine, folder, person):
            removal = table.find_removal(person.expired)
            blank = removal is not None and removal.blank
            steps.append(Step(folder.run_id, table.place, rows, "made anonymous" if blank else "removed"))
        for path in list_documents(folder):
            if passages := find_in_document(path, needles):
                place = needles.take_out(str(path.relative_to(folder.path)))
                steps.append(Step(folder.run_id, place, len(passages), "removed"))
    return steps


def _clean_run(
    engine: Engine,
    folder: RunFolder,
    person: Person,
    needles: Needles,
    places: set[str],
    rewritten: dict[tuple[int, int, str], Path],
) -> None:
    prepare(engine, person, folder.run_id)
    customers = ",".join(person.customers.get(folder.run_id, []))
    tables = [table for table in list_tables(engine, folder) if table.place in places]
    for table in tables:
        _rewrite(engine, table, person, (*table.inode, customers), rewritten)
    _keep_facts(engine, folder, tables)
    for path in list_documents(folder):
        if find_in_document(path, needles):
            cleaned = clean_document(path, needles)
            if cleaned is None:
                path.unlink()
            else:
                _replace(path, cleaned)


def _rewrite(
    engine: Engine,
    table: KeptTable,
    person: Person,
    same: tuple[int, int, str],
    rewritten: dict[tuple[int, int, str], Path],
) -> None:
    """Write a table without the person; a file that several runs link is written once, and linked again."""
    removal = table.find_removal(person.expired)
    assert removal is not None
    if not engine.row(f"SELECT EXISTS ({removal.found(table.rows)}) AS any")["any"]:
        return
    beside = table.path.with_name(f".{table.path.name}-{os.getpid()}")
    mode = table.path.stat().st_mode & 0o777
    beside.unlink(missing_ok=True)
    if same in rewritten:
        os.link(rewritten[same], beside)
    else:
        engine.copy(removal.rest(table.rows), beside)
        beside.chmod(mode)
        _sync(beside)
    beside.replace(table.path)
    sync_folder(table.path.parent)
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


def _end_killed(store: RunStore, settings: Settings, tell: Tell) -> Path | None:
    """End an erasure that was killed; None if there is none."""
    journal = store.directory / JOURNAL
    if not journal.stat().st_size:
        return None
    read = json.loads(journal.read_text(encoding="utf-8"))
    plan = Plan(read["number"], read["erased_on"], read["person"], [Step(**step) for step in read["steps"]])
    tell(f"The erasure {plan.number} had been interrupted; it is ended now.")
    engine = Engine(threads=2, memory_limit=MEMORY)
    try:
        return carry_out(engine, store, settings, plan)
    finally:
        engine.close()


def _next_number(store: RunStore) -> int:
    return 1 + max((int(path.stem) for path in (store.directory / PROOFS).glob("*.json")), default=0)


def _summarise(plan: Plan) -> list[str]:
    by_run: dict[str, list[Step]] = {}
    for step in plan.steps:
        by_run.setdefault(step.run, []).append(step)
    lines = []
    for run, steps in by_run.items():
        gone = sum(step.rows for step in steps if step.action == "removed")
        anonymous = sum(step.rows for step in steps if step.action != "removed")
        lines.append(f"{run}: {gone:,} rows and passages in {len(steps)} files, {anonymous:,} purchases made anonymous")
    return lines


def _dump(person: Person) -> dict[str, Any]:
    plain = asdict(person)
    for name in ("own", "spelled"):
        plain[name] = {kind: sorted(values) for kind, values in plain[name].items()}
    return plain


def _load(plain: dict[str, Any]) -> dict[str, Any]:
    sets = {name: {kind: set(values) for kind, values in plain[name].items()} for name in ("own", "spelled")}
    pairs = {name: [(one, other) for one, other in plain[name]] for name in ("records", "tombstones")}
    return {**plain, **sets, **pairs}


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
