"""Intake: what every source delivered becomes the successor of the tables the base run left.

A row is accepted (new or changed), unchanged, or rejected with its field and rule: the ledger
balances for every file. The same delivery twice changes nothing; a row that comes again with the
same key and time replaces the older one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from crmlib.engine import Engine, Step, literal, quote
from crmlib.errors import InputError
from crmlib.params import ENTITIES, Params
from crmlib.sources.mapping import RULES
from crmlib.sources.staging import Staging, end_of_as_of
from crmlib.tables import CONTRACTS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Intake:
    """What an intake made.

    Parameters
    ----------
    tables : dict of str to str
        Table of a contract -> table of the engine that holds its rows.
    quarantine : str
        Table of the engine: the rejected rows as they were delivered (personal data).
    deliveries : DataFrame
        One row per file: source, entity, file, rows read/accepted/rejected/unchanged, how it was read,
        headings nothing was made of.
    unmapped : DataFrame
        Values that must be one of a list and are mapped to none: source, entity, field, value, rows.
    shared_cards : int
        Loyalty cards that several records hold.
    """

    tables: dict[str, str]
    quarantine: str
    deliveries: pd.DataFrame
    unmapped: pd.DataFrame
    shared_cards: int


CARD_HOLDERS = Step(
    "card_holders",
    """
    WITH known AS (
      SELECT * FROM intake_source_records
      WHERE updated_at < $cutoff AND (created_at IS NULL OR created_at < $cutoff)
    ),
    current AS (
      SELECT * FROM known
      QUALIFY row_number() OVER (PARTITION BY source, source_record_id ORDER BY updated_at DESC) = 1
    )
    SELECT
      loyalty_card,
      first(source ORDER BY updated_at DESC, source, source_record_id) AS record_source,
      first(source_record_id ORDER BY updated_at DESC, source, source_record_id) AS source_record_id,
      count(*) AS holders
    FROM current
    WHERE loyalty_card IS NOT NULL
    GROUP BY loyalty_card
    """,
)

BUYERS = Step(
    "buyers",
    """
    SELECT
      tickets.* REPLACE (
        CASE
          WHEN card_holders.loyalty_card IS NOT NULL THEN card_holders.record_source
          WHEN tickets.loyalty_card IS NOT NULL AND coalesce(tickets.record_source, 'card') = 'card' THEN 'card'
          ELSE tickets.record_source
        END AS record_source,
        CASE
          WHEN card_holders.loyalty_card IS NOT NULL THEN card_holders.source_record_id
          WHEN tickets.loyalty_card IS NOT NULL AND coalesce(tickets.record_source, 'card') = 'card'
            THEN tickets.loyalty_card
          ELSE tickets.source_record_id
        END AS source_record_id
      )
    FROM intake_tickets AS tickets
    LEFT JOIN card_holders USING (loyalty_card)
    """,
)

TICKETS_OF_LINES = """
    INSERT INTO staged_tickets BY NAME
    SELECT
      source, ticket_id, any_value(record_source) AS record_source, any_value(source_record_id) AS source_record_id,
      any_value(loyalty_card) AS loyalty_card, min(bought_at) AS bought_at, min(bought_on) AS bought_on,
      any_value(store_id) AS store_id, any_value(channel) AS channel, sum(amount) AS amount,
      sum(discount) AS discount, sum(quantity) AS items, any_value(status) AS status,
      max(updated_at) AS updated_at, 0 AS file, row_number() OVER (ORDER BY source, ticket_id) AS row,
      bool_or(dated) AS dated
    FROM staged_ticket_lines
    WHERE fault_rule IS NULL AND bought_at IS NOT NULL AND list_contains($sources, source)
    GROUP BY source, ticket_id
"""

CONSENTS_OF_CUSTOMERS = """
    INSERT INTO staged_consent_events BY NAME
    WITH stated AS (
      SELECT source, source_record_id, updated_at, file, row,
        unnest(from_json(consents, '[{"channel":"VARCHAR","purpose":"VARCHAR","granted":"BOOLEAN","at":"VARCHAR"}]'))
          AS consent
      FROM fresh_source_records
      WHERE consents IS NOT NULL
    )
    SELECT
      source, source_record_id, source AS record_source, consent.channel AS channel, consent.purpose AS purpose,
      coalesce(CAST(consent.at AS TIMESTAMPTZ), updated_at) AS happened_at,
      CASE WHEN consent.granted THEN 'granted' ELSE 'withdrawn' END AS decision,
      'stated with the record' AS evidence, updated_at, 0 AS file,
      row_number() OVER (ORDER BY file, row, channel, purpose) AS row, true AS dated
    FROM stated
    WHERE consent.granted IS NOT NULL
