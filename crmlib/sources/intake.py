"""Intake: what every source delivered becomes the successor of the tables the base run left.

A row is accepted (new or changed), unchanged, or rejected with its field and rule: the ledger
balances for every file. The same delivery twice changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from crmlib.engine import Engine
from crmlib.params import ENTITIES, Params
from crmlib.sources.abandonments import derive_abandonments, list_hours
from crmlib.sources.arrivals import check_arrivals, find_missing
from crmlib.sources.buyers import resolve_buyers
from crmlib.sources.derived import accept_restated_records, stage_consents_of_records, stage_tickets_of_lines
from crmlib.sources.erased import stop_erased
from crmlib.sources.landing import Landing, has_cursor, read_ledger
from crmlib.sources.ledger import make_ledger
from crmlib.sources.previews import list_entries
from crmlib.sources.quarantine import (
    check_usable,
    collect_rejected,
    gather_outcomes,
    list_rejected,
    make_rejected_rows,
    make_repeated_rows,
)
from crmlib.sources.snapshots import find_snapshots, mark_deleted
from crmlib.sources.staged_tables import clear, show
from crmlib.sources.staging import Staging
from crmlib.sources.succession import narrow, succeed
from crmlib.sources.tombstones import Tombstones, read_tombstones

if TYPE_CHECKING:
    import pandas as pd


#: What is said of a delivery that the base run took in just as it is.
KNOWN = "known, not read again"
RESTAGED = pa.schema([("source", pa.string()), ("entity", pa.string())])


@dataclass(frozen=True)
class Intake:
    """What an intake made.

    Parameters
    ----------
    tables : dict of str to str
        Table of a contract -> table of the engine that holds its rows.
    in_order : frozenset of str
        Those of a first load, whose rows stand in the order in which they came: they need no sorting.
    quarantine : str
        Table of the engine: the rejected rows as they were delivered (personal data).
    deliveries : DataFrame
        One row per file: source, entity, load, read_as, unused_headings, rows read/accepted/rejected/unchanged,
        delivered_at.
    unmapped : DataFrame
        Values that must be one of a list and are mapped to none: source, entity, field, value, rows.
    missing : DataFrame
        Deliveries that were expected and never came: source, entity, expected.
    shared_cards : int
        Loyalty cards that several records hold.
    """

    tables: dict[str, str]
    in_order: frozenset[str]
    quarantine: str
    deliveries: pd.DataFrame
    unmapped: pd.DataFrame
    missing: pd.DataFrame
    shared_cards: int


def take_in(
    engine: Engine,
    params: Params,
    params_file: Path,
    cutoff: datetime,
    hash_of: Callable[[Path], str],
    base: Callable[[str], str | None],
    quarantined: str | None,
    landing_folder: Path,
) -> Intake:
    """Take in every file of every source.

    Parameters
    ----------
    engine : Engine
    params : Params
    params_file : Path
        Relative paths are from its folder.
    cutoff : datetime
        End of the as-of date.
    hash_of : callable
        Gives the hash of a file's content.
    base : callable
        Gives the name of the view of a table as the base run left it, or None.
    quarantined : str or None
        View of the base run's quarantine: `Intake.quarantine` as it was then.
    landing_folder : Path
        Where what comes from elsewhere lies while it is read.

    Returns
    -------
    Intake

    Raises
    ------
    InputError
        If a file is missing, empty or unreadable, a column is missing, or no row of a delivery can be used.
    """
    clear(engine)
    assert isinstance(params.run.as_of_date, date)
    landing = Landing(
        landing_folder,
        params_file,
        params.run.as_of_date,
        hash_of,
        read_ledger(engine, base("intake_ledger")),
        partial(list_rejected, engine, quarantined) if quarantined is not None else None,
    )
    staging = Staging(engine, params, landing, cutoff - timedelta(seconds=1))
    try:
        return _take_in(staging, base, cutoff, quarantined, read_tombstones(params.privacy, params_file))
    finally:
        shutil.rmtree(landing_folder, ignore_errors=True)


def _take_in(
    staging: Staging,
    base: Callable[[str], str | None],
    cutoff: datetime,
    quarantined: str | None,
    tombstones: Tombstones | None,
) -> Intake:
    engine, params = staging.engine, staging.params
    for source, entity, where, given in list_entries(params):
        staging.stage(source, entity, where, given)
    for table in dict.fromkeys(ENTITIES.values()):
        if engine.has(f"staged_{table}_rows"):
            show(engine, table)
    missing = find_missing(staging)
    check_arrivals(staging, missing)
    stop_erased(staging, tombstones)
    tables = _succeed_all(staging, base)
    gather_outcomes(staging, [table for table in tables if engine.has(f"fresh_{table}")])
    check_usable(staging)
    shared_cards = 0
    if "tickets" in tables:
        tables["tickets"], shared_cards = resolve_buyers(
            engine, tables["tickets"], tables.get("source_records"), cutoff
        )
    if "web_events" in tables:
        tables["web_events"] = derive_abandonments(engine, tables["web_events"], list_hours(params), cutoff)
    restaged = [
        {"source": source, "entity": entity} for source, entity, _, given in list_entries(params) if has_cursor(given)
    ]
    engine.register("restaged", pa.Table.from_pylist(restaged, schema=RESTAGED))
    plain = [table for table, made in tables.items() if made == f"intake_{table}"]
    tables |= {table: narrow(engine, table, base(table)) for table in plain}
    in_order = frozenset(table for table in plain if base(table) is None)
    quarantine = collect_rejected(staging, quarantined)
    tables["intake_ledger"] = make_ledger(staging, base("intake_ledger"))
    tables["rejected_rows"] = make_rejected_rows(engine, base("rejected_rows"))
    tables["repeated_rows"] = make_repeated_rows(engine, base("repeated_rows"))
    return Intake(
        tables,
        in_order,
        quarantine,
        _tell_deliveries(staging),
        _tell_unmapped(staging),
        _tell_missing(missing),
        shared_cards,
    )


def _succeed_all(staging: Staging, base: Callable[[str], str | None]) -> dict[str, str]:
    """Make every table's successor; those of which others are made come first."""
    engine = staging.engine
    tables: dict[str, str] = {}
    first = ("source_records", "consent_events", "ticket_lines", "tickets")
    for table in dict.fromkeys([*first, *ENTITIES.values()]):
        if table == "consent_events" and engine.has("staged_source_records"):
            stage_consents_of_records(staging, base(table))
        if table == "tickets":
            stage_tickets_of_lines(staging)
        carried = base(table)
        if engine.has(f"staged_{table}"):
            tables[table] = succeed(engine, table, carried)
            for deliveries in find_snapshots(staging, table):
                tables[table] = mark_deleted(engine, table, tables[table], deliveries)
        elif carried is not None:
            tables[table] = carried
    if engine.has("staged_source_records"):
        accept_restated_records(engine)
    return tables


def _tell_deliveries(staging: Staging) -> pd.DataFrame:
    import pandas as pd

    told = pd.DataFrame(
        [
            {
                "source": delivery.source,
                "entity": delivery.entity,
                "load": delivery.load,
                "hash": delivery.hash,
                "read_as": delivery.told,
                "unused_headings": ", ".join(delivery.unused),
            }
            for delivery in staging.deliveries
        ]
        + [
            {
                **{name: row[name] for name in ("source", "entity", "load", "hash")},
                "read_as": KNOWN,
                "unused_headings": "",
            }
            for row in staging.known
        ],
        columns=["source", "entity", "load", "hash", "read_as", "unused_headings"],
    )
    same = ["source", "entity", "load", "hash"]
    ledger = staging.engine.frame(
        "SELECT source, entity, load, hash, rows_read, rows_accepted, rows_rejected, rows_unchanged, delivered_at "
        "FROM intake_ledger_rows"
    )
    return told.drop_duplicates(same).merge(ledger, on=same).drop(columns="hash")


def _tell_unmapped(staging: Staging) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(staging.unmapped, columns=["source", "entity", "field", "value", "rows"])


def _tell_missing(missing: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(missing, columns=["source", "entity", "expected", "stops"]).drop(columns="stops")
