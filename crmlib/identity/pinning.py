"""Values that a person pins to a customer, above all rules: kept as rulings, with a hash and never the value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.identity.rulings import VALUE_DIGITS, ValueRuling, append_ruling
from crmlib.identity.survivorship import ADDRESS, ADDRESS_PARTS, LATEST_ADDRESS


def pin_value(
    engine: Engine,
    path: Path | None,
    record: tuple[str, str],
    field: str,
    reviewer: str,
    decided_at: datetime,
    as_of_date: date,
    decision: Literal["pin", "unpin"] = "pin",
) -> ValueRuling:
    """Keep that a record's value for a field stays, or does so no longer.

    Parameters
    ----------
    engine : Engine
        Holds ``customer_records`` and ``record_values``.
    path : Path, optional
        File of rulings.
    record : (source, source_record_id)
    field : str
        One of `FIELDS`, but ``address`` for its parts.
    reviewer : str
        Who says so.
    decided_at : datetime
    as_of_date : datetime.date
        Of the run that was looked at.
    decision : {"pin", "unpin"}

    Raises
    ------
    InputError
        If the params name no file, nobody signs, or the record gives no value for the field.
    """
    if path is None:
        raise InputError("The params name no file for rulings; write identity: {rulings: rulings.jsonl} and run again.")
    if not reviewer.strip():
        raise InputError("Write your name: a ruling is signed.")
    rows = engine.rows(
        "SELECT recency FROM customer_records WHERE source = $source AND source_record_id = $record",
        source=record[0],
        record=record[1],
    )
    seen = hash_value(engine, field, rows[0]["recency"]) if rows and field not in ADDRESS_PARTS else None
    if seen is None:
        raise InputError(f"The record '{record[1]}' of {record[0]} gives nothing for the field '{field}'.")
    ruling = ValueRuling(
        record=record,
        field=field,
        decision=decision,
        seen=seen,
        reviewer=reviewer.strip(),
        decided_at=decided_at,
        as_of_date=as_of_date,
    )
    append_ruling(path, ruling)
    return ruling


def hash_value(engine: Engine, field: str, recency: int) -> str | None:
    """The short hash of a record's value, as a ruling keeps it; None if the record gives none."""
    found = engine.rows(
        f"SELECT left(sha256(field || chr(31) || value), {VALUE_DIGITS}) AS seen FROM record_values "
        "WHERE recency = $recency AND field = $field",
        recency=recency,
        field=field,
    )
    return str(found[0]["seen"]) if found else None


class Candidate(NamedTuple):
    """A value that a customer's record gives for a field; rule: by which it is the golden one, empty if it is not."""

    field: str
    value: str
    source: str
    source_record_id: str
    changed_on: date
    rule: str


class PinDesk:
    """The values of a customer to choose from, and the file that keeps what is pinned.

    Parameters
    ----------
    engine : Engine
        Holds ``customer_records``, ``record_values`` and ``chosen_values``.
    path : Path, optional
        File of rulings; absent: nothing can be kept, and asking says so.
    as_of_date : datetime.date
    clock : callable
        Tells the time of a ruling.
    """

    def __init__(self, engine: Engine, path: Path | None, as_of_date: date, clock: Callable[[], datetime]) -> None:
        self._engine, self._path, self._as_of_date, self._clock = engine, path, as_of_date, clock

    def list_candidates(self, customer_id: str) -> list[Candidate]:
        """The values of a customer by field, the golden one first and then the latest; an address is one value.

        Raises
        ------
        InputError
            If there is no such customer, or it has no records.
        """
        listed = ", ".join(f"'{part}'" for part in ADDRESS_PARTS)
        rows = self._engine.rows(
            f"""
            WITH chosen AS (
                SELECT DISTINCT CASE WHEN field IN ({listed}) THEN '{ADDRESS}' ELSE field END AS field, recency,
                       replace(rule, '{LATEST_ADDRESS}', 'latest') AS rule
                FROM chosen_values WHERE customer_id = $customer
            )
            SELECT v.field, replace(v.value, chr(31), ' ') AS value, r.source, r.source_record_id,
                   CAST(r.updated_at AS DATE) AS changed_on, coalesce(c.rule, '') AS rule
            FROM record_values v
            JOIN customer_records r ON r.recency = v.recency
            LEFT JOIN chosen c ON c.field = v.field AND c.recency = v.recency
            WHERE v.customer_id = $customer AND v.field NOT IN ({listed})
            QUALIFY row_number() OVER (PARTITION BY v.field, v.value ORDER BY c.rule IS NULL, v.recency DESC) = 1
            ORDER BY v.field, rule = '', v.recency DESC
            """,
            customer=customer_id.strip(),
        )
        if not rows:
            raise InputError(f"There is no customer '{customer_id}' with records; ids are in the table customers.")
        return [Candidate(**row) for row in rows]

    def keep(self, candidate: Candidate, decision: Literal["pin", "unpin"], reviewer: str) -> str:
        """Keep what a person says of a value.

        Returns
        -------
        str
            A sentence.

        Raises
        ------
        InputError
            If nobody signs, or the params name no file for rulings.
        """
        record = candidate.source, candidate.source_record_id
        pin_value(
            self._engine, self._path, record, candidate.field, reviewer, self._clock(), self._as_of_date, decision
        )
        if decision == "pin":
            return f"Kept: the {candidate.field} of this record stays as long as the record gives it."
        return f"Kept: the {candidate.field} follows the rules again."