"""


def take_in(
    engine: Engine,
    params: Params,
    params_file: Path,
    cutoff: datetime,
    hash_of: Callable[[Path], str],
    base: Callable[[str], str | None],
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

    Returns
    -------
    Intake

    Raises
    ------
    InputError
        If a file is missing, empty or unreadable, a column is missing, or no row of a delivery can be used.
    """
    for table in ENTITIES.values():
        engine.execute(f"DROP TABLE IF EXISTS staged_{table}")
    staging = Staging(engine, params, params_file, end_of_as_of(cutoff))
    for source, described in params.sources.items():
        for entity, given in described.entities.items():
            for delivery in given:
                staging.stage(source, entity, delivery, hash_of)
    _derive_tickets(staging)
    tables: dict[str, str] = {}
    outcomes = []
    for table in dict.fromkeys(ENTITIES.values()):
        if table == "consent_events" and "source_records" in tables:
            staging.staged(table)
            engine.execute(CONSENTS_OF_CUSTOMERS)
        if not engine.has(f"staged_{table}"):
            if (carried := base(table)) is not None:
                tables[table] = carried
            continue
        tables[table] = _succeed(engine, table, base(table))
        outcomes.append(f"outcome_{table}")
    _judge(staging, outcomes)
    shared_cards = _resolve_buyers(engine, tables, cutoff)
    tables["intake_ledger"] = _make_ledger(staging, base("intake_ledger"))
    tables["rejected_rows"] = _make_rejected(staging, base("rejected_rows"))
    _check_usable(staging)
    return Intake(tables, "quarantine", _tell_deliveries(staging), _tell_unmapped(staging), shared_cards)


def _derive_tickets(staging: Staging) -> None:
    """Where only lines are delivered, tickets are their sums."""
    only_lines = [
        name
        for name, source in staging.params.sources.items()
        if "ticket_lines" in source.entities and "tickets" not in source.entities
    ]
    if only_lines:
        staging.staged("tickets")
        staging.engine.execute(TICKETS_OF_LINES, sources=only_lines)


def _succeed(engine: Engine, table: str, base: str | None) -> str:
    """Make the successor of a table: the base's rows, and the staged ones that are new or changed."""
    contract = CONTRACTS[table]
    staged, key = f"staged_{table}", list(contract.key)
    content = [column.name for column in contract.columns if not column.key]
    # what intake itself works out may change without the source having said anything
    compared = [name for name in content if not (table == "tickets" and name in ("record_source", "source_record_id"))]
    keys = ", ".join(quote(name) for name in key)
    values = ", ".join(quote(name) for name in compared) or "1"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE twice_{table} AS
        WITH repeated AS (
          SELECT {keys} FROM {staged} WHERE fault_rule IS NULL GROUP BY {keys} HAVING count(*) > 1
        )
        SELECT staged.file, staged.row,
          dense_rank() OVER (PARTITION BY {keys} ORDER BY {values}) AS version,
          row_number() OVER (PARTITION BY {keys} ORDER BY staged.file, staged.row) AS turn
        FROM {staged} AS staged SEMI JOIN repeated USING ({keys})
        WHERE fault_rule IS NULL
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE outcome_{table} AS
        WITH differing AS (
          SELECT staged.file, staged.row FROM {staged} AS staged
          WHERE fault_rule IS NULL AND ({keys}) IN (
            SELECT ({keys}) FROM {staged}
            SEMI JOIN (SELECT file, row FROM twice_{table} WHERE version > 1) USING (file, row)
          )
        )
        SELECT staged.file, staged.row, staged.delivered, {literal(table)} AS table_name,
          CASE
            WHEN differing.file IS NOT NULL THEN {literal(_key_field(contract.key))}
            ELSE nullif(staged.fault_field, '')
          END AS field,
          CASE WHEN differing.file IS NOT NULL THEN 'conflicting_key' ELSE nullif(staged.fault_rule, '') END AS rule,
          coalesce(twice.turn, 1) > 1 AS repeated,
          staged.updated_at
        FROM {staged} AS staged
        LEFT JOIN differing USING (file, row)
        LEFT JOIN twice_{table} AS twice USING (file, row)
        """
    )
    good = f"""
        SELECT staged.* FROM {staged} AS staged
        JOIN outcome_{table} AS outcome USING (file, row)
        WHERE outcome.rule IS NULL AND NOT outcome.repeated
    """
    columns = ", ".join(quote(column.name) for column in contract.columns)
    if base is None:
        engine.execute(f"CREATE OR REPLACE TABLE fresh_{table} AS {good}")
        engine.execute(f"CREATE OR REPLACE TABLE intake_{table} AS SELECT {columns} FROM fresh_{table}")
        return f"intake_{table}"
    lasting = [name for name in key if name != "updated_at"]
    same_key = " AND ".join(f"good.{quote(name)} = base.{quote(name)}" for name in lasting)
    same = " AND ".join(f"good.{quote(name)} IS NOT DISTINCT FROM base.{quote(name)}" for name in compared) or "true"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE fresh_{table} AS
        WITH good AS ({good}),
        newest AS (
          SELECT * FROM {base}
          QUALIFY row_number() OVER (PARTITION BY {", ".join(quote(n) for n in lasting)} ORDER BY updated_at DESC) = 1
        )
        SELECT * FROM good
        WHERE NOT EXISTS (
          SELECT 1 FROM {base} AS base
          WHERE good.dated AND {same_key} AND good.updated_at = base.updated_at AND {same}
        ) AND NOT EXISTS (
          SELECT 1 FROM newest AS base WHERE NOT good.dated AND {same_key} AND {same}
        )
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE intake_{table} AS
        SELECT {columns} FROM fresh_{table}
        UNION ALL BY NAME
        SELECT {columns} FROM {base} AS base ANTI JOIN fresh_{table} USING ({keys})
        """
    )
    engine.execute(
        f"""
        UPDATE outcome_{table} SET repeated = true
        WHERE rule IS NULL AND (file, row) NOT IN (SELECT (file, row) FROM fresh_{table})
        """
    )
    return f"intake_{table}"


