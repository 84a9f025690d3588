"""Forgetting a person: removed from every kept run, kept from coming back, and proven.

What is to be done is written down before anything is, so that an erasure that was killed is ended by the next call as
if nothing had happened; meanwhile no run begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.permission.retention import expire_rows, list_due_customers
from crmlib.rights.clearing import carry_out, next_number
from crmlib.rights.kept import find_table, list_runs
from crmlib.rights.person import Person, read_request
from crmlib.rights.plans import make_plan, read_plan, tell_plan
from crmlib.rights.search import find_person
from crmlib.rights.settings import MEMORY, Settings, tell_nobody
from crmlib.run_folder import RunFolder
from crmlib.runs import JOURNAL, RunStore

#: People whose time is over that go in one erasure.
MOST_AT_ONCE = 200

Tell = Callable[[str], None]


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
            plan = make_plan(engine, runs, person, next_number(store), today)
            for line in tell_plan(plan):
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
            plan = make_plan(engine, list_runs(store), person, next_number(store), today)
            for line in tell_plan(plan) or ["Nothing is due."]:
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


def _end_killed(store: RunStore, settings: Settings, tell: Tell) -> Path | None:
    """End an erasure that was killed; None if there is none."""
    journal = store.directory / JOURNAL
    if not journal.stat().st_size:
        return None
    plan = read_plan(json.loads(journal.read_text(encoding="utf-8")))
    tell(f"The erasure {plan.number} had been interrupted; it is ended now.")
    engine = Engine(threads=2, memory_limit=MEMORY)
    try:
        return carry_out(engine, store, settings, plan)
    finally:
        engine.close()
