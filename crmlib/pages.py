"""A run's pages: what the manifest knows becomes the report, and nothing personal leaves in it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
from dateutil.relativedelta import relativedelta

from crmlib.engine import Engine, literal
from crmlib.files import write_atomically
from crmlib.governance import Governance, find_setting
from crmlib.report import guard
from crmlib.report.context import (
    GovernanceContext,
    Headline,
    IndexContext,
    OwnedNotebook,
    OwnedRule,
    OwnedSource,
    PageContext,
    Room,
    RunContext,
    Source,
    TableRows,
)
from crmlib.report.guard import AllowedColumn, GuardedColumn
from crmlib.report.html import render_data_dictionary, render_governance, render_index, render_page
from crmlib.run_folder import Manifest, RunFolder
from crmlib.runs import RunStore
from crmlib.tables import CONTRACTS

#: What must never stand in a page: columns of tables that hold it, by kind.
GUARDED = (
    GuardedColumn("source_records", ("email",), "email"),
    GuardedColumn("tickets", ("buyer_email",), "email"),
    GuardedColumn("source_records", ("phone",), "phone"),
    GuardedColumn("source_records", ("national_id",), "national_id"),
    GuardedColumn("source_records", ("full_name",), "name"),
    GuardedColumn("source_records", ("given_name", "surnames"), "name"),
    GuardedColumn("source_records", ("given_name", "surname_1"), "name"),
    GuardedColumn("source_records", ("given_name", "surname_1", "surname_2"), "name"),
    GuardedColumn("source_records", ("address_line",), "address"),
    GuardedColumn("source_records", ("street", "house_number"), "address"),
    GuardedColumn("source_records", ("house_number", "street"), "address"),
)
#: What may stand there although a person has it too: a shop may bear its owner's name.
ALLOWED = (
    AllowedColumn("stores", "name"),
    AllowedColumn("stores", "island"),
    AllowedColumn("stores", "province"),
    AllowedColumn("products", "name"),
    AllowedColumn("products", "category"),
    AllowedColumn("products", "subcategory"),
    AllowedColumn("products", "brand"),
    AllowedColumn("postcodes", "municipality"),
    AllowedColumn("postcodes", "island"),
)


def write_pages(folder: RunFolder, store: RunStore, unfinished: str = "") -> None:
    """Make every page of a run: one for each room, the overview, and the data dictionary.

    Parameters
    ----------
    folder : RunFolder
    store : RunStore
    unfinished : str
        Why there is more to come, for the head of every page.
    """
    manifest = folder.manifest()
    run = _describe_run(folder, manifest, unfinished)
    headlines = _gather_headlines(manifest, store)
    for room in run.rooms:
        own = tuple(headline for headline in headlines if headline.room == room.key)
        page = render_page(folder.notebooks / f"{room.key}.ipynb", PageContext(run, room, own))
        write_atomically(folder.report / room.file, page)
    tables = tuple(
        TableRows(name, facts["rows"], _meaning(name), facts["room"])
        for name, facts in sorted(manifest["tables"].items())
    )
    notebooks = tuple(folder.notebooks / f"{room.key}.ipynb" for room in run.rooms)
    seconds = sum(room.get("seconds", 0.0) for room in manifest["notebooks"].values())
    index = IndexContext(run, headlines, notebooks, tables, seconds)
    write_atomically(folder.report / "index.html", render_index(index))
    write_atomically(folder.report / "data_dictionary.html", render_data_dictionary(CONTRACTS.values(), run))
    if manifest["governance"] is not None:
        governance = Governance.model_validate(manifest["governance"])
        page = render_governance(describe_governance(governance, manifest, run), run)
        write_atomically(folder.report / "governance.html", page)


def describe_governance(governance: Governance, manifest: Manifest, run: RunContext) -> GovernanceContext:
    """Lay a governance file beside what happened in a run: every source and notebook of it, owned or not."""
    roles = {"": ""} | {name: owner.role for name, owner in governance.owners.items()}
    delivered = {source.name: source.delivered_on for source in run.sources}
    sources = []
    for name in manifest["params"]["sources"]:
        duty = governance.sources.get(name)
        day = delivered.get(name)
        sources.append(
            OwnedSource(
                name,
                roles[duty.owner if duty else ""],
                roles[(duty.steward or duty.owner) if duty else ""],
                day,
                (run.as_of_date - day).days if day else None,
                duty.delivered_every_days if duty else None,
            )
        )
    notebooks = [
        OwnedNotebook(
            name,
            roles[governance.notebooks[name].owner if name in governance.notebooks else ""],
            (governance.notebooks[name].serves or "") if name in governance.notebooks else "",
            "no input" if facts.get("status") == "skipped" else str(facts.get("status", "")),
            facts.get("seconds"),
        )
        for name, facts in sorted(manifest["notebooks"].items())
    ]
    rules = [
        OwnedRule(
            rule.says,
            roles[rule.owner],
            rule.params or "",
            str(find_setting(manifest["params"], rule.params)) if rule.params else "",
            rule.decided_on,
            rule.decided_on + relativedelta(months=rule.review_every_months)
            if rule.decided_on and rule.review_every_months
            else None,
        )
        for rule in governance.rules
    ]
    return GovernanceContext(tuple(sources), tuple(notebooks), tuple(rules))


def check_pages(folder: RunFolder) -> None:
    """Search every page, executed notebook and the manifest for personal data of the run's tables.

    Raises
    ------
    PersonalDataError
        Saying where, never what.
    """
    manifest = folder.manifest()
    params = manifest["params"]
    settings = params["run"].get("engine", {})
    engine = Engine(settings.get("threads", 2), settings.get("memory_limit", "8GB"), folder.private / ".spill")
    for table in {column.table for column in (*GUARDED, *ALLOWED)}:
        path = folder.tables / f"{table}.parquet"
        if path.is_file():
            engine.view(table, f"FROM read_parquet({literal(str(path))})")
    files = [
        *sorted(folder.report.glob("*.html")),
        *sorted(folder.notebooks.glob("*.ipynb")),
        folder.path / "manifest.json",
    ]
    try:
        guard.check(
            files,
            engine,
            [column for column in GUARDED if engine.has(column.table)],
            [*_texts(params), *_texts(manifest["governance"])],
            [column for column in ALLOWED if engine.has(column.table)],
        )
    finally:
        engine.close()


def _describe_run(folder: RunFolder, manifest: Manifest, unfinished: str) -> RunContext:
    params = manifest["params"]["run"]
    return RunContext(
        run_id=folder.run_id,
        name=params.get("title") or params["name"],
        as_of_date=date.fromisoformat(manifest["as_of_date"]),
        base=manifest["base"] or "",
        language=params["language"],
        draft=manifest["status"] == "draft",
        sources=_describe_sources(folder, manifest),
        rooms=tuple(
            Room(
                key,
                key[3:].replace("_", " ").capitalize(),
                _question(folder.notebooks / f"{key}.ipynb"),
                facts.get("sentence", ""),
            )
            for key, facts in sorted(manifest["notebooks"].items())
            if facts.get("status") in ("done", "skipped", "stopped")
        ),
        governed=manifest["governance"] is not None,
        notices=(params["notice"],) if params.get("notice") else (),
        unfinished=unfinished,
    )


def _describe_sources(folder: RunFolder, manifest: Manifest) -> tuple[Source, ...]:
    ledger = folder.tables / "intake_ledger.parquet"
    if not ledger.is_file():
        return ()
    engine = Engine(threads=1, memory_limit="1GB")
    rows = engine.rows(
        "SELECT source, CAST(max(delivered_at) AS DATE) AS delivered_on, CAST(sum(rows_read) AS BIGINT) AS rows, "
        f"any_value(owner) AS owner FROM read_parquet({literal(str(ledger))}) "
        f"WHERE CAST(delivered_at AS DATE) <= DATE '{manifest['as_of_date']}' GROUP BY source"
    )
    engine.close()
    found = {row["source"]: Source(row["source"], row["delivered_on"], row["rows"], row["owner"] or "") for row in rows}
    return tuple(found[name] for name in manifest["params"]["sources"] if name in found)


def _gather_headlines(manifest: Manifest, store: RunStore) -> tuple[Headline, ...]:
    base: dict[tuple[str, str], float] = {}
    if manifest["base"] and (store.directory / manifest["base"]).is_dir():
        earlier = store.get(manifest["base"]).manifest()["notebooks"]
        base = {
            (room, old["key"]): old["value"] for room, facts in earlier.items() for old in facts.get("headlines", [])
        }
    return tuple(
        Headline(room=room, base_value=base.get((room, headline["key"])), **headline)
        for room, facts in sorted(manifest["notebooks"].items())
        for headline in facts.get("headlines", [])
    )


def _question(notebook: Path) -> str:
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown" and (heading := re.match(r"#\s+(.+)", cell.source)):
            return heading[1].strip()
    return ""


def _meaning(entry: str) -> str:
    name = entry.partition("/")[0]
    return CONTRACTS[name].meaning if name in CONTRACTS else ""


def _texts(value: Any) -> list[str]:
    """Every text of the params: an owner's name may stand on a page."""
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (str(key), *_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)]