def _key_field(key: tuple[str, ...]) -> str:
    return next(name for name in reversed(key) if name != "updated_at")


def _judge(staging: Staging, outcomes: list[str]) -> None:
    """Gather every staged row's outcome, and the lines that could not be read at all."""
    engine = staging.engine
    unreadable = [
        {"file": delivery.number, "row": row, "delivered": text}
        for delivery in staging.deliveries
        for row, text in delivery.read.unreadable.items()
    ]
    schema = pa.schema([("file", pa.int64()), ("row", pa.int64()), ("delivered", pa.string())])
    engine.register("unreadable_lines", pa.Table.from_pylist(unreadable, schema=schema))
    engine.register(
        "intake_files",
        pa.Table.from_pylist(
            [
                {
                    "file": delivery.number,
                    "source": delivery.source,
                    "entity": delivery.entity,
                    "load": delivery.path.name,
                    "hash": delivery.hash,
                    "bytes": delivery.path.stat().st_size,
                    "rows_read": delivery.read.rows,
                    "delivered_at": delivery.delivered_at,
                    "owner": delivery.owner,
                }
                for delivery in staging.deliveries
            ],
            schema=pa.schema(
                [
                    ("file", pa.int64()),
                    ("source", pa.string()),
                    ("entity", pa.string()),
                    ("load", pa.string()),
                    ("hash", pa.string()),
                    ("bytes", pa.int64()),
                    ("rows_read", pa.int64()),
                    ("delivered_at", pa.timestamp("us", tz="UTC")),
                    ("owner", pa.string()),
                ]
            ),
        ),
    )
    # rows made of other rows (tickets of lines, consents of customers) belong to no file of their own
    judged = " UNION ALL ".join(f"SELECT * FROM {outcome} WHERE file > 0" for outcome in outcomes)
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE intake_rows AS
        SELECT file, row, delivered, field, rule, repeated, updated_at FROM ({judged})
        UNION ALL
        SELECT file, row, delivered, 'row', 'wrong_cells', false, NULL FROM unreadable_lines
        """
    )
    engine.execute(
        """
        CREATE OR REPLACE TABLE quarantine AS
        SELECT files.source, files.entity, files.load AS delivery, rows.row, rows.field, rows.rule, rows.delivered
        FROM intake_rows AS rows JOIN intake_files AS files USING (file)
        WHERE rows.rule IS NOT NULL
        ORDER BY ALL
        """
    )


def _resolve_buyers(engine: Engine, tables: dict[str, str], cutoff: datetime) -> int:
    """Name the record behind each ticket's card; a card no record holds is the record itself."""
    if "tickets" not in tables:
        return 0
    if "source_records" not in tables:
        columns = ", ".join(
            f"CAST(NULL AS {column.sql_type}) AS {quote(column.name)}" for column in CONTRACTS["source_records"].columns
        )
        engine.view("intake_source_records", f"SELECT {columns} WHERE false")
    elif tables["source_records"] != "intake_source_records":
        engine.view("intake_source_records", f"FROM {tables['source_records']}")
    if tables["tickets"] != "intake_tickets":
        engine.view("intake_tickets", f"FROM {tables['tickets']}")
    engine.run(CARD_HOLDERS, cutoff=cutoff)
    tables["tickets"] = engine.run(BUYERS)
    return int(engine.row("SELECT count(*) AS n FROM card_holders WHERE holders > 1")["n"])


