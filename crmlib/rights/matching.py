"""Which rows of a run are a person's: the tables by which `crmlib.permission.erasure` tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pyarrow as pa

from crmlib.engine import Engine
from crmlib.permission.erasure import CUSTOMERS, KEYS, RECORDS, SEPARATORS
from crmlib.rights.kept import KeptTable, list_tables
from crmlib.rights.person import Person
from crmlib.runs import RunFolder


def prepare(engine: Engine, person: Person, run_id: str) -> None:
    """Make the tables by which `crmlib.permission.erasure` tells which rows of a run are the person's."""
    records = {"source": [one for one, _ in person.records], "source_record_id": [one for _, one in person.records]}
    text = pa.string()
    engine.register(RECORDS, pa.table(records, schema=pa.schema([("source", text), ("source_record_id", text)])))
    engine.register(CUSTOMERS, pa.table({"customer_id": pa.array(person.customers.get(run_id, []), text)}))
    keys = [(kind, value) for kind, values in person.own.items() for value in values if kind != "name_birth"]
    keys += [(kind, value) for kind, values in person.spelled.items() for value in values if kind in person.own]
    spelled = [value for kind, value in keys if kind in ("email", "phone", "national_id")]
    spelled += [name for _, name in person.records] + [f"{source}:{name}" for source, name in person.records]
    keys += [("digest", hashlib.sha256(form.encode()).hexdigest()) for value in spelled for form in _written(value)]
    keys += [("digest", f"{source}:{name}") for source, name in person.records]
    columns = {"kind": pa.array([kind for kind, _ in keys], text), "written": pa.array([key for _, key in keys], text)}
    engine.register("written_keys", pa.table(columns))
    engine.execute(
        f"CREATE OR REPLACE TABLE {KEYS} AS SELECT DISTINCT kind, "
        f"regexp_replace(lower(written), '{SEPARATORS}', '', 'g') AS key FROM written_keys"
    )
    _prepare_texts(engine, person)


def find_tables(engine: Engine, folder: RunFolder, person: Person) -> Iterator[tuple[KeptTable, int]]:
    """The tables of a run that hold rows of the person, and how many."""
    prepare(engine, person, folder.run_id)
    for table in list_tables(engine, folder):
        if (removal := table.find_removal(person.expired)) is not None:
            rows = int(engine.row(f"SELECT count(*) AS n FROM ({removal.found(table.rows)})")["n"])
            if rows:
                yield table, rows


def _prepare_texts(engine: Engine, person: Person) -> None:
    """Patterns for rows kept as they were delivered: own values anywhere, ids in their source, name with address."""

    def squeeze(value: str) -> str:
        return "".join(one for one in value.lower() if one not in " .()/-")

    def escape(value: str) -> str:
        return "".join(
            one if one.isalnum() or ord(one) > 127 else f"[{one}]" if one not in "^\\[]" else f"\\{one}"
            for one in squeeze(value)
        )

    patterns: list[tuple[str | None, str, str | None]] = []
    for kind in ("email", "phone", "national_id", "card"):
        for value in person.own.get(kind, set()) | person.spelled.get(kind, set()):
            core = squeeze(value).removeprefix("+")[-9:] if kind == "phone" else value
            patterns.append((None, escape(core), None))
    patterns += [(source, f"(^|[^0-9a-z]){escape(name)}($|[^0-9a-z])", None) for source, name in person.records]
    for name in person.spelled.get("name", ()):
        patterns += [(None, escape(name), escape(address)) for address in person.spelled.get("address", ())]
    text = pa.string()
    columns = ("source", "pattern", "other")
    rows = [dict(zip(columns, row, strict=True)) for row in patterns]
    engine.register("erased_texts", pa.Table.from_pylist(rows, schema=pa.schema([(name, text) for name in columns])))


def _written(value: str) -> tuple[str, ...]:
    """A value as the makers of hashed lists may have written it."""
    return value, value.lower(), value.upper(), value.removeprefix("+"), value.replace("+", "00")
