"""New and changed records against the standing base: its model, and its pairs between records that are as they were.

What an increment leaves as it was, a full run would settle anew: the weights, how frequent each name is among the
pairs that were scored before, and which values so many share that they tell nothing. So the results are those of a
full run but for pairs near the threshold; `tests/identity/test_increments.py` states how few.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import pandas as pd

from crmlib.engine import Engine, Step, quote
from crmlib.identity.blocking import RULES
from crmlib.identity.comparisons import Comparison, choose_comparisons
from crmlib.identity.model import LinkageModel, read_model, write_comparison
from crmlib.identity.records import normalise_records

#: More than this share of records new, changed or gone since the model was trained, and it is trained anew.
MOST_CHANGED = 0.1

STANDING_PAIRS = Step(
    "standing_pairs",
    """
    SELECT l.source AS source_l, l.source_record_id AS source_record_id_l,
           r.source AS source_r, r.source_record_id AS source_record_id_r,
           p.* EXCLUDE (record_no_l, record_no_r, origin_weight)
    FROM weighed_pairs p
    JOIN linkage_records l ON l.record_no = p.record_no_l
    JOIN linkage_records r ON r.record_no = p.record_no_r
    """,
)


class Base(NamedTuple):
    """What the base run kept of its linkage, as names of tables; None where it kept none.

    Parameters
    ----------
    records : str, optional
        Its ``prepared_records``.
    pairs : str, optional
        What `name_pairs` made there.
    model : str, optional
        Its `linkage_model`, as `keep_model` wrote it.
    """

    records: str | None = None
    pairs: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Start:
    """How the linkage of a run begins.

    Parameters
    ----------
    comparisons : tuple of Comparison
        What the records call for.
    model : LinkageModel, optional
        The base's, by which new and changed records alone are compared; None: a full run, which trains its own.
    sentence : str
        Which of the two, and why.
    largest_blocks : tuple of int, optional
        Of each blocking rule, the records that a block might have when all pairs were compared; None: a full run.
    kept : dict
        What a later run asks before it builds on this one: version, country, and the records new, changed or gone
        since the model was trained.
    """

    comparisons: tuple[Comparison, ...]
    model: LinkageModel | None
    sentence: str
    largest_blocks: tuple[int, ...] | None
    kept: dict[str, Any]


def begin_linkage(
    engine: Engine, increments: Literal["auto", "full"], as_of_date: date, country: str, base: Base
) -> Start:
    """Normalise the records, those that are new or changed where the base kept the others; and say how to go on.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`; gets what `normalise_records` makes.
    increments : {"auto", "full"}
        Whether to build on the base where that is possible.
    as_of_date : datetime.date
    country : str
        Country (ISO 3166-1 alpha-2) of values that do not say theirs.
    base : Base

    Returns
    -------
    Start
        A full run where the params ask for one, no run before kept its linkage, its version or country was another,
        the records now call for other comparisons, or more than `MOST_CHANGED` of them are new, changed or gone since
        its model was trained.
    """
    rules = [rule.name for rule in RULES]
    told: dict[str, Any] = {"version": version("crmlib"), "country": country, "rules": rules, "changed": 0}
    before = _read_model(engine, base)
    if increments == "full":
        reason = "the params ask for a full run"
    elif before is None:
        reason = "no run before kept its linkage"
    elif any(before["increments"].get(name) != told[name] for name in ("version", "country", "rules")):
        reason = "the run before read the records by another version or for another country"
    else:
        normalise_records(engine, as_of_date, country, base.records)
        compared = choose_comparisons(engine)
        counted = engine.row(
            f"SELECT (SELECT count(*) FROM changed_records) AS changed, count(*) AS records, "
            f"(SELECT count(*) FROM {base.records} ANTI JOIN linkage_records USING (source, source_record_id)) AS gone "
            "FROM linkage_records"
        )
        since = before["increments"]["changed"] + counted["changed"] + counted["gone"]
        if [_conditions(written) for written in before["persons"]["comparisons"]] != [
            _conditions(write_comparison(comparison)) for comparison in compared
        ]:
            reason = "other fields are filled than in the run before"
        elif since > MOST_CHANGED * counted["records"]:
            reason = f"{since:,} records are new, changed or gone since the last full run, more than {MOST_CHANGED:.0%}"
        else:
            sentence = (
                f"{counted['changed']:,} of {counted['records']:,} records are new or changed since the run before: "
                "only pairs with one of them were compared, by that run's model; all other pairs are as they were."
            )
            largest = tuple(before["increments"]["largest_blocks"])
            return Start(compared, read_model(before, compared), sentence, largest, told | {"changed": since})
        return Start(compared, None, _tell_full(reason), None, told)
    normalise_records(engine, as_of_date, country)
    return Start(choose_comparisons(engine), None, _tell_full(reason), None, told)


def carry_pairs(engine: Engine, start: Start, base: Base) -> str:
    """Add to ``weighed_pairs`` of an increment those of the base between records that are as they were.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs``, ``linkage_records`` and ``changed_records``.
    start : Start
        Of a full run nothing is added.
    base : Base
    """
    if start.model is None:
        return "weighed_pairs"
    columns = ", ".join(map(quote, engine.columns("weighed_pairs")))
    return engine.run(
        Step(
            "weighed_pairs",
            f"""
            WITH standing AS (
                SELECT source, source_record_id, record_no
                FROM linkage_records ANTI JOIN changed_records USING (record_no)
            ),
            carried AS (
                SELECT b.*, 0.0::DOUBLE AS origin_weight, l.record_no AS record_no_l, r.record_no AS record_no_r
                FROM {base.pairs} b
                JOIN standing l ON l.source = b.source_l AND l.source_record_id = b.source_record_id_l
                JOIN standing r ON r.source = b.source_r AND r.source_record_id = b.source_record_id_r
            )
            SELECT {columns} FROM weighed_pairs
            UNION ALL
            SELECT {columns} FROM carried
            """,
        )
    )


def name_pairs(engine: Engine) -> str:
    """Name the records of ``weighed_pairs`` as a later run knows them, not by numbers; gives the table's name."""
    return engine.run(STANDING_PAIRS)


def keep_model(model: LinkageModel, start: Start, blocked: pd.DataFrame) -> pd.DataFrame:
    """The model, and what a later run asks before it builds on it, as `linkage_model` holds them: model, json.

    Parameters
    ----------
    model : LinkageModel
    start : Start
    blocked : pandas.DataFrame
        largest_block of each rule, as `block_pairs` gives it; an increment keeps those of the full run.
    """
    largest = list(start.largest_blocks or map(int, blocked["largest_block"]))
    kept = json.dumps(start.kept | {"largest_blocks": largest}, sort_keys=True)
    return pd.concat([model.rows, pd.DataFrame({"model": ["increments"], "json": [kept]})], ignore_index=True)


def _read_model(engine: Engine, base: Base) -> dict[str, Any] | None:
    if None in base:
        return None
    kept = {row["model"]: json.loads(row["json"]) for row in engine.rows(f"SELECT model, json FROM {base.model}")}
    return kept if {"persons", "relatives", "increments"} <= kept.keys() else None


def _tell_full(reason: str) -> str:
    return f"All records were compared, and the model was trained anew: {reason}."


def _conditions(written: dict[str, Any]) -> tuple[str, list[str]]:
    return written["output_column_name"], [level["sql_condition"] for level in written["comparison_levels"]]
