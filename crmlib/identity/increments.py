"""New and changed records against the standing base: its model, and its pairs between records that are as they were.

What an increment leaves as it was, a full run would settle anew: the model, how frequent each name is among the pairs
that were scored before, and which values so many share that they tell nothing. So the results are those of a full run
but for pairs near the threshold; `tests/identity/test_increments.py` states how few.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from crmlib.engine import Engine, Step, quote
from crmlib.identity.comparisons import Comparison
from crmlib.identity.decisions import CONTRADICTION, PairShares
from crmlib.identity.model import LinkageModel, write_comparison

#: More than this share of new or changed records, and the base teaches too little of them: a full run.
MOST_CHANGED = 0.1


def keep_model(model: LinkageModel, shares: PairShares) -> pd.DataFrame:
    """The model and the shares of the kinds of pairs, as `linkage_model` holds them: model, json."""
    kept = pd.DataFrame({"model": ["pair_shares"], "json": [json.dumps(shares._asdict(), sort_keys=True)]})
    return pd.concat([model.rows, kept], ignore_index=True)


def take_up_model(
    engine: Engine, base_model: str | None, comparisons: tuple[Comparison, ...]
) -> tuple[LinkageModel, PairShares] | None:
    """Take up the base's model, where it still fits.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``changed_records``.
    base_model : str, optional
        The base run's `linkage_model`, as `keep_model` wrote it.
    comparisons : tuple of Comparison
        Those that the records call for now.

    Returns
    -------
    tuple of LinkageModel and PairShares, or None
        None where there is no base, where its comparisons were others, or where more than `MOST_CHANGED` of the
        records are new or changed.
    """
    counted = engine.row(
        "SELECT (SELECT count(*) FROM changed_records) AS changed, count(*) AS records FROM linkage_records"
    )
    if base_model is None or counted["changed"] > MOST_CHANGED * counted["records"]:
        return None
    kept = {row["model"]: json.loads(row["json"]) for row in engine.rows(f"SELECT model, json FROM {base_model}")}
    if not {"persons", "pair_shares"} <= kept.keys():
        return None
    settings = kept["persons"]
    if [_conditions(written) for written in settings["comparisons"]] != [
        _conditions(write_comparison(comparison)) for comparison in comparisons
    ]:
        return None
    return LinkageModel(comparisons, settings, ()), PairShares(**kept["pair_shares"])


def carry_pairs(engine: Engine, base_pairs: str) -> str:
    """Add to ``decided_pairs`` those of the base between records that are as they were.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs`` (of the increment alone), ``linkage_records`` and ``changed_records``.
    base_pairs : str
        The base run's `match_pairs`; what reviewers ruled there is taken back to what the model said, for their
        rulings are held again.
    """
    columns = [quote(column) for column in engine.columns("decided_pairs")]
    return engine.run(
        Step(
            "decided_pairs",
            f"""
            WITH standing AS (
                SELECT source, source_record_id, record_no
                FROM linkage_records ANTI JOIN changed_records USING (record_no)
            ),
            carried AS (
                SELECT b.* REPLACE (
                           CASE WHEN b.decided_by = 'reviewer' THEN 1 / (1 + 2.0 ** -b.match_weight)
                                ELSE b.match_probability END AS match_probability,
                           b.contradicted AND (b.decided_by <> 'reviewer' OR b.match_weight < $contradiction)
                               AS contradicted,
                           CASE WHEN b.decided_by = 'reviewer' THEN 'model' ELSE b.decided_by END AS decided_by
                       ),
                       l.record_no AS record_no_l, r.record_no AS record_no_r
                FROM {base_pairs} b
                JOIN standing l ON l.source = b.source_l AND l.source_record_id = b.source_record_id_l
                JOIN standing r ON r.source = b.source_r AND r.source_record_id = b.source_record_id_r
            )
            SELECT {", ".join(columns)} FROM decided_pairs
            UNION ALL
            SELECT {", ".join(columns)} FROM carried
            """,
        ),
        contradiction=CONTRADICTION / 2,
    )


def _conditions(written: dict[str, Any]) -> tuple[str, list[str]]:
    return written["output_column_name"], [level["sql_condition"] for level in written["comparison_levels"]]