def _make_ledger(staging: Staging, base: str | None) -> str:
    carried = (
        f"UNION ALL BY NAME SELECT * FROM {base} ANTI JOIN intake_files USING (source, entity, load, hash)"
        if base
        else ""
    )
    staging.engine.execute(
        f"""
        CREATE OR REPLACE TABLE intake_ledger_rows AS
        WITH counted AS (
          SELECT file,
            count(*) FILTER (WHERE rule IS NULL AND NOT repeated) AS rows_accepted,
            count(*) FILTER (WHERE rule IS NOT NULL) AS rows_rejected,
            count(*) FILTER (WHERE rule IS NULL AND repeated) AS rows_unchanged,
            max(updated_at) FILTER (WHERE rule IS NULL) AS watermark
          FROM intake_rows GROUP BY file
        )
        SELECT files.* EXCLUDE (file), counted.* EXCLUDE (file)
        FROM intake_files AS files JOIN counted USING (file)
        -- the same file by two paths is one delivery
        QUALIFY row_number() OVER (PARTITION BY source, entity, load, hash ORDER BY file) = 1
        {carried}
        """
    )
    return "intake_ledger_rows"


def _make_rejected(staging: Staging, base: str | None) -> str:
    cases = " ".join(f"WHEN {literal(rule)} THEN {literal(sentence)}" for rule, sentence in RULES.items())
    carried = (
        f"UNION ALL BY NAME SELECT base.* FROM {base} AS base WHERE NOT EXISTS (SELECT 1 FROM intake_files AS files "
        "WHERE files.source = base.source AND files.entity = base.entity AND files.load = base.delivery)"
        if base
        else ""
    )
    staging.engine.execute(
        f"""
        CREATE OR REPLACE TABLE rejected_rows_made AS
        SELECT source, entity, delivery, row, field, rule, CASE rule {cases} END AS reason
        FROM quarantine
        QUALIFY row_number() OVER (PARTITION BY source, entity, delivery, row ORDER BY field) = 1
        {carried}
        """
    )
    return "rejected_rows_made"


def _check_usable(staging: Staging) -> None:
    """Refuse an intake in which a whole delivery is rejected: its mapping is wrong, not its rows."""
    useless = staging.engine.rows(
        """
        SELECT files.source, files.entity, files.load, any_value(files.rows_read) AS rows,
          mode(rows.field) AS field, mode(rows.rule) AS rule
        FROM intake_files AS files JOIN intake_rows AS rows USING (file)
        GROUP BY ALL
        HAVING count(*) FILTER (WHERE rows.rule IS NULL) = 0
        ORDER BY ALL
        """
    )
    if useless:
        first = useless[0]
        raise InputError(
            f"sources.{first['source']}.{first['entity']}: none of the {first['rows']:,} rows of {first['load']} "
            f"can be used; mostly because of '{first['field']}': {RULES[first['rule']]} Mend the mapping or the dialect."
        )


def _tell_deliveries(staging: Staging) -> pd.DataFrame:
    import pandas as pd

    told = pd.DataFrame(
        [
            {
                "source": delivery.source,
                "entity": delivery.entity,
                "load": delivery.path.name,
                "hash": delivery.hash,
                "read_as": delivery.formats,
                "unused_headings": ", ".join(delivery.unused),
            }
            for delivery in staging.deliveries
        ]
    )
    ledger = staging.engine.frame(
        "SELECT source, entity, load, hash, rows_read, rows_accepted, rows_rejected, rows_unchanged, delivered_at "
        "FROM intake_ledger_rows"
    )
    return told.merge(ledger, on=["source", "entity", "load", "hash"]).drop(columns="hash")


def _tell_unmapped(staging: Staging) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(staging.unmapped, columns=["source", "entity", "field", "value", "rows"])
