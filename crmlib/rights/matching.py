"""Which rows of which runs are a person's, by the rule of `crmlib.permission.erasure`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from crmlib.engine import Engine
from crmlib.permission.erasure import SEPARATORS, Meant, Removal
from crmlib.rights.kept import KeptTable, list_tables
from crmlib.rights.person import Person
from crmlib.run_folder import RunFolder


@dataclass(frozen=True)
class Held:
    """A table of a run that holds rows of the person.

    Parameters
    ----------
    table : KeptTable
    removal : Removal
    rows : int
    file : tuple
        The same for the same rows in the same file, whichever runs hold it.
    """

    table: KeptTable
    removal: Removal
    rows: int
    file: tuple[tuple[int, int], Removal]


def tell_meant(person: Person, run_id: str) -> Meant:
    """Who is meant in a run."""
    keys = {kind: set(values) for kind, values in person.own.items() if kind != "name_birth"}
    for kind, values in person.spelled.items():
        if kind in keys:
            keys[kind] |= values
    spelled = [value for kind in ("email", "phone", "national_id") for value in keys.get(kind, ())]
    spelled += [name for _, name in person.records] + [f"{source}:{name}" for source, name in person.records]
    digests = {hashlib.sha256(form.encode()).hexdigest() for value in spelled for form in _written(value)}
    keys["digest"] = digests | {f"{source}:{name}" for source, name in person.records}
    squeezed = {kind: {_squeeze(value) for value in values} for kind, values in keys.items()}
    return Meant(tuple(person.records), tuple(person.customers.get(run_id, [])), squeezed)


def find_tables(engine: Engine, runs: list[RunFolder], person: Person) -> Iterator[tuple[RunFolder, list[Held]]]:
    """The tables of each run that hold rows of the person; a file that several runs hold is searched once."""
    prepare_texts(engine, person)
    counted: dict[tuple[tuple[int, int], Removal], int] = {}
    for folder in runs:
        meant, held = tell_meant(person, folder.run_id), []
        for table in list_tables(folder):
            if (removal := table.find_removal(meant, person.expired)) is None:
                continue
            file = table.inode, removal
            if file not in counted:
                found = removal.found(table.rows)
                counted[file] = int(engine.row(f"SELECT count(*) AS n FROM ({found})")["n"])
            if counted[file]:
                held.append(Held(table, removal, counted[file], file))
        yield folder, held


def prepare_texts(engine: Engine, person: Person) -> None:
    """Patterns for rows kept as they were delivered: own values anywhere, ids in their source, name with address."""

    def escape(value: str) -> str:
        return "".join(
            one if one.isalnum() or ord(one) > 127 else f"[{one}]" if one not in "^\\[]" else f"\\{one}"
            for one in _squeeze(value)
        )

    patterns: list[tuple[str | None, str, str | None]] = []
    for kind in ("email", "phone", "national_id", "card"):
        for value in person.own.get(kind, set()) | person.spelled.get(kind, set()):
            core = _squeeze(value).removeprefix("+")[-9:] if kind == "phone" else value
            patterns.append((None, escape(core), None))
    patterns += [(source, f"(^|[^0-9a-z]){escape(name)}($|[^0-9a-z])", None) for source, name in person.records]
    for name in person.spelled.get("name", ()):
        patterns += [(None, escape(name), escape(address)) for address in person.spelled.get("address", ())]
    text = pa.string()
    columns = ("source", "pattern", "other")
    rows = [dict(zip(columns, row, strict=True)) for row in patterns]
    engine.register("erased_texts", pa.Table.from_pylist(rows, schema=pa.schema([(name, text) for name in columns])))


def _squeeze(value: str) -> str:
    return "".join(one for one in value.lower() if one not in SEPARATORS)


def _written(value: str) -> tuple[str, ...]:
    """A value as the makers of hashed lists may have written it."""
    return value, value.lower(), value.upper(), value.removeprefix("+"), value.replace("+", "00")
