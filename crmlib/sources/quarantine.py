"""Quarantine: what became of every row, and the rejected ones as they were delivered."""

from __future__ import annotations

import pyarrow as pa

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.sources.archives import open_members
from crmlib.sources.delivery import Delivery
from crmlib.sources.hidden import drop_secrets
from crmlib.sources.readers import read_file
from crmlib.sources.reading import ROW, drop_read
from crmlib.sources.staging import Staging

#: Rule -> the sentence that tells of it.
RULES = {
    "not_a_date": "This is not a date, or is none in the format of the column.",
    "not_a_number": "This is not a number, or is none in the format of the column.",
    "impossible_amount": "No amount or quantity is this large.",
    "not_yes_or_no": "This is neither yes nor no.",
    "unknown_value": "This value must be one of a list, and is mapped to none of it.",
    "missing": "A row cannot do without this field.",
    "other_form": "This is no submission of the form, by the name it bears.",
    "other_version": "The form's definition knows no such version; list it under earlier_versions.",
    "too_long": "The text is longer than the form allows.",
    "wrong_pattern": "The text has not the pattern that the form asks for.",
    "not_an_email": "This is not an e-mail address.",
    "not_a_phone": "This is not a phone number.",
    "not_a_choice": "The form offers no such choice.",
    "not_agreed": "The form cannot be sent without this consent.",
    "unknown_wording": "The form's definition knows no such version of the consent's wording.",
    "unknown_place": "The form asks for no such thing.",
    "wrong_cells": "The line has another number of cells than the heading.",
    "erased": "This person was erased: the row is stopped at the door, and nothing of it is kept.",
    "conflicting_key": "Rows with this key differ, and nothing says which is newer.",
}

