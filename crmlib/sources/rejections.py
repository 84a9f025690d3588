"""Rejections of a run, for those who mend them: where each row stands and what is wrong, and the rows themselves."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, literal
from crmlib.errors import InputError

#: Row numbers told of each fault.
MOST_NUMBERS = 10


def summarise_rejected(engine: Engine, rejected_rows: Path, source: str | None) -> list[dict[str, Any]]:
    """Faults by delivery, field and rule.

    Parameters
    ----------
    engine : Engine
    rejected_rows : Path
        The run's table of that name.
    source : str or None
        Only this source's.

    Returns
    -------
    list of dict
        source, entity, delivery, field, reason, rows (how many), numbers (the first of them).
    """
    asked = "WHERE source = $source" if source is not None else ""
    return engine.rows(
        f"""
        SELECT source, entity, delivery, field, reason, count(*) AS rows,
          list_slice(list_sort(list(row)), 1, {MOST_NUMBERS}) AS numbers
        FROM read_parquet({literal(str(rejected_rows))}) {asked}
        GROUP BY ALL ORDER BY source, entity, delivery, rows DESC, field
        """,
        **({"source": source} if source is not None else {}),
    )


def tell_rejected(faults: list[dict[str, Any]]) -> list[str]:
    """The faults as lines for a terminal: no value of a row is in them."""
    lines = []
    for fault in faults:
        numbers = ", ".join(str(number) for number in fault["numbers"])
        more = ", …" if fault["rows"] > len(fault["numbers"]) else ""
        rows = "row" if fault["rows"] == 1 else "rows"
        lines.append(
            f"{fault['source']} {fault['entity']}, {fault['delivery']}: {fault['rows']:,} {rows}, {fault['field']}: "
            f"{fault['reason']} {rows.capitalize()} {numbers}{more}"
        )
    return lines


def write_rejected(engine: Engine, quarantine: Path, source: str | None, path: Path) -> int:
    """Write the rejected rows as they were delivered to a CSV file that only its owner can read.

    Parameters
    ----------
    engine : Engine
    quarantine : Path
        The run's rejected rows, under ``private/``.
    source : str or None
        Only this source's.
    path : Path
        Must not exist: nothing is overwritten.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    InputError
        If the file is there already.
    """
    asked = "WHERE source = $source" if source is not None else ""
    given = {"source": source} if source is not None else {}
    rows = engine.rows(f"FROM read_parquet({literal(str(quarantine))}) {asked} ORDER BY ALL", **given)
    cells = [json.loads(row["delivered"]) if _is_object(row["delivered"]) else {} for row in rows]
    headings = list(dict.fromkeys(heading for row in cells for heading in row))
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{path}: there is such a file already; name another.") from None
    with os.fdopen(opened, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "entity", "delivery", "row", "field", "rule", *headings, "line"])
        for row, held in zip(rows, cells, strict=True):
            line = "" if held else row["delivered"]
            place = [row[name] for name in ("source", "entity", "delivery", "row", "field", "rule")]
            writer.writerow([*place, *(held.get(heading) for heading in headings), line])
    return len(rows)


def _is_object(text: str | None) -> bool:
    try:
        return isinstance(json.loads(text or ""), dict)
    except ValueError:
        return False
