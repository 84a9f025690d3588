"""What an erasure will remove: told before anything is, and written down, so that a killed one can be ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from crmlib.engine import Engine
from crmlib.rights.documents import find_in_document, make_needles
from crmlib.rights.kept import list_documents
from crmlib.rights.matching import find_tables
from crmlib.rights.person import Person
from crmlib.run_folder import RunFolder


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

    @property
    def who(self) -> Person:
        """Whom it is about."""
        plain = self.person
        sets = {name: {kind: set(values) for kind, values in plain[name].items()} for name in ("own", "spelled")}
        pairs = {name: [(one, other) for one, other in plain[name]] for name in ("records", "tombstones")}
        return Person(**{**plain, **sets, **pairs})


def make_plan(engine: Engine, runs: list[RunFolder], person: Person, number: int, today: date) -> Plan:
    """Find what of every run goes.

    Parameters
    ----------
    engine : Engine
    runs : list of RunFolder
    person : Person
    number : int
        The erasure's.
    today : datetime.date
    """
    needles = make_needles(person)
    plain = asdict(person)
    for name in ("own", "spelled"):
        plain[name] = {kind: sorted(values) for kind, values in plain[name].items()}
    plan = Plan(number, today.isoformat(), plain)
    for folder, tables in find_tables(engine, runs, person):
        for held in tables:
            action = "made anonymous" if held.removal.blank else "removed"
            plan.steps.append(Step(folder.run_id, held.table.place, held.rows, action))
        for path in list_documents(folder):
            if passages := find_in_document(path, needles):
                place = needles.take_out(str(path.relative_to(folder.path)))
                plan.steps.append(Step(folder.run_id, place, len(passages), "removed"))
    return plan


def read_plan(plain: dict[str, Any]) -> Plan:
    """A plan as it was written down."""
    steps = [Step(**step) for step in plain["steps"]]
    return Plan(plain["number"], plain["erased_on"], plain["person"], steps)


def tell_plan(plan: Plan) -> list[str]:
    """What goes from which run, in a sentence each."""
    by_run: dict[str, list[Step]] = {}
    for step in plan.steps:
        by_run.setdefault(step.run, []).append(step)
    lines = []
    for run, steps in by_run.items():
        gone = sum(step.rows for step in steps if step.action == "removed")
        anonymous = sum(step.rows for step in steps if step.action != "removed")
        lines.append(f"{run}: {gone:,} rows and passages in {len(steps)} files, {anonymous:,} purchases made anonymous")
    return lines