FILES = pa.schema(
    [
        ("file", pa.int64()),
        ("place", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("load", pa.string()),
        ("hash", pa.string()),
        ("bytes", pa.int64()),
        ("rows_read", pa.int64()),
        ("delivered_at", pa.timestamp("us", tz="UTC")),
        ("owner", pa.string()),
        ("reached", pa.string()),
        ("read_with", pa.string()),
        ("taken_in_as_of", pa.date32()),
    ]
)
KNOWN = pa.schema([("source", pa.string()), ("entity", pa.string()), ("load", pa.string())])
LINES = pa.schema([("file", pa.int64()), ("row", pa.int64()), ("delivered", pa.string())])


def gather_outcomes(staging: Staging, tables: list[str]) -> None:
    """Gather what became of the rows of every file, as tables of the engine.

    ``intake_files`` holds the files; ``intake_rows`` the rows that were not accepted: file, row, and the field and rule
    that each breaks, or none if it is unchanged; ``intake_accepted`` how many rows of a file were, and the latest time
    of any that breaks no rule; ``intake_repeated`` the rows that repeat another of their file.

    Parameters
    ----------
    staging : Staging
    tables : list of str
        The contracts whose successors are made.
    """
    engine = staging.engine
    files = [{**_describe(delivery), "taken_in_as_of": staging.landing.as_of_date} for delivery in staging.deliveries]
    engine.register("intake_files", pa.Table.from_pylist(files, schema=FILES))
    unreadable = [
        {"file": delivery.number, "row": row, "delivered": text}
        for delivery in staging.deliveries
        for row, text in delivery.read.unreadable.items()
    ]
    engine.register("unreadable_lines", pa.Table.from_pylist(unreadable, schema=LINES))
    engine.execute(
        """
        CREATE OR REPLACE TABLE intake_rows (file BIGINT, row BIGINT, field VARCHAR, rule VARCHAR);
        INSERT INTO intake_rows SELECT file, row, 'row', 'wrong_cells' FROM unreadable_lines;
        CREATE OR REPLACE TABLE intake_accepted (file BIGINT, rows BIGINT, watermark TIMESTAMPTZ);
        CREATE OR REPLACE TABLE intake_repeated (file BIGINT, row BIGINT);
        """
    )
    # rows made of other rows (tickets of lines, consents of records) belong to no file
    for table in tables:
        engine.execute(
            f"""
            INSERT INTO intake_rows SELECT file, row, field, rule FROM unaccepted_{table} WHERE file > 0;
            INSERT INTO intake_repeated FROM repeated_{table} WHERE file > 0;
            INSERT INTO intake_accepted
            SELECT came.file, count(*) FILTER (WHERE other.file IS NULL),
              max(updated_at) FILTER (WHERE other.rule IS NULL)
            FROM staged_{table} AS came LEFT JOIN unaccepted_{table} AS other USING (file, row)
            WHERE came.file > 0
            GROUP BY came.file;
            """
        )


def _describe(delivery: Delivery) -> dict[str, object]:
    return {
        "file": delivery.number,
        "place": delivery.where,
        "source": delivery.source,
        "entity": delivery.entity,
        "load": delivery.load,
        "hash": delivery.hash,
        "bytes": delivery.path.stat().st_size,
        "rows_read": delivery.read.rows,
        "delivered_at": delivery.delivered_at,
        "owner": delivery.owner,
        "reached": delivery.reached,
        "read_with": delivery.read_with,
    }


def check_usable(staging: Staging) -> None:
    """Refuse an intake in which all that one place of the params delivers is rejected: not its rows are wrong.

    Parameters
    ----------
    staging : Staging
        Of what is known to it, some rows were usable before.

    Raises
    ------
    InputError
        Naming the place, and the commonest fault.
    """
    engine = staging.engine
    known = {(row["source"], row["entity"]) for row in staging.known}
    useless = engine.rows(
        """
        SELECT files.place, min(files.source) AS source, min(files.entity) AS entity, min(files.load) AS load,
          count(rows.row) AS rows, mode(rows.field ORDER BY rows.field) AS field
        FROM intake_files AS files
        LEFT JOIN intake_rows AS rows USING (file)
        LEFT JOIN intake_accepted AS accepted USING (file)
        GROUP BY files.place
        HAVING count(rows.row) > 0 AND coalesce(max(accepted.rows), 0) = 0
          AND count(rows.row) FILTER (WHERE rows.rule IS NULL OR rows.rule = 'erased') = 0
        ORDER BY files.place
        """
    )
    useless = [row for row in useless if (row["source"], row["entity"]) not in known]
    if not useless:
        return
    first = useless[0]
    rule = engine.row(
        "SELECT mode(rule ORDER BY rule) AS rule FROM intake_files JOIN intake_rows USING (file) "
        "WHERE place = $place AND field = $field",
        **first,
    )["rule"]
    raise InputError(
        f"{first['place']}: none of the {first['rows']:,} rows of {first['load']} can be used; "
        f"mostly because of '{first['field']}': {RULES[rule]} Mend the mapping or the dialect."
    )


def list_rejected(engine: Engine, quarantined: str, source: str, entity: str) -> list[str]:
    """Rows of a source's entity that the base run rejected, as JSON, in the order in which they came."""
    rows = engine.rows(
        f"SELECT DISTINCT delivery, row, delivered FROM {quote(quarantined)} "
        "WHERE source = $source AND entity = $entity AND json_valid(delivered) ORDER BY delivery, row",
        source=source,
        entity=entity,
    )
    return [row["delivered"] for row in rows]


def collect_rejected(staging: Staging, quarantined: str | None) -> str:
    """Make the table of rejected rows as they were delivered (personal data), read from their files once more.

    Parameters
    ----------
    staging : Staging
    quarantined : str or None
        View of the base run's quarantine: of what is known and was not read again, its rows stay.

    Returns
    -------
    str
        Name of the engine's table: source, entity, delivery, row, field, rule, delivered (JSON, or the line's text).
    """
    engine = staging.engine
    engine.execute("CREATE OR REPLACE TABLE rejected_texts AS FROM unreadable_lines")
    rejected = {
        row["file"]
        for row in engine.rows("SELECT DISTINCT file FROM intake_rows WHERE rule NOT IN ('wrong_cells', 'erased')")
    }
    for delivery in staging.deliveries:
        if delivery.number in rejected:
            _read_again(engine, delivery)
    engine.execute(
        """
        CREATE OR REPLACE TABLE quarantine AS
        SELECT files.source, files.entity, files.load AS delivery, rows.row, rows.field, rows.rule, texts.delivered
        FROM intake_rows AS rows
        JOIN intake_files AS files USING (file)
        LEFT JOIN rejected_texts AS texts USING (file, row)
        WHERE rows.rule IS NOT NULL
        ORDER BY ALL
        """
    )
    if quarantined is not None and staging.known:
        known = [{name: row[name] for name in KNOWN.names} for row in staging.known]
        engine.register("known_files", pa.Table.from_pylist(known, schema=KNOWN))
        engine.execute(
            f"""
            INSERT INTO quarantine BY NAME
            SELECT earlier.* FROM {quote(quarantined)} AS earlier
            SEMI JOIN known_files AS known
              ON known.source = earlier.source AND known.entity = earlier.entity AND known.load = earlier.delivery
            """
        )
    return "quarantine"


def _read_again(engine: Engine, delivery: Delivery) -> None:
    given, dialect, where = delivery.given, delivery.read.dialect, delivery.where
    kind = given.format if given.path is not None else None
    with open_members(delivery.path, delivery.member or None, where) as files:
        (file,) = files.values()
        whole = read_file(engine, file, kind, dialect, "read_again", where, given.rows_with, given.unfold)
        read, _ = drop_secrets(engine, whole)
        cells = ", ".join(f"{literal(name)}, {quote(name)}" for name in read.columns)
        engine.execute(
            f"""
            INSERT INTO rejected_texts
            SELECT {delivery.number}, {quote(ROW)}, CAST(json_object({cells}) AS VARCHAR)
            FROM {quote(read.table)}
            SEMI JOIN (
              SELECT row AS {quote(ROW)} FROM intake_rows WHERE file = {delivery.number} AND rule <> 'erased'
            ) AS rejected USING ({quote(ROW)})
            """
        )
        drop_read(engine, read)


# Of files that are known the quarantine holds the rows already.
NOT_IN_QUARANTINE = """
        ANTI JOIN quarantine
          ON quarantine.source = earlier.source AND quarantine.entity = earlier.entity
          AND quarantine.delivery = earlier.delivery
"""


def make_rejected_rows(engine: Engine, base: str | None) -> str:
    """Make ``rejected_rows``: those of this intake, and the base's of files that were not delivered again.

    Parameters
    ----------
    engine : Engine
    base : str or None
        View of the table as the base run left it.
    """
    sentences = " ".join(f"WHEN {literal(rule)} THEN {literal(sentence)}" for rule, sentence in RULES.items())
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE rejected_rows_made AS
        SELECT source, entity, delivery, row, field, rule, CASE rule {sentences} END AS reason
        FROM quarantine
        QUALIFY row_number() OVER (PARTITION BY source, entity, delivery, row ORDER BY field, rule) = 1
        {_carry(base)}{NOT_IN_QUARANTINE if base is not None else ""}
        """
    )
    return "rejected_rows_made"


def make_repeated_rows(engine: Engine, base: str | None) -> str:
    """Make ``repeated_rows``: those of this intake, and the base's of files that were not delivered again.

    Parameters
    ----------
    engine : Engine
    base : str or None
        View of the table as the base run left it.
    """
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE repeated_rows_made AS
        SELECT DISTINCT files.source, files.entity, files.load AS delivery, rows.row
        FROM intake_repeated AS rows JOIN intake_files AS files USING (file)
        {_carry(base)}
        """
    )
    return "repeated_rows_made"


def _carry(base: str | None) -> str:
    """What the base run told of rows of files that were not delivered again."""
    if base is None:
        return ""
    return f"""
        UNION ALL BY NAME
        SELECT earlier.* FROM {quote(base)} AS earlier
        ANTI JOIN intake_files AS files
          ON files.source = earlier.source AND files.entity = earlier.entity AND files.load = earlier.delivery
        ANTI JOIN restaged ON restaged.source = earlier.source AND restaged.entity = earlier.entity
    """
